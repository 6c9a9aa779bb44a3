# SPDX-License-Identifier: LGPL-2.1-or-later
"""``EventState``: queue, callbacks and flush timer of one driver."""

import gc
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence

import pytest

from tests.dispatch.fakes import (
    TIMEOUT,
    HandPool,
    Listener,
    ManualLoop,
    resumed,
    suspended,
)
from virevents.dispatch import Callback, DirectDelivery, EventState, Filter, isolated
from virevents.dispatch.state import HAND_OVERS_A_FLUSH
from virevents.errors import ClosedError, OperationTimeoutError
from virevents.model import DomainEvent
from virevents.sync import Gate, Role, in_role


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def state(loop: ManualLoop) -> EventState:
    return EventState(loop, capacity=4)


def _register(state: EventState, listener: Listener) -> Callback:
    state.register(listener.callback)
    return listener.callback


def test_a_push_is_flushed_by_the_loop(state: EventState, loop: ManualLoop) -> None:
    listener = Listener()
    _register(state, listener)
    for _ in range(3):
        state.push(suspended())
    assert listener.events == []
    assert len(loop.asked) == 1  # many pushes, one wake
    loop.turn_until_idle()
    assert listener.sequences == [1, 2, 3]


def test_a_registration_begins_at_the_last_number(state: EventState, loop: ManualLoop) -> None:
    state.push(suspended())
    listener = Listener()
    assert state.register(listener.callback) == 0
    state.push(resumed())
    loop.turn_until_idle()
    assert listener.sequences == [2]


def test_one_flush_beneath_a_callback(state: EventState, loop: ManualLoop) -> None:
    depth, worst = [0], [0]

    def on_event(event: DomainEvent) -> None:
        depth[0] += 1
        worst[0] = max(worst[0], depth[0])
        if event.sequence == 1:
            state.push(resumed())
            state.flush()
        depth[0] -= 1

    listener = Listener(on_event)
    _register(state, listener)
    state.push(suspended())
    state.flush()
    assert (listener.sequences, worst) == ([1], [1])
    loop.turn_until_idle()
    assert (listener.sequences, worst) == ([1, 2], [1])


def test_one_flush_on_many_threads(state: EventState, loop: ManualLoop) -> None:
    inside, worst = [0], [0]

    def on_event(_: DomainEvent) -> None:
        inside[0] += 1
        worst[0] = max(worst[0], inside[0])
        inside[0] -= 1

    listener = Listener(on_event)
    _register(state, listener)

    def push_and_flush() -> None:
        for _ in range(100):
            state.push(suspended())
            state.flush()

    threads = [threading.Thread(target=push_and_flush) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    loop.turn_until_idle()
    assert worst == [1]
    assert listener.sequences == list(range(1, 401))


def test_none_left(state: EventState, loop: ManualLoop) -> None:
    def on_event(event: DomainEvent) -> None:
        if event.sequence < 50:
            state.push(suspended())

    listener = Listener(on_event)
    _register(state, listener)
    state.push(suspended())
    loop.turn_until_idle()
    assert listener.sequences == list(range(1, 51))
    assert len(state.queue) == 0


def test_reschedules_when_it_reaches_its_limit(loop: ManualLoop) -> None:
    state, listeners = EventState(loop), [Listener(), Listener()]
    for listener in listeners:
        _register(state, listener)
    for _ in range(HAND_OVERS_A_FLUSH):
        state.push(suspended())
    loop.turn()
    assert [len(listener.events) for listener in listeners] == [HAND_OVERS_A_FLUSH // 2] * 2
    loop.turn()
    assert [len(listener.events) for listener in listeners] == [HAND_OVERS_A_FLUSH] * 2
    assert loop.turn() == 0


def test_without_direct_callbacks_there_is_one_hand_over_for_all(loop: ManualLoop) -> None:
    state, pool, listener = EventState(loop), HandPool(), Listener()
    state.register(listener.callback, isolated(pool, listener.callback))
    for _ in range(3 * HAND_OVERS_A_FLUSH):
        state.push(suspended())
    loop.turn()
    assert len(state.queue) == 0


def test_reschedules_when_it_raises(state: EventState, loop: ManualLoop) -> None:
    def fail(_callback: Callback, _events: Sequence[DomainEvent], /) -> None:
        state.push(resumed())
        raise KeyError("a driver's dispatch function")

    failing, listener = Listener(), Listener()
    state.register(failing.callback, DirectDelivery(fail))
    state.push(suspended())
    with pytest.raises(KeyError):
        state.flush()
    state.deregister(failing.callback)
    _register(state, listener)
    state.push(suspended())
    loop.turn_until_idle()
    assert listener.sequences == [3]


def test_none_left_when_a_flush_is_asked_for_amid_another(
    state: EventState, loop: ManualLoop
) -> None:
    """The wake is used up beneath a release hook, at the very end of the flush."""
    other, gate = Listener(), Gate("a mark")

    class _Marks(Listener):
        def _on_release(self) -> None:
            state.mark(other.callback, gate)
            loop.turn()  # the flush that this is returns at once: one is under way

    going = _Marks()
    for listener in (going, other):
        _register(state, listener)
    state.deregister_later(going.callback)
    loop.turn()
    before = gate.is_open
    loop.turn_until_idle()
    assert (before, gate.is_open) == (False, True)


def test_reschedules_when_something_was_marked_late(
    state: EventState, loop: ManualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    callback = _register(state, listener)
    genuine = state.registry.purge_marked

    def purge_then_mark() -> int:
        count = genuine()
        monkeypatch.undo()
        state.registry.mark_deleted(callback)
        return count

    monkeypatch.setattr(state.registry, "purge_marked", purge_then_mark)
    state.flush()
    assert listener.releases == 0
    loop.turn_until_idle()
    assert listener.releases == 1


def test_deregistered_now(state: EventState, loop: ManualLoop) -> None:
    listener = Listener()
    callback = _register(state, listener)
    state.push(suspended())
    state.deregister(callback)
    state.deregister(callback)
    loop.turn_until_idle()
    assert listener.told == ["released"]


def test_deregistered_later_takes_no_lock(state: EventState, loop: ManualLoop) -> None:
    listener = Listener()
    callback = _register(state, listener)
    state.push(suspended())
    with state.registry._lock, state.queue._lock:
        state.deregister_later(callback)
    assert loop.wakers[0].nudges == 1
    assert listener.releases == 0
    loop.turn_until_idle()
    assert listener.told == ["released"]


def test_room_is_there(state: EventState) -> None:
    state.make_room(0.0)


def test_a_full_queue_makes_a_caller_wait_for_the_flush(
    state: EventState, loop: ManualLoop
) -> None:
    for _ in range(4):
        state.push(suspended())
    with pytest.raises(OperationTimeoutError, match="the event queue was full for 0 s"):
        state.make_room(0.0)
    through = threading.Event()

    def modify() -> None:
        state.make_room(TIMEOUT)
        through.set()

    caller = threading.Thread(target=modify)
    caller.start()
    while not through.is_set():
        loop.turn()
    caller.join(TIMEOUT)
    assert len(state.queue) == 0


def test_a_full_queue_is_flushed_by_the_loop_thread_itself(state: EventState) -> None:
    listener = Listener()
    _register(state, listener)
    for _ in range(4):
        state.push(suspended())
    with in_role(Role.LOOP, "tested loop"):
        state.make_room(0.0)
    assert listener.sequences == [1, 2, 3, 4]


def test_a_mark_opens_after_the_delivery(state: EventState, loop: ManualLoop) -> None:
    pool, listener = HandPool(), Listener()
    state.register(listener.callback, isolated(pool, listener.callback))
    state.push(suspended())
    gate = Gate("one event")
    state.mark(listener.callback, gate)
    loop.turn_until_idle()
    before = gate.is_open
    pool.run_all()
    assert (before, gate.is_open) == (False, True)
    assert listener.sequences == [1]


def test_a_mark_waits_for_a_flush_that_reached_its_limit(loop: ManualLoop) -> None:
    state, listener = EventState(loop), Listener()
    callback = _register(state, listener)
    for _ in range(HAND_OVERS_A_FLUSH + 1):
        state.push(suspended())
    gate = Gate("all of them")
    state.mark(callback, gate)
    loop.turn()
    before = gate.is_open
    loop.turn()
    assert (before, gate.is_open) == (False, True)


def test_a_mark_of_a_closed_or_unlisted_callback_opens(state: EventState, loop: ManualLoop) -> None:
    closed, unlisted = Listener(), Listener()
    closed.callback.is_closed = True
    state.register(closed.callback, isolated(HandPool(), closed.callback))
    gates = [Gate("closed"), Gate("unlisted")]
    state.mark(closed.callback, gates[0])
    state.mark(unlisted.callback, gates[1])
    loop.turn_until_idle()
    assert [gate.is_open for gate in gates] == [True, True]


def test_silent_when_closed(state: EventState, loop: ManualLoop) -> None:
    listener = Listener()
    _register(state, listener)
    state.push(suspended())
    state.close()
    assert loop.wakers[0].function is None
    state.queue.drain = pytest.fail  # type: ignore[method-assign,assignment]
    state.flush()
    loop.turn_until_idle()
    assert listener.told == ["released"]


def test_silent_when_closed_by_a_callback_amid_a_flush(state: EventState, loop: ManualLoop) -> None:
    first, second = Listener(on_event=lambda _: state.close()), Listener()
    for listener in (first, second):
        _register(state, listener)
    state.push(suspended())
    state.push(suspended())
    loop.turn_until_idle()
    assert (first.sequences, second.sequences) == ([1], [])
    assert (first.releases, second.releases) == (1, 1)


def test_waits_to_be_heard(state: EventState, loop: ManualLoop) -> None:
    """What waits runs once, and what it pushes reaches the callback that it waited for."""
    told: list[str] = []

    def tell() -> None:
        told.append("told")
        state.push(suspended())

    state.when_heard(tell)
    loop.turn_until_idle()
    assert told == []
    first, second = Listener(), Listener()
    _register(state, first)
    _register(state, second)
    loop.turn_until_idle()
    assert told == ["told"]
    assert (first.sequences, second.sequences) == ([1], [])
    state.when_heard(tell)  # somebody listens already
    loop.turn_until_idle()
    assert told == ["told", "told"]
    assert (first.sequences, second.sequences) == ([1, 2], [2])


def test_waits_to_be_heard_once_when_another_thread_was_faster(state: EventState) -> None:
    told: list[str] = []

    class Emptied(deque[object]):
        """Another thread takes what is there between the look and the step."""

        def popleft(self) -> object:
            self.clear()
            return super().popleft()

    state._unheard = Emptied([object()])  # type: ignore[misc,assignment]
    _register(state, Listener())
    assert told == []
    assert not state._unheard


def test_closing_is_idempotent_and_refuses_events_and_callbacks(state: EventState) -> None:
    state.close()
    state.close()
    with pytest.raises(ClosedError):
        state.push(suspended())
    with pytest.raises(ClosedError):
        state.register(Listener().callback)
    gate = Gate("a mark after the end")
    state.mark(Listener().callback, gate)
    assert gate.is_open
    state.make_room(0.0)


def test_closing_opens_every_mark(state: EventState) -> None:
    gates = [Gate("one"), Gate("two")]
    for gate in gates:
        state.mark(Listener().callback, gate)
    state.close()
    assert [gate.is_open for gate in gates] == [True, True]


def test_a_mark_that_was_put_back_during_the_close_opens(
    loop: ManualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush holds a mark in its hands while another thread closes."""
    state = EventState(loop)
    gate = Gate("a mark")
    state.push(suspended())
    state.mark(Listener().callback, gate)
    genuine = state._take_marks

    def take_then_close() -> Sequence[tuple[int, Callback, Gate]]:
        monkeypatch.undo()
        taken = genuine()
        state.close()
        return taken

    monkeypatch.setattr(state, "_take_marks", take_then_close)
    monkeypatch.setattr(type(state.queue), "__len__", lambda _: 1)  # not flushed yet, for the mark
    state._pass_marks()
    assert gate.is_open


def test_marks_may_be_taken_by_two_threads(
    state: EventState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one empties the line between the look and the pop."""

    class _LooksFull(list[tuple[int, Callback, Gate]]):
        def __bool__(self) -> bool:
            return True

        def popleft(self) -> tuple[int, Callback, Gate]:
            return self.pop(0)

    gate = Gate("a mark")
    monkeypatch.setattr(state, "_marks", _LooksFull([(0, Listener().callback, gate)]))
    state.close()
    assert gate.is_open


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Whatever goes, goes because nobody refers to it."""
    gc.disable()
    yield
    gc.enable()


class _Function:
    def __call__(self, event: DomainEvent) -> None:
        """A user's function that can be watched for its end."""


def test_closing_frees_every_event_and_function(state: EventState, no_collector: None) -> None:
    function, events = _Function(), [suspended() for _ in range(3)]
    watched: list[weakref.ref[object]] = [weakref.ref(one) for one in (function, *events)]
    callback = Callback(function, Filter())
    state.register(callback)
    for event in events:
        state.push(event)
    del function, event
    events.clear()
    assert all(reference() is not None for reference in watched)
    state.close()
    assert [reference() for reference in watched] == [None] * 4


def test_what_was_dispatched_is_held_by_nobody(
    state: EventState, loop: ManualLoop, no_collector: None
) -> None:
    state.register(Callback(_Function(), Filter()))
    event = suspended()
    watched = weakref.ref(event)
    state.push(event)
    del event
    loop.turn_until_idle()
    assert watched() is None
