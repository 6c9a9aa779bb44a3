# SPDX-License-Identifier: LGPL-2.1-or-later
"""C2, C7 and C8: nothing is held, anything may be called, and nobody waits for a blocked one."""

from collections.abc import Callable

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import (
    Listener,
    event,
    isolate,
    make_pool,
    make_state,
    numbered,
)
from virevents.connection import Subscription
from virevents.dispatch import Callback, CallbackRegistry, EventQueue, EventState, Pool, Runnable
from virevents.errors import LockOrderError, WouldBlockError
from virevents.sync import DRIVER, Gate, RankedLock, primitives
from virevents.testing.schedules import Run


def flush_against_deregister(run: Run) -> None:
    state = make_state(run)
    listener = Listener()
    state.register(listener.callback)
    run.thread(state.push, event(), name="pusher")
    run.thread(state.deregister, listener.callback, name="closer")

    def check() -> None:
        assert listener.releases == 1

    run.finally_(check)


def test_c2_callback_and_hook_run_with_nothing_held(exhausts: Exhausts) -> None:
    exhausts(flush_against_deregister)


def test_c2_planted_hook_under_the_registry_lock(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(registry: CallbackRegistry, callback_id: int) -> bool:
        with registry._lock:
            gone = registry._take_locked(lambda c: c.id == callback_id)
            for callback in gone:
                callback.end()
        return bool(gone)

    monkeypatch.setattr(CallbackRegistry, "remove", remove)
    found = shows(flush_against_deregister)
    assert isinstance(found.__cause__, LockOrderError)
    assert "the registry lock" in str(found.__cause__)


def test_c2_planted_flush_under_the_driver_lock(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush_once = EventState._flush_once

    def flush_locked(state: EventState) -> None:
        with RankedLock(DRIVER):
            flush_once(state)

    monkeypatch.setattr(EventState, "_flush_once", flush_locked)
    assert "the driver lock" in str(shows(flush_against_deregister).__cause__)


def calls_anything(run: Run) -> None:
    """An isolated callback pushes, subscribes, and closes itself, while another thread pushes."""
    state = make_state(run)
    pool = make_pool(run=None)
    second = Listener()
    subscriptions: list[Subscription] = []

    def on_event(_: object) -> None:
        assert not subscriptions[0].close(), "it is running: close() cannot be done"
        state.register(second.callback)
        state.push(event())

    first = Listener(on_event)
    isolate(first, pool)
    strand = first.callback.delivery
    first.callback.delivery = None
    state.register(first.callback, strand)
    subscriptions.append(Subscription(state, first.callback))
    run.thread(state.push, event(), name="pusher")

    def check() -> None:
        assert (first.sequences, first.releases) == ([1], 1)
        assert second.sequences == [2]

    run.finally_(check)


def test_c7_an_isolated_callback_calls_anything(exhausts: Exhausts) -> None:
    exhausts(calls_anything)


def test_c7_planted_strand_run_under_the_pools_lock(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_strand = Pool._run

    def run_locked(pool: Pool, strand: Runnable) -> None:
        with pool._lock:
            run_strand(pool, strand)

    monkeypatch.setattr(Pool, "_run", run_locked)
    shows(calls_anything)


def waits_on_the_loop(run: Run) -> None:
    """A direct callback waits for another's end: an error before anything is done, no deadlock."""
    state = make_state(run)
    errors: list[BaseException] = []

    def on_event(_: object) -> None:
        try:
            Gate("an answer that this very loop brings").wait(None)
        except (WouldBlockError, LockOrderError) as error:
            errors.append(error)

    listener = Listener(on_event)
    state.register(listener.callback)
    run.thread(state.push, event(), name="first")
    run.thread(state.push, event(), name="second")

    def check() -> None:
        assert len(errors) == 2
        assert listener.sequences == [1, 2]

    run.finally_(check)


def test_c7_a_wait_on_the_loop_thread_is_refused(exhausts: Exhausts) -> None:
    exhausts(waits_on_the_loop)


def test_c7_planted_gate_that_asks_nothing(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "wait", lambda gate, timeout: gate._event.wait(timeout))
    assert "deadlock" in shows(waits_on_the_loop).reason


def one_blocks_for_ever(run: Run) -> None:
    """One worker, one callback that never returns; the other subscriber gets its event."""
    pool = make_pool(core=1, run=run)
    never = primitives().make_doorbell("the end of time")
    blocked = Listener(lambda _: never.wait())
    other = Listener()
    puts: list[Callable[[int], None]] = [isolate(blocked, pool), isolate(other, pool)]

    def flush() -> None:
        for put in puts:
            put(1)

    run.thread(flush)

    def check() -> None:
        assert other.sequences == [1]

    run.finally_(check)


def test_c8_a_blocked_callback_delays_nobody(exhausts: Exhausts) -> None:
    exhausts(one_blocks_for_ever)


def test_c8_planted_pool_that_does_not_grow(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "_watch_later", lambda _: None)
    shows(one_blocks_for_ever)


def test_c8_planted_watch_that_looks_once(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    # It sees that one was taken, is content, and forgets that it must look again.
    watch = Pool._watch

    def watch_once(pool: Pool) -> None:
        with pool._lock:
            is_stuck = pool._taken == pool._seen_taken
        if is_stuck:
            watch(pool)

    monkeypatch.setattr(Pool, "_watch", watch_once)
    shows(one_blocks_for_ever)


def one_raises(run: Run) -> None:
    registry = CallbackRegistry()
    queue = EventQueue(10, lambda: None)

    def fail(_: object) -> None:
        raise SystemExit(3)

    raising = Callback(fail, Listener().callback.wanted, name="raising")
    other = Listener()
    for callback in (raising, other.callback):
        registry.add(callback)
        callback.since = 0
    queue._events.extend(numbered(1))

    def dispatch() -> None:
        for one in queue.drain():
            for callback in registry.callbacks:
                assert callback.delivery is not None
                callback.delivery(callback, [one])

    run.thread(dispatch, name="first")
    run.thread(dispatch, name="second")

    def check() -> None:
        assert (raising.errors, other.sequences) == (1, [1])

    run.finally_(check)


def test_c8_a_raising_callback_stops_nobody(exhausts: Exhausts) -> None:
    exhausts(one_raises)


def test_c8_planted_call_that_lets_exceptions_through(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_bare(callback: Callback, events: list[object]) -> None:
        for one in events:
            callback._function(one)  # type: ignore[misc, arg-type]

    monkeypatch.setattr(Callback, "run", run_bare)
    assert isinstance(shows(one_raises).__cause__, SystemExit)
