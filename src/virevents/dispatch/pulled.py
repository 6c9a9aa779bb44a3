# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deliveries whose consumer comes and takes: streams, and callbacks on an asyncio loop.

They stand apart from strands because no worker runs them: a mailbox, and one way to tell the
consumer that there is something in it.

Locking: none here; the mailbox has its own. ``notify`` is called with nothing held but what the
flush holds, and must not block.

Invariants, each with a test of its name in ``tests/dispatch/test_pulled.py``:
    one_hand_over   at most one notification is outstanding, however many events come
    loop_refuses    a loop that refuses the hand-over ends the subscription
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from virevents.dispatch.callback import Callback
from virevents.dispatch.delivery import Delivery
from virevents.dispatch.mailbox import Mailbox, Taken
from virevents.model import DomainEvent, Gap
from virevents.sync import Gate, Role, in_role, report

__all__ = ["AsyncioDelivery", "PulledDelivery", "to_asyncio"]

_log: Final = logging.getLogger("virevents.dispatch")

# A loop's turn runs at most this many events before other work of the loop gets its chance.
_EVENTS_A_TURN: Final = 256


class PulledDelivery(Delivery):
    """A mailbox that its consumer empties.

    Args:
        callback: Whose events.
        capacity: The most events that wait at once.
        notify: Tells the consumer that ``take`` will give something; called once, then not
            again until a ``take`` gave nothing.
    """

    def __init__(self, callback: Callback, capacity: int, notify: Callable[[], None]) -> None:
        self._callback: Final = callback
        self._mailbox: Final = Mailbox(capacity)
        self._notify: Final = notify

    def __call__(self, callback: Callback, events: Sequence[DomainEvent], /) -> None:
        """Put *events* into the mailbox and tell the consumer, if it was not told before."""
        del callback  # a delivery knows its own
        if self._mailbox.extend(events):
            self._notify()

    def add_gap(self, gap: Gap) -> None:
        """Tell of events that were lost before they came here."""
        if self._mailbox.add_gap(gap):
            self._notify()

    def mark(self, gate: Gate) -> None:
        """Open *gate* once everything put so far has been taken and handled, or lost."""
        if self._mailbox.mark(gate):
            self._notify()

    def end(self, callback: Callback) -> None:
        """Tell the consumer of the end; of a closed callback, drop what waits."""
        if self._mailbox.end(is_discarding=callback.is_closed):
            self._notify()

    def take(self, limit: int = _EVENTS_A_TURN) -> Taken:
        """Take what is there; for the one consumer. All it took before is handled by now.

        The consumer that is told ``is_over`` calls ``callback.end()``.
        """
        return self._mailbox.take(limit)

    @property
    def put(self) -> int:
        """How many events were handed over."""
        return self._mailbox.put

    @property
    def lost(self) -> int:
        """How many of them were lost to overflow."""
        return self._mailbox.lost


class AsyncioDelivery(PulledDelivery):
    """Runs a plain function on an asyncio loop, by one hand-over for all that waits.

    Args:
        loop: The loop.
        callback: Whose events.
        capacity: The most events that wait at once.
        run_elsewhere: Runs a function off the loop (on a worker); for the last item when the
            loop is gone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        callback: Callback,
        capacity: int,
        run_elsewhere: Callable[[Callable[[], None]], None],
    ) -> None:
        super().__init__(callback, capacity, self._hand_over)
        self._loop: Final = loop
        self._run_elsewhere: Final = run_elsewhere

    def end(self, callback: Callback) -> None:
        """Tell the loop of the end; where it is closed, run the last item on a worker."""
        super().end(callback)
        if self._loop.is_closed():  # a hand-over that it took before will never be run
            self._run_elsewhere(self._run_the_end)

    def _hand_over(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._run_on_loop)
        except RuntimeError:  # the loop is closed
            text = "%s: its asyncio loop is closed; it ends"
            report(_log, logging.WARNING, text, self._callback.name)
            self._callback.is_closed = True
            self._run_elsewhere(self._run_the_end)

    def _run_the_end(self) -> None:
        self._mailbox.end(is_discarding=True)
        while not self._mailbox.take(_EVENTS_A_TURN).is_over:
            pass  # a gap may be left; it goes with the rest
        self._callback.end()

    def _run_on_loop(self) -> None:
        with in_role(Role.LOOP, "the subscriber's asyncio loop"):
            taken = self._mailbox.take(_EVENTS_A_TURN)
            if taken.is_over:
                self._callback.end()
                return
            if taken.gap is None and not taken.events:
                return
            if self._callback.begin():
                try:
                    if taken.gap is not None:
                        self._callback.tell_gap(taken.gap)
                    self._callback.run(taken.events)
                finally:
                    self._callback.finish()
        self._loop.call_soon(self._run_on_loop)


def to_asyncio(
    loop: asyncio.AbstractEventLoop,
    callback: Callback,
    *,
    capacity: int = 10_000,
    run_elsewhere: Callable[[Callable[[], None]], None],
) -> AsyncioDelivery:
    """Make the delivery that runs *callback*, a plain function, on an asyncio loop.

    Args:
        loop: The loop; when it refuses a hand-over the subscription ends.
        callback: Whose events.
        capacity: The most events that wait at once; above, the oldest go into a ``Gap`` (C9).
        run_elsewhere: Runs a function on a worker; for the last item when the loop is gone.
    """
    return AsyncioDelivery(loop, callback, capacity, run_elsewhere)
