# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two QEMU drivers, libvirt's and ours, with real guests, as the sides of a trial.

Each side has a folder, uuids and serial lines of its own. A step is over when nothing more can come
of it, and no sleep decides that: whoever runs answers a letter on its serial line, which a guest
that is about to power off, reboot or crash does not; whoever shuts down is waited for; then a
command goes through libvirt's monitor and a call through its daemon, behind whatever was told
before. Ours has no such way behind, so it is given time to tell what libvirt told.

Our core dump is the kind that libvirt makes when it is asked for the memory only: an ELF file. The
other kind, a migration stream like that of a save, we do not have; so libvirt is asked for that.

Confined to the thread that makes them, but for the events, which have a lock of their own.
"""

import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, cycle
from typing import Final, cast

import virevents
from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.place import Place
from tests.differential.calls import Call, call_of, event_values, run
from tests.differential.outcome import Event, Outcome
from tests.differential.story import Step
from tests.interop.libvirtd.stock_client import Answer, Json, StockClient
from virevents import clock
from virevents.errors import OperationTimeoutError, VireventsError
from virevents.model import INACTIVE_ID, DomainEvent, DomainState
from virevents.testing.guests import AgentCommand, AgentLine

__all__ = ["OurGuests", "StockGuests", "sides", "sides_of_control"]

_ANSWER_WITHIN: Final = 0.15  # seconds for a letter; then the state is looked at again
_SETTLES_WITHIN: Final = 8.0  # seconds until a step is taken for over, come what may
_OURS_WITHIN: Final = 3.0  # seconds for ours to tell what libvirt told
_QUIET: Final = 0.4  # seconds without an event, where no letter can be answered

_IS_ANSWERED: Final = "023456789ACDEFGHIJKLMNOPQSTUVWXYZ"  # letters that the agent only echoes
_NO_GUEST: Final = -1
"""The code of a letter or signal to what does not run."""

_SIGNALS: Final = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
_LEADS_ON: Final = (
    {"guest", "signal", "hang_up", "shutdown", "reboot"}
    | {"resume", "pm_wakeup"}
    | {"start", "create", "restore"}
)
_GOES: Final = {DomainState.SHUTDOWN, DomainState.SHUTOFF}  # with an id: it is about to lose it
_STANDS: Final = {DomainState.PAUSED, DomainState.CRASHED}

Facts = tuple[Json, ...]


class _World:
    """What the words of a step stand for on one side: names, uuids and files of its own."""

    def __init__(self, place: Place, prefix: str) -> None:
        self.place: Final = place
        self.prefix: Final = prefix

    def uuid(self, number: str) -> str:
        return self.place.uuid(int(number))

    def path(self, letter: str) -> str:
        return str(self.place.folder / letter)

    def name(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def xml(self, step: Step) -> str:
        identity = int(step.get("uuid"))
        # The serial line goes with the uuid, for the name may change.
        machine = Machine(
            name=f"web{identity}",
            identity=identity,
            on_poweroff=step.get("on_poweroff", "destroy"),
            on_reboot=step.get("on_reboot", "restart"),
            on_crash=step.get("on_crash", "destroy"),
            has_pvpanic=True,
            watchdog=step.get("watchdog") or None,
            title=step.get("title") or None,
        )
        own = f"<name>{self.name(step.name)}</name>"
        return machine.xml(self.place).replace(f"<name>web{identity}</name>", own)

    def call(self, step: Step) -> Call:
        """Say which call a step is, with the names of this side."""
        words = tuple(f"to={self.name(w[3:])}" if w.startswith("to=") else w for w in step.words)
        name = self.name(step.name) if step.name else ""
        call = call_of(Step(step.verb, name, words), self)
        if step.verb not in {"define", "create"}:
            return call
        return Call(call.verb, (self.xml(step),), call.flags)

    def plain(self, text: str) -> str:
        """Return *text* without what is this side's own."""
        return self.place.without_addresses(text).replace(self.prefix, "")

    def number(self, uuid: str) -> str:
        return self.place.without_addresses(uuid)


class _Guests(ABC):
    """What both sides do alike: letters, signals, and waiting until a step is over."""

    def __init__(self, place: Place, prefix: str) -> None:
        self.world: Final = _World(place, prefix)
        self._letters: Final = cycle(_IS_ANSWERED)

    def do(self, step: Step) -> Outcome:
        """Do one step, and return when nothing more comes of it."""
        before = self.domains()
        code, text, result = self._act(step)
        if step.verb == "hang_up":
            self.wait_until_quiet()
        # No QEMU outlives a signal, also where its guest stands still.
        ending = step.name if step.verb == "signal" else None
        self._settle(ending)
        if self._may_be_on_its_way(step, before, self.domains()):
            self.wait_until_quiet()
            self._settle()
        self.get_behind()
        return Outcome(
            code,
            self.world.plain(text),
            result if step.verb == "is_autostarted" else None,
            self.taken(),
            self.domains(),
        )

    def _may_be_on_its_way(
        self, step: Step, before: dict[str, Facts], after: dict[str, Facts]
    ) -> bool:
        """Tell whether a domain that stands still now may do so for a moment only."""
        stopped = {
            after[name][2]
            for name in after
            if after[name][2] in _STANDS and after[name] != before.get(name)
        }
        is_meant = step.verb not in _LEADS_ON or step.has("paused")
        return DomainState.CRASHED in stopped or bool(stopped and not is_meant)

    def _act(self, step: Step) -> tuple[int, str, Json]:
        if step.verb in {"guest", "signal"}:
            return self._reach(step), "", None
        if step.verb == "hang_up":
            self.hang_up()
            return 0, "", None
        return self.call(self.world.call(step), is_owned=step.has("autodestroy"))

    def _reach(self, step: Step) -> int:
        """Send a letter to a guest, or a signal to its QEMU."""
        facts = self.domains().get(step.name)
        if facts is None or facts[1] == INACTIVE_ID:
            return _NO_GUEST
        identity = int(str(facts[0]).removeprefix("UUID"))
        if step.verb == "guest":
            self._send(step.get("letter"), identity)
            return 0
        for pid in self.world.place.qemus(identity):
            os.kill(pid, _SIGNALS[step.get("number")])
        return 0

    def _send(self, letter: str, identity: int) -> None:
        with suppress(OperationTimeoutError):  # its QEMU may be on its way out
            self._line(identity).send(AgentCommand(letter))

    def _settle(self, ending: str | None = None) -> None:
        """Return when every domain that runs listens, and none is shutting down.

        Args:
            ending: A domain that is to be off first.
        """
        deadline = clock.monotonic() + _SETTLES_WITHIN
        while clock.monotonic() < deadline:
            domains = self.domains()
            is_off = ending not in domains or domains[ending][1] == INACTIVE_ID
            if is_off and self._is_settled(domains) and domains == self.domains():
                return

    def _is_settled(self, domains: dict[str, Facts]) -> bool:
        if any(facts[1] != INACTIVE_ID and facts[2] in _GOES for facts in domains.values()):
            return False
        running = [facts for facts in domains.values() if facts[2] == DomainState.RUNNING]
        return all(self._listens(int(str(facts[0]).removeprefix("UUID"))) for facts in running)

    def _listens(self, identity: int) -> bool:
        """Tell whether a guest answers two letters: between them it looks at the power button."""
        try:
            for _ in range(2):
                # No command to the agent: it only echoes, as it does each letter.
                self._line(identity).tell(cast("AgentCommand", next(self._letters)))
        except OperationTimeoutError:
            return False
        return True

    def _line(self, identity: int) -> AgentLine:
        return self.world.place._lines[f"web{identity}"]

    @abstractmethod
    def domains(self) -> dict[str, Facts]:
        """Return what can be seen of each domain of this side."""

    @abstractmethod
    def call(self, call: Call, *, is_owned: bool) -> tuple[int, str, Json]:
        """Make a call; *is_owned*: on the connection that `hang_up` closes."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the connection whose domains are to be destroyed with it."""

    @abstractmethod
    def wait_until_quiet(self) -> None:
        """Return when no event came for a while."""

    @abstractmethod
    def get_behind(self) -> None:
        """Return when what has happened by now was told."""

    @abstractmethod
    def taken(self) -> tuple[Event, ...]:
        """Hand out the events since the last time."""

    def _facts(self, row: tuple[Json, ...]) -> Facts:
        uuid, domain_id, *rest = row
        is_active = domain_id != INACTIVE_ID
        return self.world.number(str(uuid)), 1 if is_active else INACTIVE_ID, *rest

    def _event(self, event_id: str, name: str, domain_id: int, values: tuple[Json, ...]) -> Event:
        plain = tuple(self.world.plain(v) if isinstance(v, str) else v for v in values)
        plain_id = INACTIVE_ID if domain_id == INACTIVE_ID else 1
        return event_id.replace("-", ""), self.world.plain(name), plain_id, plain


class StockGuests(_Guests):
    """A real libvirtd."""

    def __init__(self, stock: StockClient, uri: str, place: Place, prefix: str) -> None:
        super().__init__(place, prefix)
        self._stock: Final = stock
        self._uri: Final = uri
        self._has_owner = False
        self._told: Final[list[Event]] = []

    def more(self) -> Outcome | None:
        """Nothing more comes: its step was over."""
        return None

    def domains(self) -> dict[str, Facts]:
        answer = self._ask("domains")
        while answer.code:  # another story's domain went while it was looked at
            answer = self._ask("domains")
        assert isinstance(answer.result, list)
        rows = [tuple(row) for row in answer.result if isinstance(row, list)]
        return {
            self.world.plain(str(name)): self._facts(tuple(facts))
            for name, *facts in rows
            if str(name).startswith(self.world.prefix)
        }

    def call(self, call: Call, *, is_owned: bool) -> tuple[int, str, Json]:
        if is_owned and not self._has_owner:
            self._ask("open", self._uri, on="owner")
            self._has_owner = True
        on = "owner" if is_owned else "main"
        kind = ("memory_only",) if call.verb == "core_dump" else ()
        answer = self._ask(call.verb, *call.arguments, on=on, flags=(*call.flags, *kind))
        return answer.code, answer.text, answer.result

    def hang_up(self) -> None:
        if self._has_owner:
            self._ask("close", on="owner")
            self._has_owner = False

    def wait_until_quiet(self) -> None:
        self._keep(self._stock.ask("take", quiet=_QUIET))

    def get_behind(self) -> None:
        for name, facts in self.domains().items():
            if facts[1] != INACTIVE_ID:
                self._ask("monitor", self.world.name(name), '{"execute": "query-status"}')
        self._ask("take")

    def taken(self) -> tuple[Event, ...]:
        events, self._told[:] = tuple(self._told), []
        return events

    def _ask(
        self, verb: str, *arguments: Json, on: str = "main", flags: tuple[str, ...] = ()
    ) -> Answer:
        answer = self._stock.ask(verb, *arguments, on=on, named=dict.fromkeys(flags, True))
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        self._told.extend(
            self._event(e.event_id, e.name, e.id, _plain(e.values))
            for e in answer.events
            if e.name.startswith(self.world.prefix)
        )

    def clear_away(self) -> None:
        """End and forget every domain of this side."""
        self.hang_up()
        for name in self.domains():
            self._ask("destroy", self.world.name(name))
            self._ask("undefine", self.world.name(name), flags=("managed_save",))


def _plain(values: list[Json]) -> tuple[Json, ...]:
    return tuple(value if isinstance(value, int | str | float) else None for value in values)


class OurGuests(_Guests):
    """Our driver, embedded."""

    def __init__(self, conn: virevents.Connection, place: Place, prefix: str) -> None:
        super().__init__(place, prefix)
        self._conn: Final = conn
        self._owner: virevents.Connection | None = None
        self._changed: Final = threading.Condition()
        self._events: list[DomainEvent] = []  # guarded by _changed
        self._told: Final[list[Event]] = []
        self._last: Outcome | None = None
        self._deadline = 0.0
        conn.subscribe(self._take, event_id="all")

    def _take(self, event: DomainEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def do(self, step: Step) -> Outcome:
        """Do one step; `more` says what came late."""
        self._told.clear()
        self._last = super().do(step)
        self._deadline = clock.monotonic() + _OURS_WITHIN
        return self._last

    def more(self) -> Outcome | None:
        """Wait for something else to be seen; None if nothing is."""
        assert self._last is not None
        while clock.monotonic() < self._deadline:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._events), 0.05)
            last = self._last
            now = Outcome(last.code, last.text, last.result, self.taken(), self.domains())
            if now != last:
                self._last = now
                return now
        return None

    def domains(self) -> dict[str, Facts]:
        seen = {}
        for domain in self._conn.list():
            with suppress(virevents.DomainNotFoundError):
                row: tuple[Json, ...] = (
                    domain.uuid,
                    domain.id,
                    *map(int, domain.state()),
                    domain.is_persistent,
                    domain.has_managed_save,
                )
                seen[self.world.plain(domain.name)] = self._facts(row)
        return seen

    def call(self, call: Call, *, is_owned: bool) -> tuple[int, str, Json]:
        if is_owned and self._owner is None:
            self._owner = virevents.open(self._conn.uri)
        conn = self._owner if is_owned and self._owner is not None else self._conn
        try:
            return 0, "", run(conn, call)
        except VireventsError as error:
            return error.code, str(error), None

    def hang_up(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def wait_until_quiet(self) -> None:
        with self._changed:
            known = -1
            while known != len(self._events):
                known = len(self._events)
                self._changed.wait_for(lambda: known != len(self._events), _QUIET)  # noqa: B023

    def get_behind(self) -> None:
        """There is no way behind: see `more`."""

    def taken(self) -> tuple[Event, ...]:
        """Hand out all events of this step so far."""
        with self._changed:
            events, self._events = self._events, []
        self._told.extend(
            self._event(e.event_id.word, e.domain.name, e.domain.id, event_values(e))
            for e in events
        )
        return tuple(self._told)

    def clear_away(self) -> None:
        """End and forget every domain."""
        self.hang_up()
        for domain in self._conn.list():
            with suppress(virevents.StateError, virevents.DomainNotFoundError):
                domain.destroy()
            with suppress(virevents.StateError, virevents.DomainNotFoundError):
                domain.undefine(managed_save=True)


_plays: Final = count()


@contextmanager
def _our_side(prefix: str) -> Iterator[OurGuests]:
    with Place(_ANSWER_WITHIN) as place:
        uri = f"qemu:///embed?root={place.folder}/root"
        with virevents.open(uri) as conn:
            side = OurGuests(conn, place, prefix)
            try:
                yield side
            finally:
                side.clear_away()


@contextmanager
def _stock_side(uri: str, prefix: str) -> Iterator[StockGuests]:
    with Place(_ANSWER_WITHIN) as place, StockClient(uri) as stock:
        side = StockGuests(stock, uri, place, prefix)
        try:
            yield side
        finally:
            side.clear_away()


@contextmanager
def sides(uri: str) -> Iterator[tuple[OurGuests, StockGuests]]:
    """Open both for one story: *uri* is that of a libvirtd; whatever is left is ended."""
    prefix = f"d{os.getpid()}x{next(_plays)}-"
    with _our_side(prefix) as ours, _stock_side(uri, prefix) as theirs:
        yield ours, theirs


@contextmanager
def sides_of_control(uri: str) -> Iterator[tuple[StockGuests, StockGuests]]:
    """Open the same libvirtd as both sides: what differs now is libvirt's own, or ours here."""
    prefix = f"d{os.getpid()}x{next(_plays)}"
    with _stock_side(uri, f"{prefix}a-") as one, _stock_side(uri, f"{prefix}b-") as other:
        yield one, other
