# SPDX-License-Identifier: LGPL-2.1-or-later
"""``EventQueue``: drivers push, the flush drains."""

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from tests.dispatch.fakes import TIMEOUT, suspended
from virevents.dispatch import Callback, EventQueue, Filter
from virevents.errors import ClosedError, LocalProtocolError
from virevents.model import DomainEvent


class _Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def wakes() -> _Wakes:
    return _Wakes()


@pytest.fixture
def queue(wakes: _Wakes) -> EventQueue:
    return EventQueue(4, wakes)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Whatever goes, goes because nobody refers to it."""
    gc.disable()
    yield
    gc.enable()


def test_numbered(queue: EventQueue) -> None:
    assert queue.last_sequence == 0
    events = [suspended() for _ in range(3)]
    assert [queue.push(event) for event in events] == [1, 2, 3]
    assert [event.sequence for event in queue.drain()] == [1, 2, 3]
    assert queue.push(suspended()) == 4
    assert queue.last_sequence == 4


def test_numbered_by_many_threads(queue: EventQueue) -> None:
    def push() -> None:
        for _ in range(200):
            queue.push(suspended())

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert [event.sequence for event in queue.drain()] == list(range(1, 801))


def test_every_push_wakes_holding_nothing(queue: EventQueue, wakes: _Wakes) -> None:
    held: list[bool] = []
    other = EventQueue(4, lambda: held.append(other._lock.locked()))
    other.push(suspended())
    assert held == [False]
    queue.push(suspended())
    queue.push(suspended())  # also when the queue was not empty
    assert wakes.count == 2


def test_an_event_is_pushed_once(queue: EventQueue) -> None:
    event = suspended()
    queue.push(event)
    with pytest.raises(LocalProtocolError, match="event 1 was pushed before"):
        queue.push(event)
    with pytest.raises(LocalProtocolError, match="event 1 was pushed before"):
        EventQueue(4, lambda: None).push(event)
    assert queue.drain() == [event]


def test_accounted(queue: EventQueue) -> None:
    events = [suspended(time=float(n)) for n in range(6)]
    for event in events:
        queue.push(event)
    assert queue.pop() is events[0]
    assert queue.drain(2) == events[1:3]
    assert len(queue) == 3
    assert queue.drain(3) == events[3:]
    assert (len(queue), queue.drain(), queue.pop()) == (0, [], None)


def test_frees_all(queue: EventQueue, no_collector: None) -> None:
    events: list[DomainEvent] = [suspended() for _ in range(5)]
    watched = [weakref.ref(event) for event in events]
    for event in events:
        queue.push(event)
    events.clear()
    del event
    assert all(reference() is not None for reference in watched)
    queue.close()
    assert [reference() for reference in watched] == [None] * 5
    assert len(queue) == 0


def test_frees_all_with_nothing_held(no_collector: None) -> None:
    queue = EventQueue(4, lambda: None)
    held: list[bool] = []
    event = suspended()
    watch = weakref.ref(event, lambda _: held.append(queue._lock.locked()))
    queue.push(event)
    del event
    queue.close()
    assert watch() is None
    assert held == [False]


def test_closing_is_idempotent_and_refuses_later_pushes(queue: EventQueue) -> None:
    queue.push(suspended())
    queue.close()
    queue.close()
    refused = suspended()
    with pytest.raises(ClosedError, match="the event queue is closed"):
        queue.push(refused)
    assert refused.sequence == 0
    assert queue.drain() == []


def test_room_opens_at_a_drain(queue: EventQueue, wakes: _Wakes) -> None:
    assert queue.room_gate() is None
    for _ in range(5):
        queue.push(suspended())
    before = wakes.count
    gates = [queue.room_gate() for _ in range(3)]
    assert wakes.count == before + 3
    opened: list[list[bool]] = []
    for _ in range(3):
        queue.drain(1)
        opened.append([gate is not None and gate.is_open for gate in gates])
    # Not with three left, which is below the mark, but with two, which is half of it.
    assert opened == [[False] * 3, [False] * 3, [True] * 3]
    assert queue.room_gate() is None


def test_room_opens_at_the_close(queue: EventQueue) -> None:
    for _ in range(4):
        queue.push(suspended())
    gate = queue.room_gate()
    queue.close()
    assert gate is not None
    assert gate.is_open


def test_room_that_came_meanwhile_needs_no_gate(
    queue: EventQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flush drains between the look without the lock and the look with it."""
    lengths = iter([4, 0])
    monkeypatch.setattr(EventQueue, "__len__", lambda _: next(lengths))

    class _Shrinking(list[DomainEvent]):
        def __len__(self) -> int:
            return next(lengths)

    monkeypatch.setattr(queue, "_events", _Shrinking())
    assert queue.room_gate() is None


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="expected a capacity of at least 1 event, met 0"):
        EventQueue(0, lambda: None)


def test_what_starts_begins_after_the_newest_event(queue: EventQueue) -> None:
    starting = Callback(print, Filter())
    queue.start(starting)
    assert starting.since == 0
    queue.push(suspended())
    queue.drain()
    queue.start(starting)
    assert starting.since == 1


def test_what_starts_has_its_number_before_a_later_event_has_one(queue: EventQueue) -> None:
    held: list[bool] = []

    class _Starting:
        @property
        def since(self) -> int:
            return 0

        @since.setter
        def since(self, value: int) -> None:
            held.append(queue._lock.locked())

    queue.start(_Starting())
    assert held == [True]
