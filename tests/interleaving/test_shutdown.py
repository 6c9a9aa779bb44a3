# SPDX-License-Identifier: LGPL-2.1-or-later
"""C11: ``close`` ends from any state, and what comes after it comes to nothing."""

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import Listener, event, isolate, make_pool, make_state
from virevents.dispatch import Callback, CallbackRegistry, EventState, Pool
from virevents.errors import ClosedError
from virevents.sync import Gate
from virevents.testing.schedules import Run, Scenario


def close_against_push(run: Run) -> None:
    state = make_state(run)
    listener = Listener(lambda _: run.switch("is in the callback"))
    state.register(listener.callback)

    def push() -> None:
        try:
            state.push(event())
        except ClosedError:
            run.switch("was refused")

    def close() -> None:
        state.close()
        assert listener.callback.released.wait(None)
        listener.must_not_run = True
        state.close()

    run.thread(push)
    run.thread(close)

    def check() -> None:
        assert listener.releases == 1
        assert len(state.queue) == 0
        assert state.registry.callbacks == ()

    run.finally_(check)


def test_c11_nothing_is_dispatched_after_close(exhausts: Exhausts) -> None:
    exhausts(close_against_push)


def test_c11_planted_close_that_forgets_the_calls_in_flight(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Callback, "end", Callback._release)
    shows(close_against_push)


def test_c11_planted_close_that_leaves_the_queue_open(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(state: EventState) -> None:
        state._is_closed = True
        state._waker.close()
        state.registry.close()

    monkeypatch.setattr(EventState, "close", close)
    shows(close_against_push)


def close_against_register(run: Run) -> None:
    state = make_state(run)
    listener = Listener()

    def register() -> None:
        try:
            state.register(listener.callback)
        except ClosedError:
            listener.callback.end()

    run.thread(register)
    run.thread(state.close)

    def check() -> None:
        assert listener.releases == 1
        assert state.registry.callbacks == ()

    run.finally_(check)


def test_c11_a_registration_is_refused_or_ended(exhausts: Exhausts) -> None:
    exhausts(close_against_register)


def test_c11_planted_close_that_refuses_after_it_has_emptied(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(registry: CallbackRegistry) -> None:
        registry._remove_if(lambda _: True, is_closing=True)
        with registry._lock:
            registry._is_closed = True

    monkeypatch.setattr(CallbackRegistry, "close", close)
    shows(close_against_register)


def close_against_drain(run: Run) -> None:
    """Whoever waits for a delivery when the state closes is let go."""
    state = make_state(run)
    listener = Listener()
    state.register(listener.callback)

    def drain() -> None:
        delivered = Gate("the delivery")
        state.mark(listener.callback, delivered)
        assert delivered.wait(5.0), "nobody opened it"

    run.thread(drain)
    run.thread(state.close)


def test_c11_a_drain_ends_when_the_state_closes(exhausts: Exhausts) -> None:
    exhausts(close_against_drain)


def test_c11_planted_mark_without_a_second_look(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark(state: EventState, callback: Callback, gate: Gate) -> None:
        state._marks.append((state.queue.last_sequence, callback, gate))
        state._waker()

    monkeypatch.setattr(EventState, "mark", mark)
    shows(close_against_drain)


def stop_the_pool(run: Run) -> None:
    """What was made ready is run, and every worker ends."""
    pool = make_pool(core=2)
    listener = Listener()
    put = isolate(listener, pool)

    def flush_and_stop() -> None:
        put(1)
        assert pool.stop().wait(5.0), "a worker has not ended"
        assert listener.sequences == [1]
        assert pool.workers == 0

    run.thread(flush_and_stop)


def stop_twice(run: Run) -> None:
    pool = make_pool(core=1)
    isolate(Listener(), pool)(1)

    def stop() -> None:
        assert pool.stop().wait(5.0), "a worker has not ended"
        assert pool.workers == 0

    run.thread(stop, name="first")
    run.thread(stop, name="second")


def stop_two_workers(run: Run) -> None:
    pool = make_pool(core=2)
    for listener in (Listener(), Listener()):
        isolate(listener, pool)(1)

    def stop() -> None:
        assert pool.stop().wait(5.0), "a worker has not ended"
        assert pool.workers == 0

    run.thread(stop)


def ready_against_stop(run: Run) -> None:
    pool = make_pool(core=1)
    listener = Listener()
    put = isolate(listener, pool)

    def stop() -> None:
        assert pool.stop().wait(5.0), "a worker has not ended"

    run.thread(put, 1, name="flush")
    run.thread(stop)

    def check() -> None:
        assert listener.sequences == [1]
        assert pool.workers == 0

    run.finally_(check)


@pytest.mark.parametrize(
    "scenario", [stop_the_pool, stop_twice, stop_two_workers, ready_against_stop]
)
def test_c11_a_pool_ends(scenario: Scenario, exhausts: Exhausts) -> None:
    exhausts(scenario)


def test_c11_planted_stop_that_rings_once(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(pool: Pool) -> Gate:
        with pool._lock:
            pool._is_stopping = True
            is_over = pool._workers == 0
        pool._bell.ring()
        if is_over:
            pool._end()
        return pool._ended

    monkeypatch.setattr(Pool, "stop", stop)
    shows(stop_two_workers)


def test_c11_planted_stop_that_drops_what_is_ready(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Pool.stop

    def stop_and_drop(pool: Pool) -> Gate:
        with pool._lock:
            pool._ready.clear()
        return stop(pool)

    monkeypatch.setattr(Pool, "stop", stop_and_drop)
    shows(ready_against_stop)
