# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QMP adapter, fuzzed: what QEMU's monitor might say, and what its stream might carry.

Two kinds of round, by turns:

- a *life*: the events of real runs, cut, shuffled, repeated and spoilt, go through the whole
  interpretation of a domain's life. Every message is taken; what is told keeps the rules of a life.
- a *stream*: a greeting, then lines of QMP, spoilt and cut at any byte, go into the monitor's
  adapter through a real socket. It hands on events, answers, or a documented error, and tells the
  end exactly once.
"""

import asyncio
import json
import logging
import random
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.campaign import run_campaign
from virevents.clock import SYSTEM_CLOCK
from virevents.definition import parse_definition
from virevents.dispatch import Callback, EventState, Filter
from virevents.drivers import DriverContext
from virevents.drivers.qemu.life import Life, LivingDomain
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.told import ToldRecord
from virevents.errors import MonitorError
from virevents.loop import adopt_running_loop
from virevents.model import DomainEvent, DomainState, Json, Lifecycle, LifecycleEvent

RECORDED: Final = Path(__file__).parent.parent / "tests/drivers/qemu/recorded_events.json"
XML: Final = (
    "<domain type='qemu'><name>web1</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
    "<memory>8192</memory><os><type>hvm</type></os>{actions}<devices>"
    "<disk type='file'><source file='/d'/><target dev='hda' bus='ide'/></disk>"
    "<watchdog model='ib700' action='{watchdog}'/></devices></domain>"
)
VERSION: Final = {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}
GREETING: Final = (
    json.dumps({"QMP": {"version": VERSION, "capabilities": ["oob"]}}).encode() + b"\r\n"
)
ON_CRASH: Final = ("destroy", "restart", "preserve", "coredump-destroy", "coredump-restart")

Message = dict[str, object]


def recorded() -> list[list[Message]]:
    """The events of real runs."""
    runs = json.loads(RECORDED.read_text(encoding="utf-8"))
    found = []
    for name, rows in runs.items():
        if not name.startswith("_"):
            found.append([row for row in rows if isinstance(row, dict) and "event" in row])
    return found


RUNS: Final = recorded()
EVENTS: Final = [event for run in RUNS for event in run]


def spoil(chance: random.Random, value: object, depth: int = 0) -> object:
    """*value*, with something in it that may be anything."""
    if isinstance(value, dict) and value and depth < 3 and chance.random() < 0.8:
        name = chance.choice(list(value))
        changed = dict(value)
        if chance.random() < 0.3:
            del changed[name]
        else:
            changed[name] = spoil(chance, changed[name], depth + 1)
        return changed
    anything: list[object] = [
        None, True, False, 0, -1, 2**70, 1.5, "", "x" * 300, "\ud800", [], [value], {},
        {"a": value}, "pause", "stop", "guest-reset", "host-signal", "guest-panic",
    ]  # fmt: skip
    return chance.choice(anything)


def some_events(chance: random.Random) -> list[Message]:
    """A story of events: whole runs and single events, some repeated, some spoilt."""
    story: list[Message] = [{"event": "RESUME"}] if chance.random() < 0.9 else []
    for _ in range(chance.randint(1, 6)):
        story += chance.choice(RUNS) if chance.random() < 0.5 else [chance.choice(EVENTS)]
    if chance.random() < 0.3:
        chance.shuffle(story)
    changed: list[Message] = []
    for event in story:
        spoilt = spoil(chance, event) if chance.random() < 0.15 else event
        changed += [spoilt] * chance.choice((1, 1, 1, 2)) if isinstance(spoilt, dict) else []
    return changed


class Rules:
    """What holds of everything that is told of one run, whatever QEMU says."""

    def __init__(self) -> None:
        self._has_started = False
        self.count = 0

    def check(self, event: DomainEvent) -> None:
        """Check the next event."""
        self.count += 1
        if not isinstance(event, LifecycleEvent):
            return
        # RESUMED comes before STARTED, as libvirt tells it.
        if not self._has_started and event.event not in {Lifecycle.RESUMED, Lifecycle.STARTED}:
            raise AssertionError(f"{event.event} {event.detail} before the start")
        if event.event is Lifecycle.STARTED:
            self._has_started = True
        if event.event in {Lifecycle.STOPPED, Lifecycle.DEFINED, Lifecycle.UNDEFINED}:
            raise AssertionError(f"{event.event} is not the monitor's to tell")


async def live(chance: random.Random) -> str:
    """One life."""
    actions = (
        f"<on_poweroff>{chance.choice(['destroy', 'restart'])}</on_poweroff>"
        f"<on_crash>{chance.choice(ON_CRASH)}</on_crash>"
    )
    xml = XML.format(actions=actions, watchdog=chance.choice(["reset", "pause", "dump"]))
    definition = parse_definition(xml)
    domain = LivingDomain(definition, is_persistent=True)
    with domain.lock:
        domain.start_locked(definition, 1)
    loop = adopt_running_loop()
    state, rules, record = EventState(loop), Rules(), ToldRecord.in_memory()
    state.register(Callback(rules.check, Filter(event_ids=None)))
    life = Life(domain, definition, record, state, DriverContext(loop, SYSTEM_CLOCK))
    try:
        for event in some_events(chance):
            life.hear(event)
            state.flush()
            told = record.told.state
            if rules.count and told.state not in {DomainState.NOSTATE, domain.state.state}:
                raise AssertionError(f"told {told}, but is {domain.state}")
        errors = sum(callback.errors for callback in state.registry.callbacks)
        if errors:
            raise AssertionError("a rule of what is told was broken: see the log")
        many = "many" if rules.count > MANY else "few"
        return f"a life of {many} events, {domain.state.state} in the end"
    finally:
        state.close()
        record.close()
        loop.detach()


def some_lines(chance: random.Random) -> bytes:
    """Lines of a monitor's stream, some of them spoilt."""
    data = b""
    for event in some_events(chance):
        stamped = event | {"timestamp": {"seconds": 1, "microseconds": 2}}
        line = json.dumps(stamped).encode() + b"\r\n"
        if chance.random() < 0.05:
            line = bytes(chance.randrange(256) for _ in range(chance.randint(0, 60))) + b"\n"
        elif chance.random() < 0.05:
            place = chance.randrange(len(line))
            line = line[:place] + line[place + chance.randint(1, 3) :]
        elif chance.random() < 0.05:
            line = json.dumps(spoil(chance, {"return": {}, "id": "__qmp#00000"})).encode() + b"\r\n"
        data += line
    return data


class Told:
    """What the adapter handed on."""

    def __init__(self) -> None:
        self.events = 0
        self.ends: list[Exception | None] = []
        self.over = asyncio.Event()

    def on_event(self, message: Mapping[str, object]) -> None:
        """Take an event."""
        if "event" not in message:
            raise AssertionError(f"handed on what is no event: {message!r}")
        self.events += 1

    def on_end(self, error: Exception | None) -> None:
        """Take the end."""
        self.ends.append(error)
        self.over.set()


async def play(connection: socket.socket, chance: random.Random) -> None:
    """Be QEMU: greet, answer the negotiation, say something, answer or not, go."""
    loop = asyncio.get_running_loop()
    connection.setblocking(False)  # noqa: FBT003  (the socket's own signature)
    greeting = GREETING if chance.random() < 0.95 else some_lines(chance)
    await loop.sock_sendall(connection, greeting)
    asked = await loop.sock_recv(connection, 4096)
    identifier = json.loads(asked).get("id") if asked else None
    agreed = json.dumps({"return": {}, "id": identifier}).encode() + b"\r\n"
    await loop.sock_sendall(connection, agreed)
    data = some_lines(chance)
    if chance.random() < 0.5:
        asked = await loop.sock_recv(connection, 4096)
        reply: Message = {"id": json.loads(asked).get("id") if asked else None}
        refusal = {"error": {"class": "GenericError", "desc": "not now"}}
        reply |= chance.choice([{"return": {"status": "running"}}, refusal])
        data += json.dumps(reply).encode() + b"\r\n" + some_lines(chance)
    while data:
        size = chance.choice((1, 7, 100, 5000))
        await loop.sock_sendall(connection, data[:size])
        data = data[size:]


async def stream(chance: random.Random) -> str:
    """One stream."""
    ours, theirs = socket.socketpair()
    told = Told()
    monitor = Monitor(told.on_event, told.on_end)
    qemu = asyncio.create_task(play(theirs, chance))
    try:
        async with asyncio.timeout(20):
            return await _session(monitor, ours, theirs, qemu, told)
    finally:
        qemu.cancel()
        await asyncio.gather(qemu, return_exceptions=True)
        theirs.close()


async def _session(
    monitor: Monitor,
    ours: socket.socket,
    theirs: socket.socket,
    qemu: "asyncio.Task[None]",
    told: Told,
) -> str:
    try:
        await monitor.open(ours, timeout=5.0)
    except MonitorError:
        if told.ends:
            raise AssertionError("the end of what never began was told") from None
        return "a stream without a session"
    try:
        answer: Json = await monitor.execute("query-status", timeout=0.05)
        end = f"a stream, answered with {type(answer).__name__}"
    except MonitorError:
        end = "a stream, without an answer"
    await asyncio.gather(qemu, return_exceptions=True)
    theirs.close()
    await told.over.wait()
    if len(told.ends) != 1:
        raise AssertionError(f"the end was told {len(told.ends)} times")
    return end


MANY: Final = 9
PEER_BROKE: Final = "the monitor's client could not clean up"


class Complaints(logging.Handler):
    """Errors that the library logged: a handler that failed is a miss, though nothing is raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.met: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take one, unless it tells of a peer that broke the protocol so that the client fell."""
        text = self.format(record)
        if not text.startswith(PEER_BROKE):
            self.met.append(text)


COMPLAINTS: Final = Complaints()


def one_round(chance: random.Random) -> str:
    """One life or one stream."""
    COMPLAINTS.met.clear()
    end = asyncio.run(live(chance) if chance.random() < 0.8 else stream(chance))
    if COMPLAINTS.met:
        raise AssertionError(COMPLAINTS.met[0])
    return end


def main() -> int:
    """Run the campaign."""
    logger = logging.getLogger("virevents")
    logger.addHandler(COMPLAINTS)
    logger.propagate = False
    return run_campaign("the QMP adapter", one_round)


if __name__ == "__main__":
    sys.exit(main())
