# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virevents demo``: a real guest through its whole life, every event as it is delivered.

It stands apart as a program of its own on the public API: what it shows, any user can do.

Locking: none here; see ``demo_stage``.

Invariants, each with a test of its name in ``tests/cli/test_demo.py``:
    checks_itself   it fails when an expected event did not come, or one came that was not
    delays_nobody   it fails when the slow subscriber held another one up
"""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

import typer

import virevents
from virevents.cli.connecting import Connect, named_uri
from virevents.cli.demo_life import NAME, Life, make_qemu_life, make_test_life
from virevents.cli.demo_stage import CALLBACK, SLOW, STREAM, Stage
from virevents.cli.ends import FAILED, Fail
from virevents.cli.printing import print_line
from virevents.errors import OperationFailedError, VireventsError
from virevents.model import Gap
from virevents.sync import Gate
from virevents.testing.guests import AgentLine

__all__ = ["demo"]

_EMULATOR: Final = "qemu-system-x86_64"

# How long the slow subscriber sleeps on each event, in seconds.
_SLOW: Final = 0.25

# How long it stays with its first event if the others do not get theirs meanwhile, in seconds.
_SLOW_AT_MOST: Final = 5.0

# How long the slow subscriber's events may take at the end, in seconds.
_PATIENCE: Final = 15.0

# What the subscribers listen to.
_HEARD: Final = frozenset({"lifecycle", "reboot", "watchdog"})


def demo(context: typer.Context, connect: Connect = None) -> None:
    """Show a guest's life: every event as it is delivered, to whom, on which thread.

    On a real QEMU where qemu-system-x86_64 is installed, else, or with -c test:///default, on
    the test driver. Three subscribers listen: a callback on a thread, an asyncio stream, and a
    callback that sleeps a quarter of a second on each event and delays nobody. The exit status is
    0 when all came as it should, and 1, with the reason, when not.
    """
    named = named_uri(context, connect)
    if named not in {None, "test:///default"}:
        raise typer.BadParameter(
            f"expected test:///default or nothing (a real QEMU), met {named!r}",
            param_hint="--connect",
        )
    try:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="virevents-demo-"))
            faults = _run(_choose(named, Path(folder), stack))
    except (VireventsError, OSError) as error:
        raise Fail(f"demo: {error}") from error
    for fault in faults:
        typer.echo(f"virevents: demo: {fault}", err=True)
    if faults:
        raise typer.Exit(FAILED)


def _choose(named: str | None, folder: Path, stack: ExitStack) -> Life:
    emulator = shutil.which(_EMULATOR) if named is None else None
    if emulator is not None:
        line = stack.enter_context(AgentLine(folder / "line"))
        life = make_qemu_life(folder, emulator, line)
        try:
            virevents.open(life.uri).close()
        except virevents.UnsupportedError as error:
            print_line(f"{error}: this runs on the test driver")
        else:
            print_line(f"A real guest: {emulator}, on {life.uri}")
            return life
    elif named is None:
        print_line(f"{_EMULATOR} is not installed: this runs on the test driver")
    return make_test_life(folder)


def _run(life: Life) -> list[str]:
    """Play *life* and return what went wrong."""
    stage, faults = Stage(), list[str]()
    over = Gate("the end of the play")
    never = Gate("the end of a pause")

    def slow(event: virevents.DomainEvent) -> None:
        stage.delivered(SLOW, event)
        never.wait(_SLOW)
        # It stays with its first event until the others have had all of theirs. If it delayed
        # anyone, that would never be: so this shows it on a machine of any speed.
        if not over.wait(_SLOW_AT_MOST) and not faults:
            faults.append("the slow subscriber delayed another one")

    with virevents.open(life.uri) as connection, _Stream(life, stage) as stream:
        quick = connection.subscribe(
            lambda event: stage.delivered(CALLBACK, event), event_id=_HEARD
        )
        sleeper = connection.subscribe(slow, event_id=_HEARD)
        try:
            _play(connection, stage, life)
        except BaseException:
            never.open()  # who sleeps is not waited for
            with suppress(VireventsError):  # it has ended already
                connection.lookup(NAME).destroy()
            raise
        finally:
            over.open()
        stage.say("wait", "for the slow subscriber, who has delayed nobody" if not faults else "")
        stream.join(_PATIENCE)
        for subscription in (quick, sleeper):
            subscription.drain(_PATIENCE)
    return faults or _judge(stage, life)


def _play(connection: virevents.Connection, stage: Stage, life: Life) -> None:
    guests: list[virevents.Domain] = []
    stage.act("define", 1, lambda: guests.append(connection.define(life.xml)))
    for act in life.acts:
        stage.act(act.name, len(act.events), lambda do=act.do: do(guests[0]))  # type: ignore[misc]


class _Stream:
    """The asyncio subscriber: a stream on a loop of its own, on a thread of its own."""

    def __init__(self, life: Life, stage: Stage) -> None:
        self._life: Final = life
        self._stage: Final = stage
        self._ready: Final = Gate("the asyncio subscriber")
        self._stop: Callable[[], object] | None = None  # set once, before the gate opens
        self._thread: Final = threading.Thread(
            target=lambda: asyncio.run(self._listen()), name="demo-asyncio", daemon=True
        )

    def __enter__(self) -> Self:
        """Return when it listens."""
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise OperationFailedError("the asyncio subscriber does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if the play did not come to its end."""
        if self._stop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self._stop()
            self._thread.join(_PATIENCE)

    def join(self, timeout: float) -> None:
        """Wait until it has got all."""
        self._thread.join(timeout)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        async with virevents.aio.open(self._life.uri) as connection:
            stream = connection.events(event_id=_HEARD)
            self._stop = lambda: loop.call_soon_threadsafe(stream.close)
            self._ready.open()
            async for item in stream:
                if isinstance(item, Gap):
                    continue
                self._stage.delivered(STREAM, item)
                if _is_the_last(item):
                    return


def _is_the_last(event: virevents.DomainEvent) -> bool:
    if not isinstance(event, virevents.LifecycleEvent):
        return False
    return event.event is virevents.Lifecycle.UNDEFINED


def _judge(stage: Stage, life: Life) -> list[str]:
    wanted = life.events
    faults = [
        f"the {who} subscriber got {stage.words(who)}, expected {wanted}"
        for who in (CALLBACK, STREAM, SLOW)
        if stage.words(who) != wanted
    ]
    if not faults:
        print_line(
            f"{len(wanted)} events to each of 3 subscribers, in order; the two that are not slow "
            f"had each within {stage.longest_ms:.0f} ms of its cause"
        )
    return faults
