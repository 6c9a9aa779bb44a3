# SPDX-License-Identifier: LGPL-2.1-or-later
"""``isolated``: events of one subscription run on a strand of its own, by the worker pool.

It stands apart because it is the delivery that most users want: a slow, blocked or raising
callback delays nobody but itself (C8), and may call anything (C7).

Locking: none here; the mailbox has its own, the pool its own, and user code runs with neither.

Invariants, each with a test of its name in ``tests/dispatch/test_isolated.py``:
    in_order      a strand runs its events in order, never on two workers at once
    gives_way     after 256 events it goes to the end of the pool's line
    last_item     the release hook is the strand's last item, on a worker
"""

from collections.abc import Sequence
from typing import Final

from virevents.dispatch.callback import Callback
from virevents.dispatch.delivery import Delivery
from virevents.dispatch.mailbox import Mailbox
from virevents.dispatch.pool import Pool
from virevents.model import DomainEvent, Gap
from virevents.sync import Gate

__all__ = ["EVENTS_A_TURN", "Strand", "isolated"]

# A strand gives way after this many events, so that many busy ones share few workers fairly.
EVENTS_A_TURN: Final = 256


class Strand(Delivery):
    """One subscription's mailbox and the order of its calls; a ``Delivery``.

    Args:
        pool: Who runs it.
        callback: Whose events these are.
        capacity: The most events that wait at once.
    """

    def __init__(self, pool: Pool, callback: Callback, capacity: int) -> None:
        self._pool: Final = pool
        self._callback: Final = callback
        self._mailbox: Final = Mailbox(capacity)
        pool.enter(self)

    @property
    def name(self) -> str:
        """Whose strand it is, for logs."""
        return self._callback.name

    def __call__(self, callback: Callback, events: Sequence[DomainEvent], /) -> None:
        """Put *events* into the mailbox and have a worker come if none has the strand."""
        del callback  # a strand knows its own
        if self._mailbox.extend(events):
            self._pool.ready(self)

    def add_gap(self, gap: Gap) -> None:
        """Tell of events that were lost before they came here."""
        if self._mailbox.add_gap(gap):
            self._pool.ready(self)

    def mark(self, gate: Gate) -> None:
        """Open *gate* once everything put so far has been delivered or lost."""
        if self._mailbox.mark(gate):
            self._pool.ready(self)

    def end(self, callback: Callback) -> None:
        """Have a worker run the last item; of a closed callback, drop what waits."""
        if self._mailbox.end(is_discarding=callback.is_closed):
            self._pool.ready(self)

    def run(self) -> None:
        """Run what is there, up to a turn's worth; by the one worker that has the strand."""
        left = EVENTS_A_TURN
        while left > 0:
            taken = self._mailbox.take(left)
            if taken.is_over:
                # After the hook, which may block its worker: others may need another one.
                self._callback.end()
                self._pool.leave(self)
                return
            if taken.gap is not None:
                self._tell_gap(taken.gap)
            if taken.events:
                self._run_events(taken.events)
                left -= len(taken.events)
            elif taken.gap is None:
                return
        self._pool.ready(self)

    def _tell_gap(self, gap: Gap) -> None:
        if self._callback.begin():
            try:
                self._callback.tell_gap(gap)
            finally:
                self._callback.finish()

    def _run_events(self, events: list[DomainEvent]) -> None:
        if self._callback.begin():
            try:
                self._callback.run(events)
            finally:
                self._callback.finish()

    @property
    def put(self) -> int:
        """How many events were handed over."""
        return self._mailbox.put

    @property
    def lost(self) -> int:
        """How many of them were lost to overflow."""
        return self._mailbox.lost


def isolated(pool: Pool, callback: Callback, *, capacity: int = 10_000) -> Strand:
    """Make the delivery that runs *callback* on a strand of its own.

    Args:
        pool: The workers.
        callback: Whose events.
        capacity: The most events that wait at once; above, the oldest go into a ``Gap`` (C9).
            A turn's worth that the worker has taken (``EVENTS_A_TURN`` at most) waits beside.
    """
    return Strand(pool, callback, capacity)
