# SPDX-License-Identifier: LGPL-2.1-or-later
"""C4: an event after the registration is delivered once, an earlier one never."""

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import Listener, event, isolate, make_pool, make_state
from virevents.dispatch import (
    Callback,
    CallbackRegistry,
    Delivery,
    DirectDelivery,
    EventQueue,
    EventState,
    Starting,
    Strand,
    dispatch_batch,
)
from virevents.loop import AsyncioLoop
from virevents.sync import Gate
from virevents.testing.schedules import Run, start_loop


def register_against_push(run: Run) -> None:
    state = make_state(run)
    listener = Listener()
    pushed: list[int] = []  # those whose push has returned
    never: list[int] = []
    always: list[int] = []
    is_registered: list[bool] = []

    def push_twice() -> None:
        for number in (1, 2):
            always.extend([number] if is_registered else [])
            state.push(event())
            pushed.append(number)

    def subscribe() -> None:
        never.extend(pushed)
        state.register(listener.callback)
        is_registered.append(True)

    run.thread(push_twice)
    run.thread(subscribe)

    def check() -> None:
        # What was pushed meanwhile may fall on either side; but there is one side, not two.
        assert listener.sequences in ([1, 2], [2], [])
        assert set(always) <= set(listener.sequences)
        assert not set(never) & set(listener.sequences)
        assert listener.callback.since <= 2

    run.finally_(check)


def test_c4_register_against_push(exhausts: Exhausts) -> None:
    exhausts(register_against_push)


def test_c4_planted_snapshot_before_the_drain(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush_once(state: EventState) -> None:
        snapshot = state.registry.callbacks
        events = state.queue.drain()
        registry = CallbackRegistry()
        registry._callbacks = snapshot
        dispatch_batch(events, registry)

    monkeypatch.setattr(EventState, "_flush_once", flush_once)
    shows(register_against_push)


def register_and_read(run: Run) -> None:
    """The stricter form: it gets what is numbered above the number that it begins at."""
    state = make_state(run)
    listener = Listener()
    run.thread(state.push, event(), name="pusher")
    run.thread(state.register, listener.callback, name="subscriber")

    def check() -> None:
        since = listener.callback.since
        assert listener.sequences == list(range(since + 1, 2))

    run.finally_(check)


def test_c4_register_begins_at_its_number(exhausts: Exhausts) -> None:
    exhausts(register_and_read)


def test_c4_planted_last_number_read_before_it_is_listed(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(
        registry: CallbackRegistry, callback: Callback, delivery: Delivery | None = None
    ) -> int:
        callback.delivery = delivery or DirectDelivery()
        callback.id = 0
        with registry._lock:
            registry._start(callback)
            registry._publish_locked((*registry._callbacks, callback))
        return callback.id

    monkeypatch.setattr(CallbackRegistry, "add", add)
    shows(register_and_read)


def test_c4_planted_number_stored_outside_the_queues_lock(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault that this exploration found: a push and a flush fit between the two steps."""

    def start(queue: EventQueue, starting: Starting) -> None:
        starting.since = queue.last_sequence

    monkeypatch.setattr(EventQueue, "start", start)
    shows(register_and_read)


def push_while_the_loop_turns(run: Run) -> None:
    state = make_state(run)
    listener = Listener()
    state.register(listener.callback)
    run.thread(state.push, event(), name="first")
    run.thread(state.push, event(), name="second")

    def check() -> None:
        assert listener.sequences == [1, 2]

    run.finally_(check)


def test_c4_no_wake_is_lost(exhausts: Exhausts) -> None:
    exhausts(push_while_the_loop_turns)


def test_c4_planted_pending_cleared_after_the_drain(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_wake(loop: AsyncioLoop) -> None:
        loop._descriptor.clear()
        with loop._lock:
            asked, loop._asked = loop._asked, []
        for waker in asked:
            waker.run()
            waker.is_pending = False
        with loop._lock:
            loop._is_wake_pending = False

    monkeypatch.setattr(AsyncioLoop, "_on_wake", on_wake)
    shows(push_while_the_loop_turns)


def two_calls(run: Run) -> None:
    loop = start_loop(run)
    run_calls: list[str] = []
    run.thread(loop.call, lambda: run_calls.append("first"), name="first")
    run.thread(loop.call, lambda: run_calls.append("second"), name="second")

    def check() -> None:
        assert sorted(run_calls) == ["first", "second"]

    run.finally_(check)


def test_c4_no_call_is_lost(exhausts: Exhausts) -> None:
    exhausts(two_calls)


def test_c4_planted_descriptor_cleared_after_the_flag(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_wake(loop: AsyncioLoop) -> None:
        with loop._lock:
            loop._is_wake_pending = False
            calls, loop._calls = loop._calls, []
        loop._descriptor.clear()
        for function in calls:
            function()

    monkeypatch.setattr(AsyncioLoop, "_on_wake", on_wake)
    shows(two_calls)


def drain(run: Run) -> None:
    """``drain`` delivers what was pushed before it."""
    state = make_state(run)
    pool = make_pool()
    listener = Listener()
    isolate(listener, pool)
    strand = listener.callback.delivery
    listener.callback.delivery = None
    state.register(listener.callback, strand)

    def push_and_drain() -> None:
        state.push(event())
        delivered = Gate("the delivery")
        state.mark(listener.callback, delivered)
        assert delivered.wait(5.0), "the mark was lost"
        assert listener.sequences == [1]

    run.thread(push_and_drain)


def test_c4_drain_delivers_what_was_pushed(exhausts: Exhausts) -> None:
    exhausts(drain)


def test_c4_planted_mark_that_overtakes(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Strand, "mark", Delivery.mark)
    shows(drain)


def close_discards(run: Run) -> None:
    """After ``close`` nothing that it has not begun is begun."""
    pool = make_pool()
    listener = Listener()
    put = isolate(listener, pool)

    def close() -> None:
        listener.callback.is_closed = True
        begun_before = list(listener.sequences)
        assert listener.callback.delivery is not None
        listener.callback.delivery.end(listener.callback)
        assert listener.callback.released.wait(None)
        assert len(listener.sequences) <= len(begun_before) + 1

    def flush() -> None:
        put(1)
        put(2)

    run.thread(flush)
    run.thread(close)


def test_c4_close_discards_what_it_has_not_begun(exhausts: Exhausts) -> None:
    exhausts(close_discards)


def test_c4_planted_close_that_delivers_the_rest(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(callback: Callback) -> bool:
        with callback._lock:
            callback._in_flight += 1
        return True

    def run_all(callback: Callback, events: list[object]) -> None:
        for one in events:
            callback._function(one)  # type: ignore[misc, arg-type]

    monkeypatch.setattr(Callback, "begin", begin)
    monkeypatch.setattr(Callback, "run", run_all)
    monkeypatch.setattr(Strand, "end", lambda strand, _: _end_undiscarded(strand))
    shows(close_discards)


def _end_undiscarded(strand: Strand) -> None:
    if strand._mailbox.end(is_discarding=False):
        strand._pool.ready(strand)
