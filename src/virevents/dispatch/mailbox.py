# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mailbox of one subscription: the flush fills it, its strand empties it.

Here a driver's speed and the user's part company: a slow callback fills its own mailbox and
nobody else's.

Locking:
    ``_lock`` (MAILBOX, a leaf) guards the attributes marked below and is held for a few steps
    that run no foreign code. What was lost is let go of after it, and gates are opened after it.

Invariants, each with a test of its name in ``tests/dispatch/test_mailbox.py``:
    fifo        events leave in the order in which they came, the gap before those behind it
    bounded     len(_events) <= capacity
    accounted   put == taken + lost + len(_events)
    one_worker  between ``extend`` that says "make ready" and ``take`` that says "nothing left"
                nobody else is told to make the strand ready
    marks_open  a gate given to ``mark`` opens once all put before it is handled or lost
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from virevents.errors import LocalProtocolError
from virevents.model import DomainEvent, Gap
from virevents.sync import MAILBOX, Gate, RankedLock

__all__ = ["Mailbox", "Taken"]


class Taken(NamedTuple):
    """What one ``take`` gave.

    Attributes:
        gap: What was lost before these events, or None.
        events: The events, oldest first.
        is_over: Nothing is left and nothing will come: the strand's last item is due.
    """

    gap: Gap | None
    events: list[DomainEvent]
    is_over: bool


class Mailbox:
    """A bounded FIFO between the flush and one strand, safe from any thread.

    Args:
        capacity: The most events held at once, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise LocalProtocolError(f"expected a capacity of at least 1 event, met {capacity}")
        self._capacity: Final = capacity
        self._lock: Final = RankedLock(MAILBOX)
        self._events: list[DomainEvent] = []  # guarded by _lock
        self._gap: Gap | None = None  # guarded by _lock
        self._has_worker = False  # guarded by _lock
        self._is_ending = False  # guarded by _lock; one way
        self._is_over = False  # guarded by _lock; one way
        self._marks: list[tuple[int, Gate]] = []  # guarded by _lock
        self._put = 0  # guarded by _lock
        self._taken = 0  # guarded by _lock
        self._lost = 0  # guarded by _lock

    def extend(self, events: Sequence[DomainEvent]) -> bool:
        """Append *events* in order; the oldest go into the gap when it is full.

        Returns:
            True if the caller must make the strand ready: no worker has it.
        """
        lost: list[DomainEvent] = []  # let go of after the lock: a finalizer may run
        with self._lock:
            if self._is_ending:
                return False
            self._events.extend(events)
            self._put += len(events)
            excess = len(self._events) - self._capacity
            if excess > 0:
                lost = self._events[:excess]
                del self._events[:excess]
                self._lost += excess
                # Whoever reads is told, never left to guess (contract C9).
                self._gap = Gap.covering(self._gap, lost[0].sequence, lost[-1].sequence, excess)
            must_wake, self._has_worker = not self._has_worker, True
        return must_wake

    def take(self, limit: int) -> Taken:
        """Take up to *limit* events; all that was taken before is handled by now.

        For the strand's one worker. With no event, no gap and ``is_over`` false, the worker has
        given the strand back and must not call again until it is made ready.
        """
        with self._lock:
            gap, self._gap = self._gap, None
            if len(self._events) <= limit:
                events, self._events = self._events, []
            else:
                events = self._events[:limit]
                del self._events[:limit]
            opened = self._reached_locked()
            self._taken += len(events)
            is_over = self._is_over = self._is_ending and not events and gap is None
            if not events and gap is None and not is_over:
                self._has_worker = False
        for gate in opened:
            gate.open()
        return Taken(gap, events, is_over)

    def add_gap(self, gap: Gap) -> bool:
        """Record events that were lost before they came here (a reconnect).

        Returns:
            True if the caller must make the strand ready.
        """
        with self._lock:
            if self._is_ending:
                return False
            self._gap = Gap.covering(self._gap, gap.first, gap.last, gap.count)
            must_wake, self._has_worker = not self._has_worker, True
        return must_wake

    def mark(self, gate: Gate) -> bool:
        """Open *gate* once everything put so far is handled or lost.

        Returns:
            True if the caller must make the strand ready.
        """
        with self._lock:
            is_over = self._is_over
            if not is_over:
                self._marks.append((self._put, gate))
            must_wake, self._has_worker = not self._has_worker, True
        if is_over:  # nobody comes any more
            gate.open()
        return must_wake

    def end(self, *, is_discarding: bool) -> bool:
        """Accept nothing from now on. Idempotent.

        Args:
            is_discarding: Whether to drop what has not been taken.

        Returns:
            True if the caller must make the strand ready for its last item.
        """
        dropped: list[DomainEvent] = []  # let go of after the lock
        with self._lock:
            self._is_ending = True
            if is_discarding:
                dropped, self._events = self._events, dropped
                self._taken += len(dropped)
            must_wake, self._has_worker = not self._has_worker, True
        return must_wake

    @property
    def put(self) -> int:
        """How many events were ever put in."""
        return self._put

    @property
    def lost(self) -> int:
        """How many of them were lost to overflow."""
        return self._lost

    def _reached_locked(self) -> list[Gate]:
        # The worker asks for more, so all it took before is handled; what is lost is done with.
        if not self._marks:
            return []
        done = self._taken + self._lost
        reached = [gate for goal, gate in self._marks if goal <= done]
        self._marks = [mark for mark in self._marks if mark[0] > done]
        return reached
