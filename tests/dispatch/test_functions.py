# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dispatching one event, a batch, or a whole queue."""

from collections.abc import Sequence

from tests.dispatch.fakes import WEB2, Listener, batch, numbered, suspended
from virevents.dispatch import (
    Callback,
    CallbackRegistry,
    EventQueue,
    Filter,
    dispatch_batch,
    dispatch_event,
    dispatch_queue,
)
from virevents.model import DomainEvent


def _registry(*listeners: Listener) -> CallbackRegistry:
    registry = CallbackRegistry()
    for listener in listeners:
        registry.add(listener.callback)
    return registry


def test_each_match_once() -> None:
    one, two = Listener(), Listener(wanted=Filter(domain_uuid=WEB2.uuid))
    registry = _registry(one, two)
    assert dispatch_batch(numbered(suspended(), suspended(WEB2)), registry) == 2
    assert dispatch_event(batch(1, first=3)[0], registry) == 1
    assert (one.sequences, two.sequences) == ([1, 2, 3], [2])
    assert dispatch_batch([], registry) == 0


def test_each_match_once_by_the_function_given() -> None:
    seen: list[tuple[int, int]] = []

    def mine(callback: Callback, events: Sequence[DomainEvent], /) -> None:
        seen.extend((callback.id, event.sequence) for event in events)

    one, two = Listener(), Listener()
    assert dispatch_batch(batch(2), _registry(one, two), mine) == 2
    assert seen == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert one.events == []


def test_not_closed() -> None:
    first = Listener(on_event=lambda _: registry.mark_deleted(second.callback))
    second = Listener()
    registry = _registry(first, second)
    assert dispatch_batch(batch(2), registry) == 1
    assert (first.sequences, second.sequences) == ([1, 2], [])


def test_not_yet_listed_with_a_delivery_is_passed_over() -> None:
    listener = Listener()
    registry = _registry(listener)
    listener.callback.delivery = None
    assert dispatch_batch(batch(1), registry) == 0


def test_drain_first() -> None:
    """Who registers while the queue is being drained is in the snapshot."""
    late = Listener()

    class _Queue(EventQueue):
        def drain(self, limit: int | None = None) -> list[DomainEvent]:
            drained = super().drain(limit)
            registry.add(late.callback)
            return drained

    queue = _Queue(10, lambda: None)
    registry = CallbackRegistry()
    queue.push(suspended())
    queue.push(suspended())
    assert dispatch_queue(queue, registry) == 1
    assert late.sequences == [1, 2]
    assert len(queue) == 0


def test_what_is_pushed_meanwhile_stays_in_the_queue() -> None:
    queue = EventQueue(10, lambda: None)
    listener = Listener(on_event=lambda _: queue.push(suspended()))
    queue.push(suspended())
    dispatch_queue(queue, _registry(listener))
    assert (listener.sequences, len(queue)) == ([1], 1)
