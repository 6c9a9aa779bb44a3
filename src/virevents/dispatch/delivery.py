# SPDX-License-Identifier: LGPL-2.1-or-later
"""How events reach one callback: the dispatch function, and what belongs to it.

It stands apart because this is the one plug of the dispatcher: nothing else knows who listens.
``DirectDelivery`` calls at once, on the thread that flushes; a strand (``isolated``), an asyncio
loop and a stream bring events elsewhere.

Locking: see each delivery; the plain ones here have none.

Invariants, each with a test of its name in ``tests/dispatch/test_delivery.py``:
    called_in_order    ``dispatch_default`` calls once per event, in order
    lock_is_given_up   ``unlocked(lock)`` calls with the lock released and holds it afterwards
    held_is_refused    ``dispatch_default`` under a lock is refused, naming the lock
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Protocol

from virevents.dispatch.callback import Callback
from virevents.model import DomainEvent
from virevents.sync import Gate, Lock, assert_held

__all__ = ["Delivery", "DirectDelivery", "DispatchFunc", "dispatch_default", "unlocked"]


class DispatchFunc(Protocol):
    """Hands events to one callback (libvirt 2008: ``virDomainEventDispatchFunc``)."""

    def __call__(self, callback: Callback, events: Sequence[DomainEvent], /) -> None:
        """Hand *events*, at least one and in order, to *callback*."""
        ...


def dispatch_default(callback: Callback, events: Sequence[DomainEvent], /) -> None:
    """Call the callback with each event, here and now, with nothing held.

    (libvirt 2008: ``virDomainEventDispatchDefaultFunc``.)

    Raises:
        LockOrderError: Where locks are checked and this thread holds one of ours.
    """
    if callback.begin():
        try:
            callback.run(events)
        finally:
            callback.finish()


def unlocked(lock: Lock, inner: DispatchFunc = dispatch_default) -> DispatchFunc:
    """Wrap a dispatch function so that *lock* is given up round the call and taken again.

    For a driver that flushes with its driver lock held, as those of 2008 did. Such a driver
    purges (``CallbackRegistry.purge_marked``) only once it has let the lock go.

    Args:
        lock: The driver lock; held by the thread that dispatches.
        inner: What to call meanwhile.
    """

    def dispatch_unlocked(callback: Callback, events: Sequence[DomainEvent], /) -> None:
        assert_held(lock)
        lock.release()
        try:
            inner(callback, events)
        finally:
            lock.acquire()

    return dispatch_unlocked


class Delivery(ABC):
    """The way of events to one callback, and of its end."""

    @abstractmethod
    def __call__(self, callback: Callback, events: Sequence[DomainEvent], /) -> None:
        """Hand *events* over; a ``DispatchFunc``. Runs on the thread that flushes."""

    @abstractmethod
    def end(self, callback: Callback) -> None:
        """Bring the end to *callback*, after the events before it unless it is closed.

        Called once it is off the list, with nothing held, possibly twice.
        """

    def mark(self, gate: Gate) -> None:
        """Open *gate* once everything handed over so far has been delivered or lost."""
        gate.open()

    @property
    def put(self) -> int:
        """How many events were handed over; -1 where nobody counts because none can wait."""
        return -1

    @property
    def lost(self) -> int:
        """How many of them were lost to overflow."""
        return 0


class DirectDelivery(Delivery):
    """Calls on the thread that flushes, by a dispatch function.

    Args:
        dispatch_func: The dispatch function.
    """

    def __init__(self, dispatch_func: DispatchFunc = dispatch_default) -> None:
        self._dispatch_func: Final = dispatch_func

    def __call__(self, callback: Callback, events: Sequence[DomainEvent], /) -> None:
        """Hand *events* to the dispatch function."""
        self._dispatch_func(callback, events)

    def end(self, callback: Callback) -> None:
        """Release the callback, or have the last call in flight do it."""
        callback.end()
