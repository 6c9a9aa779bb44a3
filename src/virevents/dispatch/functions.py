# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dispatching one event, a batch, or a whole queue to the callbacks of a registry.

They stand apart from ``EventState`` because a driver author may flush as the drivers of 2008
did: these only read the registry's snapshot and the callbacks' flags and take no owner lock, so
they may be run with a driver lock held, when ``unlocked(lock)`` is the dispatch function.

Locking: none of their own.

Invariants, each with a test of its name in ``tests/dispatch/test_functions.py``:
    each_match_once   every matching, open callback is handed each event once
    not_closed        a callback that another one closed during the dispatch is passed over
    drain_first       ``dispatch_queue`` drains before it takes the snapshot
"""

from collections.abc import Sequence

from virevents.dispatch.delivery import DispatchFunc
from virevents.dispatch.filters import Batch
from virevents.dispatch.queue import EventQueue
from virevents.dispatch.registry import CallbackRegistry
from virevents.model import DomainEvent

__all__ = ["dispatch_batch", "dispatch_event", "dispatch_queue"]


def dispatch_event(
    event: DomainEvent, registry: CallbackRegistry, dispatch_func: DispatchFunc | None = None
) -> int:
    """Hand one event to every callback that wants it.

    (libvirt 2008: ``virDomainEventDispatch``.)

    Args:
        event: The event; it has its number.
        registry: Whose callbacks.
        dispatch_func: Used for all of them; by default each callback's own delivery.

    Returns:
        How many callbacks it was handed to.
    """
    return dispatch_batch((event,), registry, dispatch_func)


def dispatch_queue(
    queue: EventQueue, registry: CallbackRegistry, dispatch_func: DispatchFunc | None = None
) -> int:
    """Drain *queue* and hand all its events over, callback by callback.

    (libvirt 2008: ``virDomainEventQueueDispatch``.)

    Args:
        queue: The queue; what is pushed meanwhile stays in it.
        registry: Whose callbacks.
        dispatch_func: Used for all of them; by default each callback's own delivery.

    Returns:
        How many hand-overs there were, one per callback that wanted anything.
    """
    return dispatch_batch(queue.drain(), registry, dispatch_func)


def dispatch_batch(
    events: Sequence[DomainEvent],
    registry: CallbackRegistry,
    dispatch_func: DispatchFunc | None = None,
) -> int:
    """Hand *events*, in order of their numbers, to every callback that wants them.

    The snapshot of callbacks is taken here, after the events left the queue: a callback that
    registered before an event was pushed is in it.

    Returns:
        How many hand-overs there were.
    """
    if not events:
        return 0
    batch = Batch(events)
    count = 0
    for callback in registry.callbacks:
        wanted = batch.matching(callback)
        dispatch = dispatch_func or callback.delivery
        if wanted and dispatch is not None:
            dispatch(callback, wanted)
            count += 1
    return count
