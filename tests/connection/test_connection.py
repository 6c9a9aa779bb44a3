# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connection: which calls may be made when and where, and an end from any state."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn

import pytest

import virevents
from tests.connection.harness import WEB1, Hypervisor, Running, Signal, stopped_loop
from tests.connection.subprocesses import in_forked_child
from virevents import DomainEvent, Gap, LifecycleEvent
from virevents.clock import monotonic
from virevents.connection import ConnectionStats
from virevents.drivers import Capability
from virevents.errors import (
    ClosedError,
    DomainNotFoundError,
    ForkedError,
    InvalidArgumentError,
    LocalProtocolError,
    ReadOnlyError,
    WouldBlockError,
)
from virevents.model import DomainIdentity
from virevents.sync import CheckedLock, is_callback_thread, is_loop_thread

XML = "<domain type='test'><name>web9</name><memory>1024</memory><os><type>hvm</type></os></domain>"
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"

Call = Callable[[virevents.Connection, virevents.Domain], object]

READS: dict[str, Call] = {
    "list": lambda conn, _: conn.list(),
    "lookup": lambda conn, _: conn.lookup("test"),
    "lookup_uuid": lambda conn, _: conn.lookup_uuid(UUID),
    "lookup_id": lambda conn, _: conn.lookup_id(1),
    "events": lambda conn, _: conn.events(),
    "subscribe": lambda conn, _: conn.subscribe(print),
    "subscribe direct": lambda conn, _: conn.subscribe(print, delivery="direct"),
    "expect": lambda conn, domain: conn.expect(domain, "stopped", timeout=1),
    "stats": lambda conn, _: conn.stats(),
    "name": lambda _, domain: domain.name,
    "id": lambda _, domain: domain.id,
    "is_active": lambda _, domain: domain.is_active,
    "is_persistent": lambda _, domain: domain.is_persistent,
    "has_managed_save": lambda _, domain: domain.has_managed_save,
    "is_autostarted": lambda _, domain: domain.is_autostarted,
    "state": lambda _, domain: domain.state(),
    "xml": lambda _, domain: domain.xml(),
}

CHANGES: dict[str, Call] = {
    "define": lambda conn, _: conn.define(XML),
    "create": lambda conn, _: conn.create(XML),
    "restore": lambda conn, _: conn.restore("/nowhere"),
    "start": lambda _, domain: domain.start(),
    "suspend": lambda _, domain: domain.suspend(),
    "resume": lambda _, domain: domain.resume(),
    "shutdown": lambda _, domain: domain.shutdown(),
    "reboot": lambda _, domain: domain.reboot(),
    "reset": lambda _, domain: domain.reset(),
    "destroy": lambda _, domain: domain.destroy(),
    "undefine": lambda _, domain: domain.undefine(),
    "save": lambda _, domain: domain.save("/nowhere"),
    "managed_save": lambda _, domain: domain.managed_save(),
    "managed_save_remove": lambda _, domain: domain.managed_save_remove(),
    "rename": lambda _, domain: domain.rename("other"),
    "core_dump": lambda _, domain: domain.core_dump("/nowhere"),
    "set_autostart": lambda _, domain: domain.set_autostart(),
    "pm_suspend": lambda _, domain: domain.pm_suspend("memory"),
    "pm_wakeup": lambda _, domain: domain.pm_wakeup(),
}


def caused(domain: virevents.Domain) -> None:
    """Have two events come: suspended, resumed."""
    domain.suspend()
    domain.resume()


# -- looking and changing


def test_domains_are_found_by_name_uuid_and_id(conn: virevents.Connection) -> None:
    found = [conn.lookup("test"), conn.lookup_uuid(UUID), conn.lookup_uuid(UUID.upper())]
    assert found == [conn.lookup_id(1)] * 3
    assert conn.list() == conn.list(active=True) == found[:1]
    assert conn.list(active=False) == []
    assert conn.uri == "test:///default"
    assert not conn.is_read_only


def test_a_text_that_is_no_uuid_is_refused(conn: virevents.Connection) -> None:
    with pytest.raises(InvalidArgumentError, match="uuid"):
        conn.lookup_uuid("6695eb01")


def test_what_is_not_there_is_not_found(conn: virevents.Connection) -> None:
    with pytest.raises(DomainNotFoundError):
        conn.lookup("web7")
    with pytest.raises(DomainNotFoundError):
        conn.lookup_id(77)


def test_define_create_and_restore_give_the_domain(
    conn: virevents.Connection, tmp_path: Path
) -> None:
    assert conn.define(XML).name == "web9"
    other = conn.create(XML.replace("web9", "web8"))
    assert other.is_active
    other.save(str(tmp_path / "web8"))
    assert conn.restore(str(tmp_path / "web8")).name == "web8"
    assert {domain.name for domain in conn.list()} == {"test", "web8", "web9"}


@pytest.mark.parametrize("paused", [True, False])
def test_paused_is_told_to_the_driver(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch, *, paused: bool
) -> None:
    asked: list[object] = []
    with virevents.open("fake:///one") as conn:

        def note(*arguments: object, **_: object) -> object:
            asked.append(str(arguments[-1]))
            return WEB1

        for name in ("create", "start", "restore"):
            monkeypatch.setattr(hypervisor.driver, name, note)
        conn.create(XML, paused=paused)
        conn.lookup("web1").start(paused=paused)
        conn.restore("/x", paused=paused)
    word = "PAUSED" if paused else "RUNNING"
    start = "PAUSED" if paused else "DEFAULT"
    assert asked == [f"StartMode.{word}", f"StartMode.{start}", f"StartMode.{word}"]


@pytest.mark.parametrize("name", CHANGES)
def test_a_read_only_connection_refuses_changes(name: str) -> None:
    with virevents.open("test:///default", read_only=True) as conn:
        assert conn.is_read_only
        domain = conn.lookup("test")
        state = domain.state()
        with pytest.raises(ReadOnlyError, match=rf"read only access prevents {name} "):
            CHANGES[name](conn, domain)
        assert domain.state() == state
        assert domain.name == "test"


def test_a_read_only_connection_watches(conn: virevents.Connection) -> None:
    with virevents.open("test:///default", read_only=True) as watcher, watcher.events() as events:
        caused(conn.lookup("test"))
        assert [str(getattr(events.get(10), "event", None)) for _ in "12"] == [
            "suspended",
            "resumed",
        ]


# -- on a loop thread


@pytest.mark.parametrize("name", CHANGES)
def test_on_a_loop_thread_a_call_that_would_wait_is_refused_before_it_does_anything(
    name: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    met: list[str] = []
    refused = Signal("the direct callback")

    def direct(_: LifecycleEvent) -> None:
        state = domain.state()
        try:
            CHANGES[name](conn, domain)
        except WouldBlockError as error:
            met.append(str(error))
        assert domain.state() == state
        refused.set()

    conn.subscribe(direct, delivery="direct", only={"suspended"})
    domain.suspend()
    refused.wait()
    assert len(met) == 1
    assert met[0].startswith(f"{name} would wait")

    async def coroutine() -> None:
        with pytest.raises(WouldBlockError, match=r"virevents\.aio"):
            CHANGES[name](conn, domain)

    asyncio.run(coroutine())


@pytest.mark.parametrize("name", READS)
def test_on_a_loop_thread_a_call_that_does_not_wait_works(
    name: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    async def coroutine() -> None:
        READS[name](conn, domain)

    asyncio.run(coroutine())


# -- events


@pytest.mark.parametrize("not_callable", [None, 7, "print"])
def test_what_is_not_callable_is_refused(not_callable: object, conn: virevents.Connection) -> None:
    with pytest.raises(LocalProtocolError, match="expected a callable"):
        conn.subscribe(not_callable)  # type: ignore[call-overload]
    for hook in ("on_gap", "on_error", "on_release"):
        if not_callable is not None:
            with pytest.raises(LocalProtocolError, match=hook):
                conn.subscribe(print, **{hook: not_callable})  # type: ignore[call-overload]


def test_a_subscription_that_is_refused_leaves_nothing_and_runs_no_hook(
    conn: virevents.Connection,
) -> None:
    released = Signal()
    with pytest.raises(LocalProtocolError, match="capacity"):
        conn.subscribe(print, capacity=0, on_release=released.set)
    with pytest.raises(InvalidArgumentError, match="delivery"):
        conn.subscribe(print, delivery="later", on_release=released.set)  # type: ignore[call-overload]
    assert conn.stats().subscriptions == {}
    assert conn.close()
    assert not released.is_set


def test_filters_choose_by_event_domain_and_kind(conn: virevents.Connection) -> None:
    other = conn.define(XML)
    with (
        conn.events(domain=conn.lookup("test"), only={"resumed"}) as resumed,
        conn.events(event_id="all") as everything,
        conn.events(event_id={"reboot"}) as reboots,
    ):
        other.start()
        caused(other)
        caused(conn.lookup("test"))
        event = resumed.get(10)
        assert isinstance(event, LifecycleEvent)
        assert (event.domain.name, str(event.event)) == ("test", "resumed")
        assert len([everything.get(10) for _ in range(5)]) == 5
        assert reboots.get(0) is None
        assert resumed.get(0) is None


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_the_hooks_are_called(
    delivery: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    met: list[tuple[DomainEvent, BaseException]] = []
    told, released = Signal("on_error"), Signal("on_release")

    def fail(_: LifecycleEvent) -> None:
        raise SystemExit(3)

    def on_error(event: LifecycleEvent, error: BaseException) -> None:
        met.append((event, error))
        told.set()

    subscription = conn.subscribe(
        fail,
        delivery="direct" if delivery == "direct" else "isolated",
        on_error=on_error,
        on_release=released.set,
    )
    domain.suspend()
    told.wait()
    assert subscription.close()
    assert released.is_set
    assert isinstance(met[0][1], SystemExit)


def test_the_gap_hook_is_called(hypervisor: Hypervisor) -> None:
    gaps: list[Gap] = []
    with virevents.open("fake:///one") as conn:
        conn_events = Signal("the first event after the gap")
        with stopped_loop(hypervisor.driver):
            conn.subscribe(conn_events.set, capacity=1, on_gap=gaps.append)
            for _ in range(3):
                conn.lookup("web1").suspend()
        conn_events.wait()
    assert [(gap.first, gap.last, gap.count) for gap in gaps] == [(1, 2, 2)]


def test_the_same_function_may_be_put_on_many_times(conn: virevents.Connection) -> None:
    met: list[int] = []
    subscriptions = [conn.subscribe(lambda e: met.append(e.sequence)) for _ in range(3)]
    assert len({one.id for one in subscriptions}) == 3
    caused(conn.lookup("test"))
    assert all(one.drain(10) for one in subscriptions)
    assert sorted(met) == [1, 1, 1, 2, 2, 2]


# -- the end


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_silent_after_close(delivery: str, hypervisor: Hypervisor) -> None:
    is_closed = False
    late: list[int] = []

    def note(event: LifecycleEvent) -> None:
        if is_closed:
            late.append(event.sequence)

    with virevents.open("fake:///one") as other:
        for _ in range(20):
            is_closed = False
            conn = virevents.open("fake:///one")
            domain = conn.lookup("web1")
            conn.subscribe(note, delivery="direct" if delivery == "direct" else "isolated")
            changing = Running(lambda domain=domain: _suspend_until_closed(domain))  # type: ignore[misc]
            with other.events() as events:
                assert events.get(10) is not None
            assert conn.close()
            is_closed = True
            changing.result()
            other.lookup("web1").suspend()
    assert late == []


def _suspend_until_closed(domain: virevents.Domain) -> None:
    with contextlib.suppress(ClosedError):
        while True:
            domain.suspend()


def test_close_ends() -> None:
    conn = virevents.open("test:///default")
    answers: list[bool] = []
    all_in = threading.Barrier(3, timeout=20)
    done = [Signal("a callback's close") for _ in range(2)]

    def close_inside(signal: Signal) -> None:
        all_in.wait()  # two callbacks and another thread, all at once
        answers.append(conn.close())
        answers.append(conn.close())
        signal.set()

    for signal in done:
        conn.subscribe(lambda _, signal=signal: close_inside(signal))  # type: ignore[misc]
    conn.lookup("test").suspend()
    all_in.wait()
    assert conn.close()
    for signal in done:
        signal.wait()
    assert answers == [False] * 4  # at most one of them ended while the other ran
    assert conn.close()


def test_close_from_a_direct_callback_ends_elsewhere(hypervisor: Hypervisor) -> None:
    conn = virevents.open("fake:///one")
    answers: list[bool] = []
    closed, released = Signal("close"), Signal("the release hook")

    def direct(_: DomainEvent) -> None:
        assert is_loop_thread()
        answers.extend([conn.close(), conn.close()])
        closed.set()

    conn.subscribe(direct, delivery="direct", on_release=released.set)
    conn.lookup("web1").suspend()
    closed.wait()
    released.wait()
    assert answers == [False, False]
    assert conn.close()
    assert hypervisor.closes == 1


def test_close_from_an_asyncio_callback_and_a_coroutine() -> None:
    async def main() -> None:
        conn = await asyncio.to_thread(virevents.open, "test:///default")
        ended = asyncio.Event()
        answers: list[bool] = []
        conn.subscribe(
            lambda _: answers.append(conn.close()),
            delivery=asyncio.get_running_loop(),
            on_release=ended.set,
        )
        await asyncio.to_thread(conn.lookup("test").suspend)
        await asyncio.wait_for(ended.wait(), 20)
        assert answers == [False]
        assert conn.close() in {True, False}  # a loop thread waits for nobody
        assert await asyncio.to_thread(conn.close)

    asyncio.run(main())


def test_a_second_closer_does_not_say_true_while_a_callback_runs(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    answers: list[bool] = []
    closed, go_on = Signal("the callback's close"), Signal()

    def callback(_: LifecycleEvent) -> None:
        answers.append(conn.close())
        closed.set()
        go_on.wait()

    conn.subscribe(callback)
    domain.suspend()
    closed.wait()
    assert answers == [False]
    assert not conn.close(timeout=0.05)
    second = Running(conn.close)
    go_on.set()
    assert second.result()


def test_who_closes_second_waits_for_the_first(hypervisor: Hypervisor) -> None:
    inside, go_on = Signal("the driver's close"), Signal()

    def hold() -> None:
        inside.set()
        go_on.wait()

    hypervisor.on_close = hold
    conn = virevents.open("fake:///one")
    first = Running(conn.close)
    inside.wait()
    assert not conn.close(timeout=0.01)
    second = Running(conn.close)
    go_on.set()
    assert first.result()
    assert second.result()
    assert hypervisor.closes == 1


def test_the_driver_goes_before_callbacks_are_waited_for(hypervisor: Hypervisor) -> None:
    inside, go_on, closing = Signal("the call"), Signal(), Signal("the driver's close")
    hypervisor.on_close = closing.set

    def callback(_: DomainEvent) -> None:
        inside.set()
        go_on.wait()

    conn = virevents.open("fake:///one")
    conn.subscribe(callback)
    conn.lookup("web1").suspend()
    inside.wait()
    first = Running(conn.close)
    closing.wait()
    assert not first.is_done
    go_on.set()
    assert first.result()


def test_a_stuck_callback_is_named_abandoned_and_released_when_it_returns(
    conn: virevents.Connection, domain: virevents.Domain, caplog: pytest.LogCaptureFixture
) -> None:
    inside, go_on, released = Signal("the call"), Signal(), Signal("the release hook")

    def stuck_for_ever(_: LifecycleEvent) -> None:
        inside.set()
        go_on.wait()

    conn.subscribe(stuck_for_ever, on_release=released.set)
    domain.suspend()
    inside.wait()
    assert conn.stats().running == tuple(conn.stats().subscriptions)
    before = monotonic()
    assert not conn.close(timeout=0.05)
    assert monotonic() - before < 2
    assert "1 callbacks had not returned when it was closed and are abandoned: callback 0" in (
        caplog.text
    )
    assert "stuck_for_ever" in caplog.text
    assert not released.is_set
    go_on.set()
    released.wait()


@pytest.mark.parametrize("name", [*READS, *CHANGES])
def test_refused_when_closed(
    name: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    conn.close()
    assert conn.is_closed
    with pytest.raises(ClosedError, match="the connection to test:///default is closed"):
        {**READS, **CHANGES}[name](conn, domain)


# -- what ends with it


def test_what_was_started_with_autodestroy_ends_before_its_driver(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        conn.lookup("web1").start(autodestroy=True)
        conn.lookup("web1").start()
        assert hypervisor.owned == [conn, None]
    assert hypervisor.owned == [None]
    assert hypervisor.closes == 1


def test_a_domain_created_with_autodestroy_has_its_connection_as_owner(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[object] = []

    def create(*_: object, autodestroy_owner: object) -> DomainIdentity:
        owners.append(autodestroy_owner)
        return WEB1

    with virevents.open("fake:///one") as conn:
        monkeypatch.setattr(hypervisor.driver, "create", create)
        assert conn.create(XML, autodestroy=True).name == "web1"
        conn.create(XML)
        assert owners == [conn, None]


def test_none_outlives(hypervisor: Hypervisor) -> None:
    inside, go_on = Signal("the start"), Signal()

    def hold() -> None:
        inside.set()
        go_on.wait()

    with virevents.open("fake:///one"):  # the driver stays
        conn = virevents.open("fake:///one")
        web1 = conn.lookup("web1")
        hypervisor.on_start = hold
        starting = Running(lambda: web1.start(autodestroy=True))
        inside.wait()
        assert conn.close()  # and only now does the driver hear of the owner
        go_on.set()
        starting.result()
        assert hypervisor.owned == []


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_a_callback_that_closes_lets_its_domains_end_on_a_thread_that_may_wait(
    hypervisor: Hypervisor, delivery: Literal["isolated", "direct"]
) -> None:
    ended = Signal("the end of what was started")
    on_loop: list[bool] = []

    def note() -> None:
        on_loop.append(is_loop_thread())
        ended.set()

    hypervisor.on_destroy_owned = note
    conn = virevents.open("fake:///one")
    conn.lookup("web1").start(autodestroy=True)
    conn.subscribe(lambda _: conn.close(), delivery=delivery)
    conn.lookup("web1").suspend()
    ended.wait()
    assert conn.close()
    assert (on_loop, hypervisor.owned) == ([False], [])


def test_an_asyncio_connection_lets_its_domains_end_off_its_loop(hypervisor: Hypervisor) -> None:
    on_loop: list[bool] = []
    hypervisor.on_destroy_owned = lambda: on_loop.append(is_loop_thread())

    async def main() -> None:
        async with virevents.aio.open("fake:///one") as conn:
            web1 = await conn.lookup("web1")
            await web1.start(autodestroy=True)
            assert len(hypervisor.owned) == 1

    asyncio.run(main())
    assert (on_loop, hypervisor.owned) == ([False], [])


def test_a_domain_that_cannot_be_destroyed_does_not_keep_its_connection_open(
    hypervisor: Hypervisor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError("no such process")

    with virevents.open("fake:///one") as conn:
        conn.lookup("web1").start(autodestroy=True)
        hypervisor.on_destroy_owned = fail
    assert hypervisor.closes == 1
    assert "not all that was to end with <Connection fake:///one closed> was destroyed" in (
        caplog.text
    )


def test_its_words(conn: virevents.Connection) -> None:
    assert repr(conn) == "<Connection test:///default open>"
    conn.close()
    assert repr(conn) == "<Connection test:///default closed>"
    assert Capability.SUSPEND in conn.capabilities


def test_a_hook_that_closes_its_own_subscription_or_connection_waits_for_neither(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    """The hook of a direct callback runs on the thread that closes, here a user's."""
    answers: list[bool] = []

    def hook() -> None:
        assert is_callback_thread()
        answers.extend([first.close(), conn.close()])

    first = conn.subscribe(print, delivery="direct", on_release=hook)
    assert Running(first.close).result(5)
    assert answers == [False, False]  # this very hook has not returned
    assert conn.close()


# -- subscribing while it closes


def test_who_is_on_record_when_it_closes_is_closed_and_released_once(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = virevents.open("fake:///one")
    entered, go_on = Signal("the entry"), Signal()
    released: list[int] = []
    real = hypervisor.driver.state.register

    def held(*arguments: object) -> int:
        entered.set()
        go_on.wait()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(hypervisor.driver.state, "register", held)
    subscribing = Running(lambda: conn.subscribe(print, on_release=lambda: released.append(1)))
    entered.wait()
    closing = Running(conn.close)
    _until(lambda: hypervisor.closes == 1)
    assert not closing.is_done
    go_on.set()
    assert subscribing.result().is_closed
    assert closing.result()
    assert released == [1]


def test_who_is_put_on_while_it_closes_is_taken_off_again(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver lives on: another connection has it."""
    released: list[int] = []
    with virevents.open("fake:///one") as other:
        conn = virevents.open("fake:///one")
        entered, go_on = Signal("the entry"), Signal()
        state = hypervisor.driver.state
        real = state.register

        def held(*arguments: object) -> int:
            entered.set()
            go_on.wait()
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(state, "register", held)
        subscribing = Running(
            lambda: conn.subscribe(print, delivery="direct", on_release=lambda: released.append(1))
        )
        entered.wait()
        conn.begin_close()
        closing = Running(conn.close)
        _until(lambda: conn not in virevents.connection.current_process()._connections.values())
        go_on.set()
        subscribing.result()
        assert closing.result()
        monkeypatch.undo()
        assert released == [1]
        with other.events() as events:
            other.lookup("web1").suspend()
            assert events.get(10) is not None
            assert len(state.registry.callbacks) == 1


def test_who_comes_after_it_began_to_close_is_refused_and_its_hook_never_runs(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = virevents.open("fake:///one")
    released = Signal()
    real = virevents.Connection.reading

    def reading_then_closing(self: virevents.Connection) -> object:
        driver = real(self)
        conn.begin_close()
        return driver

    monkeypatch.setattr(virevents.Connection, "reading", reading_then_closing)
    with pytest.raises(ClosedError):
        conn.subscribe(print, on_release=released.set)
    monkeypatch.undo()
    assert conn.close()
    assert not released.is_set


def test_subscribing_races_with_closing_and_each_is_released_or_refused(
    hypervisor: Hypervisor,
) -> None:
    with virevents.open("fake:///one"):
        for delivery in ("isolated", "direct") * 10:
            conn = virevents.open("fake:///one")
            start = threading.Barrier(5, timeout=20)
            counts = [Running(lambda c=conn, s=start, d=delivery: _subscribe(c, s, d))  # type: ignore[misc]
                      for _ in range(4)]  # fmt: skip
            start.wait()
            assert conn.close()
            for count in counts:
                assert count.result() == 0
        _until(lambda: hypervisor.driver.state.registry.callbacks == ())


def _subscribe(conn: virevents.Connection, start: threading.Barrier, delivery: str) -> int:
    """Subscribe until refused; returns subscriptions minus releases, after the end."""
    balance: list[int] = []
    released: list[Signal] = []
    start.wait()
    with contextlib.suppress(ClosedError):
        while len(balance) < 200:
            signal = Signal("the release hook")
            conn.subscribe(
                print,
                delivery="direct" if delivery == "direct" else "isolated",
                on_release=partial(_count_off, balance, signal),
            )
            balance.append(1)
            released.append(signal)
    conn.close()
    for signal in released:
        signal.wait()
    return sum(balance)


def _count_off(balance: list[int], signal: Signal) -> None:
    balance.append(-1)
    signal.set()


# -- in a forked child


@pytest.mark.parametrize("name", [*READS, *CHANGES])
def test_every_call_is_refused_in_a_forked_child(
    name: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    def child() -> None:
        with pytest.raises(ForkedError, match="was opened before a fork"):
            {**READS, **CHANGES}[name](conn, domain)

    assert in_forked_child(child) == ""


def test_close_in_a_forked_child_takes_no_lock_and_runs_no_hook(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    hooks: list[int] = []
    subscription = conn.subscribe(print, on_release=lambda: hooks.append(1))
    stream = conn.events()

    def child() -> None:
        CheckedLock.acquire = _refuse  # type: ignore[method-assign, assignment]
        assert conn.close()
        assert subscription.close()
        assert subscription.close(wait=False)
        stream.close()
        with pytest.raises(ForkedError):
            subscription.drain(1)
        with pytest.raises(ForkedError):
            stream.get(1)
        assert conn.is_closed
        assert hooks == []

    assert in_forked_child(child) == ""
    domain.suspend()
    assert subscription.drain(10)  # the parent's goes on
    assert stream.get(10) is not None


def _refuse(*_: object) -> NoReturn:
    raise AssertionError("a lock is taken in a forked child")


def test_stats_gathers_what_is_there(conn: virevents.Connection) -> None:
    subscription = conn.subscribe(print)
    stats = conn.stats()
    assert isinstance(stats, ConnectionStats)
    assert list(stats.subscriptions) == [subscription.name]


def _until(is_so: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not is_so():
        assert monotonic() < deadline
        Path("/proc/self/stat").read_bytes()  # gives way to the other threads
