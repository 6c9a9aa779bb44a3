# SPDX-License-Identifier: LGPL-2.1-or-later
"""C5 and C6: after ``close`` nothing runs; the release hook runs once, after the last call."""

from collections.abc import Callable, Sequence
from typing import cast

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import Listener, isolate, make_pool, make_state, numbered
from virevents.connection import Subscription
from virevents.connection import subscription as subscription_module
from virevents.dispatch import Callback, CallbackRegistry, EventState, Strand, dispatch_event
from virevents.loop import Loop
from virevents.model import DomainEvent
from virevents.testing import DeadlockError
from virevents.testing.schedules import Run


def deregister_isolated(run: Run) -> None:
    state = make_state(run)
    pool = make_pool()
    listener = Listener(lambda _: run.switch("is in the callback"))
    put = isolate(listener, pool)
    strand = listener.callback.delivery
    listener.callback.delivery = None
    state.register(listener.callback, strand)

    def close() -> None:
        assert Subscription(state, listener.callback).close()
        listener.must_not_run = True
        assert listener.releases == 1

    run.thread(put, 1, name="flush")
    run.thread(close)


def deregister_direct(run: Run) -> None:
    registry = CallbackRegistry()
    listener = Listener(lambda _: run.switch("is in the callback"))
    registry.add(listener.callback)
    listener.callback.since = 0
    [event] = numbered(1)

    def close() -> None:
        listener.callback.is_closed = True
        registry.remove(listener.callback.id)
        assert listener.callback.released.wait(None)
        listener.must_not_run = True
        assert listener.releases == 1

    run.thread(dispatch_event, event, registry, name="flush")
    run.thread(close)


def test_c5_close_of_an_isolated_callback(exhausts: Exhausts) -> None:
    exhausts(deregister_isolated)


def test_c5_close_of_a_direct_callback(exhausts: Exhausts) -> None:
    exhausts(deregister_direct)


def _is_last_whatever_runs(callback: Callback) -> bool:
    if not callback._is_ending or callback._is_released:
        return False
    callback._is_released = True
    return True


def test_c5_planted_close_that_does_not_wait(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Callback, "_is_last_locked", _is_last_whatever_runs)
    shows(deregister_direct)


def test_c5_planted_isolated_close_that_does_not_wait(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_module, "wait_for_end", lambda *_: True)
    shows(deregister_isolated)


def test_c5_planted_call_that_begins_after_the_look(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The callback is counted in only after it was found open: libvirt's own old fault.
    taken: list[Callable[[DomainEvent], object]] = []

    def begin(callback: Callback) -> bool:
        is_open = not callback.is_closed
        taken[:] = [callback._function] if callback._function else []
        with callback._lock:
            callback._in_flight += 1
        return is_open

    def run_all(_: Callback, events: Sequence[DomainEvent]) -> None:
        for event in events:
            taken[0](event)

    monkeypatch.setattr(Callback, "begin", begin)
    monkeypatch.setattr(Callback, "run", run_all)
    shows(deregister_direct)


def two_dispatchers(run: Run) -> None:
    """Two threads dispatch to one direct callback, as drivers of 2008's shape may."""
    registry = CallbackRegistry()
    calls: list[int] = []
    released: list[int] = []

    def function(_: object) -> None:
        calls.append(1)
        run.switch("is in the callback")
        calls.pop()

    listener = Listener()
    wanted, hooks = listener.callback.wanted, listener.callback._hooks
    callback = Callback(function, wanted, hooks=hooks, name="shared")
    registry.add(callback)
    callback.since = 0
    events = numbered(1, 2)

    def close() -> None:
        callback.is_closed = True
        registry.remove(callback.id)
        assert callback.released.wait(None)
        released.append(1)
        assert calls == [], "released while a call was in flight"

    run.thread(dispatch_event, events[0], registry, name="first")
    run.thread(dispatch_event, events[1], registry, name="second")
    run.thread(close)
    run.finally_(lambda: _expect(listener.releases, 1))


def _expect(met: object, wanted: object) -> None:
    assert met == wanted


def test_c5_two_calls_in_flight(exhausts: Exhausts) -> None:
    exhausts(two_dispatchers)


def test_c5_planted_flag_where_a_count_is_needed(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(callback: Callback) -> None:
        with callback._lock:
            callback._in_flight = 0
            is_last = callback._is_last_locked()
        if is_last:
            callback._release()

    monkeypatch.setattr(Callback, "finish", finish)
    shows(two_dispatchers)


def two_that_close_each_other(run: Run) -> None:
    state = make_state(run)
    pool = make_pool(core=2)
    subscriptions: list[Subscription] = []
    outcomes: list[bool] = []

    def close_other(number: int) -> None:
        run.switch("is in the callback")
        outcomes.append(subscriptions[number].close())

    first = Listener(lambda _: close_other(1))
    second = Listener(lambda _: close_other(0))
    puts = []
    for listener in (first, second):
        puts.append(isolate(listener, pool))
        strand = listener.callback.delivery
        listener.callback.delivery = None
        state.register(listener.callback, strand)
        subscriptions.append(Subscription(state, listener.callback))

    for put in puts:  # both are ready, and each has a worker, when the schedule begins
        put(1)

    def check() -> None:
        assert len(outcomes) in {1, 2}
        # Whoever was closed is released, nobody hangs.
        for listener in (first, second):
            assert listener.releases == int(listener.callback.is_closed)

    run.finally_(check)


def test_c5_two_callbacks_close_each_other(exhausts: Exhausts) -> None:
    exhausts(two_that_close_each_other)


def test_c5_planted_worker_that_waits(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_module, "is_callback_thread", lambda: False)
    assert isinstance(shows(two_that_close_each_other), DeadlockError)


def released_by_many(run: Run) -> None:
    """The flush's purge, a deregistration and the state's close, all at once."""
    state = EventState(cast("Loop", _NoLoop()))
    listener = Listener()
    state.register(listener.callback)
    listener.callback.since = 0

    def mark_and_purge() -> None:
        state.deregister_later(listener.callback)
        state.flush()

    run.thread(mark_and_purge)
    run.thread(state.deregister, listener.callback, name="deregister")
    run.thread(state.close)
    run.finally_(lambda: _expect((listener.releases, listener.ends), (1, 1)))


class _NoLoop:
    """A loop that never runs anything: the scenario flushes itself."""

    name = "no loop"

    def make_waker(self, function: object) -> "_NoLoop":
        return self

    def __call__(self) -> None:
        pass

    def nudge(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_c6_released_once_whoever_ends_it(exhausts: Exhausts) -> None:
    exhausts(released_by_many)


def test_c6_planted_release_that_looks_before_it_locks(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(callback: Callback) -> None:
        is_released = callback._is_released
        with callback._lock:
            callback._is_ending = True
            is_last = not callback._in_flight
            callback._is_released = is_last
        if is_last and not is_released:
            callback._release()

    monkeypatch.setattr(Callback, "end", end)
    monkeypatch.setattr(
        CallbackRegistry,
        "_take_locked",
        lambda registry, must_go: [c for c in registry._callbacks if must_go(c)],
    )
    shows(released_by_many)


def last_item(run: Run) -> None:
    """The release hook is the strand's last item: it never overtakes a call."""
    pool = make_pool(core=2)
    listener = Listener(lambda _: run.switch("is in the callback"))
    put = isolate(listener, pool)

    def end() -> None:
        assert listener.callback.delivery is not None
        listener.callback.delivery.end(listener.callback)

    run.thread(put, 1, name="flush")
    run.thread(end)
    run.finally_(lambda: _expect(listener.releases, 1))


def test_c6_the_release_hook_is_the_last_item(exhausts: Exhausts) -> None:
    exhausts(last_item)


def test_c6_planted_release_on_the_closing_thread(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(strand: Strand, callback: Callback) -> None:
        strand._mailbox.end(is_discarding=callback.is_closed)
        callback._release()

    monkeypatch.setattr(Strand, "end", end)
    shows(last_item)
