# SPDX-License-Identifier: LGPL-2.1-or-later
"""``CallbackRegistry``: who is on record, and who is on the way out."""

import gc
import threading
import weakref

import pytest

from tests.dispatch.fakes import TIMEOUT, HandPool, Listener, batch, suspended
from virevents.dispatch import (
    Callback,
    CallbackRegistry,
    DirectDelivery,
    EventQueue,
    Filter,
    Starting,
    dispatch_queue,
    isolated,
)
from virevents.errors import ClosedError, LocalProtocolError
from virevents.model import DomainEvent


class _Function:
    def __call__(self, event: DomainEvent) -> None:
        """A user's function that can be watched for its end."""


def test_begins_after() -> None:
    queue = EventQueue(10, lambda: None)
    registry = CallbackRegistry(queue.start)
    queue.push(suspended())
    queue.push(suspended())
    listener = Listener()
    registry.add(listener.callback)
    queue.push(suspended())
    dispatch_queue(queue, registry)
    assert listener.sequences == [3]
    assert listener.callback.since == 2


def test_begins_after_also_what_is_pushed_and_flushed_before_it_knows_its_start() -> None:
    """Between the listing and the reading of the number, another thread pushes and flushes."""
    queue = EventQueue(10, lambda: None)
    listener = Listener()

    def start(starting: Starting) -> None:
        queue.push(suspended())
        dispatch_queue(queue, registry)
        queue.start(starting)

    registry = CallbackRegistry(start)
    registry.add(listener.callback)
    assert listener.events == []
    queue.push(suspended())
    dispatch_queue(queue, registry)
    assert listener.sequences == [2]


def test_begins_after_and_loses_nothing_that_is_flushed_right_after_its_start_is_read() -> None:
    """It must be listed by then: another thread pushes and flushes before the next step."""
    queue = EventQueue(10, lambda: None)
    listener = Listener()

    def push_and_flush() -> None:
        queue.push(suspended())
        dispatch_queue(queue, registry)

    def start(starting: Starting) -> None:
        queue.start(starting)
        other = threading.Thread(target=push_and_flush)
        other.start()
        other.join(TIMEOUT)

    registry = CallbackRegistry(start)
    registry.add(listener.callback)
    assert listener.sequences == [1]


def test_ids_are_never_used_again() -> None:
    registry = CallbackRegistry()
    ids = [registry.add(Listener().callback) for _ in range(3)]
    registry.remove(ids[2])
    assert [*ids, registry.add(Listener().callback)] == [0, 1, 2, 3]


def test_the_same_function_may_be_added_many_times_but_no_callback_twice() -> None:
    registry = CallbackRegistry()
    callbacks = [Callback(print, Filter()) for _ in range(3)]
    for callback in callbacks:
        registry.add(callback)
    assert registry.callbacks == tuple(callbacks)
    with pytest.raises(LocalProtocolError, match=r"callback 1 \(print\) is on record already"):
        registry.add(callbacks[1])
    with pytest.raises(LocalProtocolError, match="is on record already"):
        CallbackRegistry().add(callbacks[1])


def test_a_callback_is_found_by_its_number() -> None:
    registry, listener = CallbackRegistry(), Listener()
    callback_id = registry.add(listener.callback)
    assert registry.find(callback_id) is listener.callback
    assert registry.find(callback_id + 1) is None


def test_direct_callbacks_are_counted() -> None:
    registry, pool = CallbackRegistry(), HandPool()
    strand = Listener()
    registry.add(Listener().callback)
    registry.add(Listener().callback, DirectDelivery())
    registry.add(strand.callback, isolated(pool, strand.callback))
    assert registry.direct_count == 2
    registry.remove(0)
    assert registry.direct_count == 1


def test_ended_once_by_remove() -> None:
    registry, listener = CallbackRegistry(), Listener()
    callback_id = registry.add(listener.callback)
    assert registry.remove(callback_id) is True
    assert registry.remove(callback_id) is False
    assert (listener.releases, listener.callback.is_closed) == (1, True)
    assert registry.callbacks == ()


def test_ended_once_with_nothing_held() -> None:
    held: list[bool] = []
    registry = CallbackRegistry()
    listener = Listener()

    class _Delivery(DirectDelivery):
        def end(self, callback: Callback) -> None:
            held.append(registry._lock.locked())
            super().end(callback)

    registry.add(listener.callback, _Delivery())
    registry.close()
    assert held == [False]


def test_ended_once_by_connection() -> None:
    registry = CallbackRegistry()
    mine, theirs = object(), object()
    listeners = [Listener(owner=owner) for owner in (mine, theirs, mine)]
    for listener in listeners:
        registry.add(listener.callback)
    assert registry.remove_connection(mine) == 2
    assert registry.remove_connection(mine) == 0
    assert [listener.releases for listener in listeners] == [1, 0, 1]


@pytest.mark.parametrize(("is_closing", "sequences"), [(True, []), (False, [1, 2])])
def test_a_lost_connection_lets_deliver_what_arrived(
    is_closing: bool, sequences: list[int]
) -> None:
    registry, pool, owner = CallbackRegistry(), HandPool(), object()
    listener = Listener(owner=owner)
    strand = isolated(pool, listener.callback)
    registry.add(listener.callback, strand)
    strand(listener.callback, batch(2))
    registry.remove_connection(owner, is_closing=is_closing)
    pool.run_all()
    assert listener.sequences == sequences
    assert (listener.releases, listener.told[-1]) == (1, "released")


def test_mark_takes_none() -> None:
    registry, listener = CallbackRegistry(), Listener()
    registry.add(listener.callback)
    with registry._lock, listener.callback._lock:  # a finalizer runs wherever it likes
        registry.mark_deleted(listener.callback)
    assert listener.callback.is_closed
    assert registry.has_marked
    assert registry.callbacks == (listener.callback,)
    assert listener.releases == 0


def test_the_purge_ends_what_was_marked() -> None:
    registry = CallbackRegistry()
    listeners = [Listener() for _ in range(3)]
    for listener in listeners:
        registry.add(listener.callback)
    assert registry.purge_marked() == 0
    registry.mark_deleted(listeners[0].callback)
    registry.mark_deleted(listeners[2].callback)
    registry.mark_deleted(listeners[2].callback)
    assert registry.purge_marked() == 2
    assert not registry.has_marked
    assert registry.purge_marked() == 0
    assert [listener.releases for listener in listeners] == [1, 0, 1]
    assert registry.callbacks == (listeners[1].callback,)


def test_ended_once_when_two_threads_purge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one empties the closing line between the look and the pop."""
    registry, listener = CallbackRegistry(), Listener()
    registry.add(listener.callback)

    class _LooksFull(list[Callback]):
        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Callback:
            return self.pop(0)

    monkeypatch.setattr(registry, "_closing_line", _LooksFull([listener.callback]))
    assert registry.purge_marked() == 1
    assert registry.purge_marked() == 0
    assert listener.releases == 1


def test_closing_ends_all_is_idempotent_and_refuses_later_ones() -> None:
    registry, listeners = CallbackRegistry(), [Listener() for _ in range(3)]
    for listener in listeners:
        registry.add(listener.callback)
    registry.close()
    registry.close()
    assert [listener.releases for listener in listeners] == [1, 1, 1]
    late = Listener()
    with pytest.raises(ClosedError, match="the callback registry is closed"):
        registry.add(late.callback)
    assert (registry.callbacks, late.callback.delivery) == ((), None)


@pytest.mark.parametrize("how", ["remove", "purge", "close"])
def test_nothing_of_ours_holds_a_function_that_went(how: str) -> None:
    gc.disable()
    try:
        registry, function = CallbackRegistry(), _Function()
        watched = weakref.ref(function)
        callback = Callback(function, Filter())
        del function
        registry.add(callback)
        if how == "remove":
            registry.remove(callback.id)
        elif how == "purge":
            registry.mark_deleted(callback)
            registry.purge_marked()
        else:
            registry.close()
        assert watched() is None
        forgotten = weakref.ref(callback)
        del callback
        assert forgotten() is None
    finally:
        gc.enable()


def test_what_was_never_given_a_delivery_goes_quietly() -> None:
    registry, listener = CallbackRegistry(), Listener()
    callback_id = registry.add(listener.callback)
    listener.callback.delivery = None
    assert registry.remove(callback_id)
    assert listener.callback.is_closed
