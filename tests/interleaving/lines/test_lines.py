# SPDX-License-Identifier: LGPL-2.1-or-later
"""The contract's items at the granularity of a line, by interleave-test: each line is a step.

What our own explorer cannot see, a race between two reads and writes without a lock, this one
does; the models are smaller for it. Python 3.12 or newer (``script/interleave``).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import interleave_test
import pytest

import virevents.dispatch
from tests.interleaving.stage import Listener, Shelf, event, numbered
from virevents.dispatch import (
    Callback,
    CallbackRegistry,
    EventQueue,
    EventState,
    Filter,
    Mailbox,
    dispatch_batch,
    dispatch_event,
    dispatch_queue,
)
from virevents.errors import ClosedError, LockOrderError
from virevents.loop import Loop
from virevents.model import DomainEvent

pytestmark = [pytest.mark.interleave, pytest.mark.timeout(300)]

_DISPATCH = Path(virevents.dispatch.__file__).parent

Model = Callable[[], object]


def traced(*modules: str) -> list[str]:
    """The files whose lines are steps: modules of dispatch, and the stage, for its callback."""
    stage = str(Path(__file__).parents[1] / "stage.py")
    return [stage if name == "stage" else str(_DISPATCH / f"{name}.py") for name in modules]


def exhaust(model: Model, *modules: str) -> None:
    """Run *model* under every schedule to two preemptions; each line of *modules* is a step."""
    result = interleave_test.explore(
        model,
        strategy="dfs",
        granularity="line",
        iterations=200_000,
        max_preemptions=2,
        include=traced(*modules),
    )
    assert result.exhausted


def shows(model: Model, *modules: str) -> None:
    """Find the planted fault, and see it again by its schedule."""
    include = [*traced(*modules), __file__]  # the planted lines are here
    with pytest.raises(interleave_test.InterleaveError) as found:
        interleave_test.explore(
            model,
            strategy="dfs",
            granularity="line",
            iterations=200_000,
            max_preemptions=2,
            include=include,
        )
    with pytest.raises(interleave_test.InterleaveError):
        interleave_test.replay(model, found.value.failure.schedule, include=include)


def together(*functions: Callable[[], object]) -> None:
    """Run each in a thread of its own; what one raises fails the model."""
    tasks = [interleave_test.spawn(function) for function in functions]
    for task in tasks:
        task.join()
    for task in tasks:
        task.result()


class NoLoop:
    """A loop that never runs anything: the models flush themselves."""

    name = "no loop"

    def make_waker(self, function: object) -> "NoLoop":
        return self

    def __call__(self) -> None:
        pass

    def nudge(self) -> None:
        pass

    def close(self) -> None:
        pass


def make_state() -> EventState:
    return EventState(cast("Loop", NoLoop()))


# ------------------------------------------------------------------ C2


def hook_model() -> None:
    registry = CallbackRegistry()
    listener = Listener()
    registry.add(listener.callback)

    def mark_and_purge() -> None:
        registry.mark_deleted(listener.callback)
        registry.purge_marked()

    together(lambda: registry.remove(listener.callback.id), mark_and_purge)
    assert listener.releases == 1


def test_c2_hooks_run_with_nothing_held() -> None:
    exhaust(hook_model, "registry")


def test_c2_planted_hook_under_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(registry: CallbackRegistry, callback_id: int) -> None:
        with registry._lock:
            for callback in registry._take_locked(lambda c: c.id == callback_id):
                callback.end()

    monkeypatch.setattr(CallbackRegistry, "remove", remove)
    shows(hook_model)


# ------------------------------------------------------------------ C3


def order_model(change: Callable[[Shelf], None]) -> Model:
    def model() -> None:
        state = make_state()
        domain = Shelf(state)
        together(lambda: change(domain), lambda: change(domain))
        drained = state.queue.drain()
        assert [one.time for one in drained] == [1, 2]
        assert [one.sequence for one in drained] == [1, 2]

    return model


def test_c3_two_threads_change_one_domain() -> None:
    exhaust(order_model(Shelf.change), "queue")


def test_c3_planted_push_after_unlock() -> None:
    shows(order_model(Shelf.change_and_push_late), "queue")


# ------------------------------------------------------------------ C4


def register_model(
    dispatch: Callable[[EventQueue, CallbackRegistry], object],
) -> Model:
    def model() -> None:
        queue = EventQueue(10, lambda: None)
        registry = CallbackRegistry(queue.start)
        listener = Listener()
        is_registered: list[bool] = []
        always: list[int] = []

        def push_and_flush() -> None:
            for number in (1, 2):
                always.extend([number] if is_registered else [])
                queue.push(event())
                dispatch(queue, registry)

        def subscribe() -> None:
            registry.add(listener.callback)
            is_registered.append(True)

        together(push_and_flush, subscribe)
        dispatch(queue, registry)
        assert listener.sequences in ([1, 2], [2], [])
        assert set(always) <= set(listener.sequences)

    return model


def test_c4_register_against_push() -> None:
    exhaust(register_model(dispatch_queue), "registry")


def test_c4_planted_snapshot_before_the_drain() -> None:
    def dispatch(queue: EventQueue, registry: CallbackRegistry) -> None:
        frozen = CallbackRegistry()
        frozen._callbacks = registry.callbacks
        events = queue.drain()
        dispatch_batch(events, frozen)

    def model() -> None:
        queue = EventQueue(10, lambda: None)
        registry = CallbackRegistry(queue.start)
        listener = Listener()

        def subscribe_and_push() -> None:
            registry.add(listener.callback)
            queue.push(event())

        together(lambda: dispatch(queue, registry), subscribe_and_push)
        dispatch(queue, registry)
        assert listener.sequences == [1]

    shows(model)


# ------------------------------------------------------------------ C5, C6


def end_model() -> None:
    registry = CallbackRegistry()
    listener = Listener()
    registry.add(listener.callback)
    listener.callback.since = 0
    [one] = numbered(1)

    def close() -> None:
        listener.callback.is_closed = True
        registry.remove(listener.callback.id)
        listener.callback.released.wait(None)
        assert not listener.is_inside, "close() returned while a call was in flight"
        listener.must_not_run = True

    together(lambda: dispatch_event(one, registry), close)
    assert (listener.releases, listener.ends) == (1, 1)


def test_c5_nothing_runs_after_close() -> None:
    exhaust(end_model, "callback", "stage")


def test_c5_planted_close_that_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Callback, "end", Callback._release)
    shows(end_model, "callback", "stage")


def release_model() -> None:
    listener = Listener()
    together(listener.callback.end, listener.callback.end)
    assert (listener.releases, listener.ends) == (1, 1)


def test_c6_released_once() -> None:
    exhaust(release_model, "callback")


def test_c6_planted_look_before_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(callback: Callback) -> None:
        if not callback._is_released:
            callback._is_released = True
            callback._release()

    monkeypatch.setattr(Callback, "end", end)
    shows(release_model)


# ------------------------------------------------------------------ C7, C8


def reentrant_model(dispatch: Callable[[DomainEvent, CallbackRegistry], object]) -> Model:
    def model() -> None:
        registry = CallbackRegistry()
        second = Listener()

        def on_event(_: object) -> None:
            registry.mark_deleted(first.callback)
            registry.add(second.callback)

        first = Listener(on_event)
        registry.add(first.callback)
        first.callback.since = 0
        together(lambda: dispatch(numbered(1)[0], registry), registry.purge_marked)
        registry.purge_marked()
        assert first.releases == 1
        assert registry.callbacks == (second.callback,)

    return model


def test_c7_a_callback_closes_itself_and_adds_another() -> None:
    exhaust(reentrant_model(dispatch_event), "registry")


def test_c7_planted_dispatch_under_the_registry_lock() -> None:
    def dispatch(one: DomainEvent, registry: CallbackRegistry) -> None:
        try:
            with registry._lock:
                dispatch_event(one, registry)
        except LockOrderError as error:
            raise AssertionError from error

    shows(reentrant_model(dispatch))


def raising_model() -> None:
    def fail(_: object) -> None:
        raise SystemExit(3)

    raising = Callback(fail, Filter(), name="raising")
    registry = CallbackRegistry()
    other = Listener()
    for callback in (raising, other.callback):
        registry.add(callback)
        callback.since = 0
    [one] = numbered(1)
    together(lambda: dispatch_event(one, registry), lambda: registry.remove(raising.id))
    assert other.sequences == [1]
    assert raising.released.is_open


def test_c8_a_raising_callback_stops_nobody() -> None:
    exhaust(raising_model, "callback")


def test_c8_planted_call_that_lets_exceptions_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_bare(callback: Callback, events: Sequence[DomainEvent]) -> None:
        for one in events:
            if callback._function is not None:
                callback._function(one)

    monkeypatch.setattr(Callback, "run", run_bare)
    shows(raising_model)


# ------------------------------------------------------------------ C9


def overflow_model() -> None:
    mailbox = Mailbox(1)
    taken: list[int] = []
    lost: list[int] = []

    def put() -> None:
        for number in (1, 2):
            mailbox.extend(numbered(number))

    def take() -> None:
        got = mailbox.take(10)
        taken.extend(one.sequence for one in got.events)
        lost.append(got.gap.count or 0 if got.gap else 0)

    together(put, take)
    take()
    assert len(taken) + sum(lost) == 2
    assert mailbox.put == 2
    assert mailbox.lost == sum(lost)


def test_c9_delivered_and_lost_make_all() -> None:
    exhaust(overflow_model, "mailbox")


def test_c9_planted_extend_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def extend(mailbox: Mailbox, events: Sequence[DomainEvent]) -> bool:
        mailbox._put += len(events)
        excess = len(mailbox._events) + len(events) - mailbox._capacity
        if excess > 0:
            lost = mailbox._events[:excess]
            mailbox._lost += len(lost)
            del mailbox._events[:excess]
        mailbox._events.extend(events)
        return True

    monkeypatch.setattr(Mailbox, "extend", extend)
    shows(overflow_model, "mailbox")


# ------------------------------------------------------------------ C11


def close_model() -> None:
    state = make_state()
    listener = Listener()
    state.register(listener.callback)

    def push_and_flush() -> None:
        try:
            state.push(event())
        except ClosedError:
            return
        state.flush()

    def close() -> None:
        state.close()
        listener.callback.released.wait(None)
        assert not listener.is_inside
        listener.must_not_run = True

    together(push_and_flush, close)
    assert listener.releases == 1
    assert len(state.queue) == 0


def test_c11_nothing_is_dispatched_after_close() -> None:
    exhaust(close_model, "state")


def test_c11_planted_close_that_leaves_the_queue_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def close(state: EventState) -> None:
        state._is_closed = True
        state.registry.close()

    monkeypatch.setattr(EventState, "close", close)
    shows(close_model)
