# SPDX-License-Identifier: LGPL-2.1-or-later
"""The delivery contract C1 to C12, as far as it is visible through a driver.

It stands apart from the operations because it holds for whatever a driver can do: coming and
going (``define``, ``undefine``) is enough to make events, so that these tests are cheap.

Confined to the thread that runs the tests, but for the threads that a test starts and joins.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from virevents.connection import Connection, Domain, aio, open
from virevents.errors import (
    ClosedError,
    DomainExistsError,
    DomainNotFoundError,
    StateError,
    WouldBlockError,
)
from virevents.model import Gap, Lifecycle, LifecycleEvent
from virevents.sync import Gate, assert_nothing_held
from virevents.testing.conformance.profile import Profile
from virevents.testing.conformance.scenes import playable
from virevents.testing.conformance.stage import (
    PATIENCE,
    in_threads,
    opened,
    stage,
    uuid_of,
    words_of,
)

__all__ = ["ContractTests"]

_THREADS = 8
_ROUNDS = 25


class ContractTests:
    """The tests of the contract; see ``suite.ConformanceSuite``."""

    profile: Profile

    @pytest.fixture
    def conn(self, tmp_path: Path) -> Iterator[Connection]:
        """Open the driver."""
        with opened(self.profile, tmp_path) as connection:
            yield connection

    @pytest.fixture
    def switching_often(self) -> Iterator[None]:
        """Have the interpreter switch threads as often as it can."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    def _xml(self, folder: Path, name: str = "web1") -> str:
        return self.profile.xml(folder, name, uuid_of(name))

    @property
    def _life(self) -> list[str]:
        """What a domain tells that is defined and undefined."""
        return [*self.profile.told("define"), *self.profile.told("undefine")]

    def test_c1_value(self, conn: Connection, tmp_path: Path) -> None:
        """An event says what was, also when the domain has gone; it cannot be changed."""
        with conn.events() as events:
            conn.define(self._xml(tmp_path)).undefine()
            first, second = _take(events.get), _take(events.get)
        assert (first.domain.name, first.domain.uuid) == ("web1", uuid_of("web1"))
        assert first.sequence < second.sequence
        with pytest.raises(AttributeError):
            first.sequence = 0  # type: ignore[misc]

    def test_c2_nothing_held(self, conn: Connection, tmp_path: Path) -> None:
        """No lock of ours, and none of the driver's, is held while a callback runs."""
        held: list[BaseException] = []

        def look(event: LifecycleEvent) -> None:
            assert_nothing_held(f"a callback on {event.domain.name}")

        def on_error(_: LifecycleEvent, error: BaseException) -> None:
            held.append(error)

        direct = conn.subscribe(look, delivery="direct", on_error=on_error)
        isolated = conn.subscribe(look, on_error=on_error)
        conn.define(self._xml(tmp_path)).undefine()
        assert isolated.drain(PATIENCE)
        assert direct.drain(PATIENCE)
        assert held == []
        assert direct.stats.delivered == isolated.stats.delivered
        assert isolated.stats.delivered == len(self._life)

    def test_c3_order_of_coming_and_going(self, conn: Connection, tmp_path: Path) -> None:
        """Domains defined and undefined by 8 threads: each one's events tell a possible life."""
        names = [f"web{number}" for number in range(4)]

        def live(at: int) -> None:
            for turn in range(_ROUNDS):
                name = names[(at + turn) % len(names)]
                # Whoever comes second meets the other's domain, or none.
                with contextlib.suppress(DomainNotFoundError, DomainExistsError):
                    conn.define(self._xml(tmp_path, name))
                    conn.lookup(name).undefine()

        told, others = _told_during(conn, lambda: in_threads(*_each(live)))
        assert told == others, "two subscriptions saw two orders"
        assert [event.sequence for event in told] == sorted({e.sequence for e in told})
        for name in names:
            words = [words_of(event) for event in told if event.domain.name == name]
            assert words
            _check_life(words)

    @pytest.mark.usefixtures("switching_often")
    def test_c3_gone_once(self, conn: Connection, tmp_path: Path) -> None:
        """Of 8 threads that undefine one domain one succeeds, and one event tells it."""
        outcomes: list[bool] = []

        def undefine(domain: Domain, may_begin: Gate) -> None:
            may_begin.wait(PATIENCE)
            try:
                domain.undefine()
            except DomainNotFoundError:
                outcomes.append(False)
            else:
                outcomes.append(True)

        def turns() -> None:
            for turn in range(_ROUNDS):
                domain = conn.define(self._xml(tmp_path, f"web{turn}"))
                gate = Gate("the beginning")
                in_threads(*[partial(undefine, domain, gate)] * _THREADS, gate.open)

        told, _ = _told_during(conn, turns)
        assert outcomes.count(True) == _ROUNDS
        assert [words_of(event) for event in told] == self._life * _ROUNDS

    def test_c3_order_of_suspend_and_resume(self, conn: Connection, tmp_path: Path) -> None:
        """8 threads suspend and resume two domains: they take turns in the events too."""
        if not playable(self.profile, ("define", "start", "suspend", "resume")):
            return  # listed in the report as not declared
        names = ["web1", "web2"]
        for name in names:
            conn.define(self._xml(tmp_path, name)).start()

        def live(at: int) -> None:
            domain = conn.lookup(names[at % len(names)])
            for verb in [domain.suspend, domain.resume] * 5:
                with contextlib.suppress(StateError):  # another thread was first
                    verb()

        told, others = _told_during(conn, lambda: in_threads(*_each(live)))
        assert told == others, "two subscriptions saw two orders"
        for name in names:
            kinds = [event.event for event in told if event.domain.name == name]
            assert kinds == ([Lifecycle.SUSPENDED, Lifecycle.RESUMED] * len(kinds))[: len(kinds)]

    def test_c4_begins_now(self, conn: Connection, tmp_path: Path) -> None:
        """Who subscribes in the middle sees no earlier event, and each later one once."""
        domain = conn.define(self._xml(tmp_path))
        later: list[str] = []
        with conn.subscribe(lambda event: later.append(words_of(event))):
            conn.define(self._xml(tmp_path))
            domain.undefine()
        assert later == [*self.profile.told("define_again"), *self.profile.told("undefine")]

    def test_c5_closed_is_over(self, conn: Connection, tmp_path: Path) -> None:
        """Once close returned True the callback never runs again."""
        seen: list[LifecycleEvent] = []
        subscription = conn.subscribe(seen.append)
        domain = conn.define(self._xml(tmp_path))
        assert subscription.close()
        count = len(seen)
        with conn.subscribe(words_of):  # what is pushed now is delivered when this ends
            domain.undefine()
        assert len(seen) == count

    def test_c6_release(self, tmp_path: Path) -> None:
        """The release hook runs once, after the last call, for each way to the end."""
        ends: list[str] = []
        with open(self.profile.uri(tmp_path)) as conn:
            one = conn.subscribe(words_of, on_release=lambda: ends.append("closed"))
            conn.subscribe(words_of, on_release=lambda: ends.append("with the connection"))
            assert one.close()
            assert one.close()
            assert ends == ["closed"]
        assert ends == ["closed", "with the connection"]

    def test_c7_isolated_may_call_anything(self, conn: Connection, tmp_path: Path) -> None:
        """A callback looks its domain up, changes it, subscribes and closes itself."""
        done = Gate("the callback")
        seen: list[object] = []

        def callback(event: LifecycleEvent) -> None:
            domain = conn.lookup(event.domain.name)
            seen.append(conn.lookup_uuid(event.domain.uuid) == domain)
            seen.append(domain in conn.list())
            seen.append(str(domain.state().state))
            conn.subscribe(words_of).close()
            domain.undefine()
            seen.append(subscription.close())
            done.open()

        subscription = conn.subscribe(callback, on_error=lambda _, error: seen.append(error))
        conn.define(self._xml(tmp_path))
        assert done.wait(PATIENCE), seen
        assert seen == [True, True, "shutoff", False]
        assert uuid_of("web1") not in {domain.uuid for domain in conn.list()}

    def test_c7_direct_looks_up_only(self, conn: Connection, tmp_path: Path) -> None:
        """On the loop thread look-ups are free; what would wait is refused before it begins."""
        outcomes = self._on_loop_thread(conn, tmp_path, "direct")
        assert outcomes == ["web1", "WouldBlockError"]
        assert conn.lookup("web1").name == "web1"

    def test_c7_asyncio_loop_looks_up_only(self, conn: Connection, tmp_path: Path) -> None:
        """Likewise on the loop of an asyncio program."""

        async def main() -> list[str]:
            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(self._on_loop_thread, conn, tmp_path, loop)

        assert asyncio.run(main()) == ["web1", "WouldBlockError"]

    def _on_loop_thread(
        self, conn: Connection, folder: Path, delivery: "asyncio.AbstractEventLoop | str"
    ) -> list[str]:
        outcomes: list[str] = []
        done = Gate("the callback")

        def callback(event: LifecycleEvent) -> None:
            domain = conn.lookup(event.domain.name)
            outcomes.append(domain.name)
            try:
                domain.undefine()
            except WouldBlockError as error:
                outcomes.append(type(error).__name__)
            done.open()

        conn.subscribe(callback, delivery=delivery)  # type: ignore[arg-type]
        conn.define(self._xml(folder))
        assert done.wait(PATIENCE)
        return outcomes

    def test_c7_aio(self, tmp_path: Path) -> None:
        """The asyncio face awaits what would wait, from inside the stream and a coroutine."""

        async def main() -> list[str]:
            async with aio.open(self.profile.uri(tmp_path)) as conn:
                events = conn.events()
                await conn.define(self._xml(tmp_path))
                seen = []
                async for event in events:
                    assert isinstance(event, LifecycleEvent)
                    seen.append(words_of(event))
                    if event.event is Lifecycle.UNDEFINED:
                        break
                    domain = await conn.lookup(event.domain.name)
                    await domain.undefine()
                return seen

        wanted = self._life
        assert asyncio.run(asyncio.wait_for(main(), PATIENCE)) == wanted

    def test_c8_isolation(self, conn: Connection, tmp_path: Path) -> None:
        """A callback that blocks and one that raises delay nobody."""
        may_go = Gate("the blocked callback")
        raised: list[BaseException] = []
        seen: list[str] = []

        def fail(event: LifecycleEvent) -> None:
            raise ValueError(event.domain.name)

        conn.subscribe(lambda _: may_go.wait(PATIENCE))
        failing = conn.subscribe(fail, on_error=lambda _, error: raised.append(error))
        healthy = conn.subscribe(lambda event: seen.append(words_of(event)))
        try:
            conn.define(self._xml(tmp_path)).undefine()
            assert healthy.drain(PATIENCE)
            assert failing.drain(PATIENCE)
        finally:
            may_go.open()
        assert seen == self._life
        assert [type(error) for error in raised] == [ValueError, ValueError]

    def test_c9_bounded(self, conn: Connection, tmp_path: Path) -> None:
        """What a full mailbox loses stands in a gap: delivered and lost are what was pushed."""
        with conn.events() as whole, conn.events(capacity=1) as small:
            domain = conn.define(self._xml(tmp_path))
            conn.define(self._xml(tmp_path))
            domain.undefine()
            pushed = [_take(whole.get) for _ in range(3)]
            with conn.subscribe(words_of):
                pass  # all that was pushed is handed over
            first = small.get(PATIENCE)
            last = small.get(PATIENCE)
        assert isinstance(first, Gap)
        assert (first.first, first.count) == (pushed[0].sequence, 2)
        assert last == pushed[2]

    def test_c10_many(self, conn: Connection, tmp_path: Path) -> None:
        """One function put on twice is called twice; a callback of one domain hears only it."""
        seen: list[str] = []
        web1 = conn.define(self._xml(tmp_path))

        def note(event: LifecycleEvent) -> None:
            seen.append(event.domain.name)

        with conn.subscribe(note), conn.subscribe(note), conn.subscribe(note, domain=web1):
            conn.define(self._xml(tmp_path, "web2"))
            conn.define(self._xml(tmp_path))
        assert sorted(seen) == ["web1", "web1", "web1", "web2", "web2"]

    def test_c11_close_from_a_callback(self, tmp_path: Path) -> None:
        """A callback may close the connection; nothing is called after it, twice is once."""
        conn = open(self.profile.uri(tmp_path))
        released = Gate("the release")
        seen: list[str] = []

        def callback(event: LifecycleEvent) -> None:
            seen.append(words_of(event))
            conn.close()

        conn.subscribe(callback, on_release=released.open)
        domain = conn.define(self._xml(tmp_path))
        assert released.wait(PATIENCE)
        assert conn.close()
        assert conn.is_closed
        assert seen == [*self.profile.told("define")]
        with pytest.raises(ClosedError):
            domain.undefine()
        with pytest.raises(ClosedError):
            conn.list()

    def test_c11_ends_with_a_running_domain(self, tmp_path: Path) -> None:
        """A connection closes with a domain running, and the driver opens again."""
        with open(self.profile.uri(tmp_path)) as conn:
            domain = conn.define(self._xml(tmp_path))
            if playable(self.profile, ("start",)):
                domain.start()
        with stage(self.profile, tmp_path) as on:
            on.define("web9")
            assert on.connection.lookup("web9").name == "web9"

    def test_c12_one_driver_per_uri(self, conn: Connection, tmp_path: Path) -> None:
        """Two connections to one URI see one list and one order."""
        with open(self.profile.uri(tmp_path)) as other, other.events() as events:
            conn.define(self._xml(tmp_path)).undefine()
            told = [words_of(_take(events.get)) for _ in range(2)]
            assert {d.uuid for d in other.list()} == {d.uuid for d in conn.list()}
        assert told == self._life


def _take(get: Callable[[float], LifecycleEvent | Gap | None]) -> LifecycleEvent:
    item = get(PATIENCE)
    assert isinstance(item, LifecycleEvent), f"expected an event, met {item}"
    return item


def _each(live: Callable[[int], None]) -> list[Callable[[], None]]:
    return [lambda at=at: live(at) for at in range(_THREADS)]  # type: ignore[misc]


def _told_during(
    conn: Connection, act: Callable[[], None]
) -> tuple[list[LifecycleEvent], list[LifecycleEvent]]:
    """What two subscriptions, one of them direct, heard while *act* ran."""
    isolated: list[LifecycleEvent] = []
    direct: list[LifecycleEvent] = []
    with conn.subscribe(direct.append, delivery="direct"), conn.subscribe(isolated.append):
        act()
    return isolated, direct


def _check_life(words: list[str]) -> None:
    is_there = False
    for word in words:
        event = word.partition(" ")[0]
        assert (event, is_there) in {
            ("defined", False),
            ("defined", True),
            ("undefined", True),
        }, words
        assert not is_there or word != "defined added", words
        is_there = event == "defined"
