# SPDX-License-Identifier: LGPL-2.1-or-later
"""The event queue of one event state: drivers push, the flush drains.

It stands apart because it is where an event gets its number, and with it its place in the one
order that every subscription of a driver sees (C3).

Locking:
    ``_lock`` (QUEUE, a leaf) guards the attributes marked below and is held for a few steps that
    run no foreign code. ``push`` wakes the flush after it let go, and always: waking only "if
    the queue was empty" loses the queue for good when Ctrl-C falls between append and wake.

Invariants, each with a test of its name in ``tests/dispatch/test_queue.py``:
    numbered      sequence numbers are 1, 2, 3, ... in the order of the events in the queue
    accounted     pushed == drained + freed by close + len
    frees_all     close() leaves no reference to any event behind
    room_opens    every gate given out by ``room_gate`` opens, at a drain or at the close
"""

from collections.abc import Callable
from typing import Final, Protocol

from virevents.errors import ClosedError, LocalProtocolError
from virevents.model import DomainEvent
from virevents.sync import QUEUE, Gate, RankedLock

__all__ = ["EventQueue", "Starting"]


class Starting(Protocol):
    """What begins at a place in the order: a callback."""

    since: int


class EventQueue:
    """A FIFO of events on their way from drivers to the flush; safe from any thread.

    (libvirt 2008: ``virDomainEventQueueNew``, ``Push``, ``Pop``, ``Free``.)

    Args:
        capacity: The high-water mark, in events. The queue itself never refuses and never
            drops; above the mark ``room_gate`` makes modifying calls wait (C9).
        wake: Asks for a flush; called after each push, with no lock of the queue's held.
    """

    def __init__(self, capacity: int, wake: Callable[[], None]) -> None:
        if capacity < 1:
            raise LocalProtocolError(f"expected a capacity of at least 1 event, met {capacity}")
        self.capacity: Final = capacity
        self._wake: Final = wake
        self._lock: Final = RankedLock(QUEUE)
        self._events: list[DomainEvent] = []  # guarded by _lock
        self._last_sequence = 0  # guarded by _lock
        self._room_gates: list[Gate] = []  # guarded by _lock
        self._is_closed = False  # guarded by _lock; one way

    def push(self, event: DomainEvent) -> int:
        """Number *event* and append it; may be called holding a driver or a domain lock.

        Args:
            event: An event that was not pushed before, to this queue or another.

        Returns:
            Its sequence number.

        Raises:
            ClosedError: The queue is closed; the event was not taken.
            LocalProtocolError: The event was pushed before.
        """
        with self._lock:
            if self._is_closed:
                raise ClosedError("the event queue is closed and takes no more events")
            # The slot itself (see ``model.number``): on the path of every event the property would
            # cost four times as much.
            if event._sequence:  # noqa: SLF001
                raise LocalProtocolError(f"event {event.sequence} was pushed before")
            event._sequence = sequence = self._last_sequence + 1  # noqa: SLF001
            self._events.append(event)
            self._last_sequence = sequence
        self._wake()
        return sequence

    def pop(self) -> DomainEvent | None:
        """Take the oldest event, or return None when there is none."""
        taken = self.drain(1)
        return taken[0] if taken else None

    def drain(self, limit: int | None = None) -> list[DomainEvent]:
        """Take all events, or the *limit* oldest, in order."""
        with self._lock:
            if limit is None or len(self._events) <= limit:
                taken, self._events = self._events, []
            else:
                taken = self._events[:limit]
                del self._events[:limit]
            gates: list[Gate] = []
            # At half, not just below the mark: else each flush would let one call through.
            if self._room_gates and len(self._events) <= self.capacity // 2:
                gates, self._room_gates = self._room_gates, gates
        for gate in gates:
            gate.open()
        return taken

    def room_gate(self) -> Gate | None:
        """Return a gate that opens when there is room again, or None when there is room now."""
        if len(self._events) < self.capacity:  # a hint: one event more or less does not matter
            return None
        with self._lock:
            if len(self._events) < self.capacity or self._is_closed:
                return None
            gate = Gate("room in the event queue")
            self._room_gates.append(gate)
        self._wake()
        return gate

    def start(self, starting: Starting) -> None:
        """Have *starting* begin after the newest event.

        Read and stored in one section of the queue's lock: what is pushed later is above the
        number, and whoever drains it finds the number set.
        """
        with self._lock:
            starting.since = self._last_sequence

    @property
    def last_sequence(self) -> int:
        """The number of the newest event ever pushed, 0 before the first."""
        with self._lock:
            return self._last_sequence

    def __len__(self) -> int:
        """Return how many events await the flush."""
        return len(self._events)

    def close(self) -> None:
        """Free every event that is still here and refuse later ones. Idempotent."""
        with self._lock:
            self._is_closed = True
            freed, self._events = self._events, []
            gates, self._room_gates = self._room_gates, []
        for gate in gates:
            gate.open()
        freed.clear()
