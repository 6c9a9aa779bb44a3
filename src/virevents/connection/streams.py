# SPDX-License-Identifier: LGPL-2.1-or-later
"""``EventStream``: events taken by the thread that wants them, instead of a callback.

It stands apart from subscriptions because nobody runs it: the consumer comes and takes.

Locking: none here; the mailbox has its own. What is marked "by its consumer" belongs to the one
thread that iterates at a time.

Invariants, each with a test of its name in ``tests/connection/test_streams.py``:
    ordered         items come in order, a gap where events were lost
    ends            the stream ends when it is closed, or its connection is
    no_missed_wake  a consumer that waits is woken by the next event, whenever it comes
"""

from collections import deque
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from virevents.dispatch import Callback, EventState, PulledDelivery
from virevents.model import DomainEvent, Gap
from virevents.sync import Birth, Gate

__all__ = ["EventStream", "StreamDelivery", "taken_from_a_stream"]

E = TypeVar("E", bound=DomainEvent)


class StreamDelivery(PulledDelivery):
    """A mailbox that ends with its callback at once: a stream has no call in flight."""

    def end(self, callback: Callback) -> None:
        """Tell the consumer; a closed stream is released here, for nobody may come any more."""
        super().end(callback)
        if callback.is_closed:
            callback.end()


class EventStream(Generic[E]):
    """An iterator over events and gaps; made by ``Connection.events``. One consumer at a time.

    It ends (``StopIteration``) when it is closed or its connection is. ``close`` may be called
    by any thread.
    """

    def __init__(self, state: EventState, callback: Callback, capacity: int) -> None:
        self._state: Final = state
        self._callback: Final = callback
        self._birth: Final = Birth()
        self._gate = Gate("an event")  # by its consumer, read by the notifier
        self._items: deque[DomainEvent | Gap] = deque()  # by its consumer
        self.delivery: Final = StreamDelivery(callback, capacity, self._on_items)

    def get(self, timeout: float | None = None) -> E | Gap | None:
        """Take the next item.

        Args:
            timeout: The longest wait in seconds; None waits for as long as it takes.

        Returns:
            An event or a gap, or None when none came in time.

        Raises:
            StopIteration: The stream has ended.
            WouldBlockError: None is there, and this is a loop thread.
        """
        self._birth.check(f"the stream {self._callback.name}")
        if self._callback.is_closed:
            self._items.clear()
        while not self._items:
            gate = self._gate = Gate("an event")
            taken = self.delivery.take()
            if taken.is_over or self._callback.is_closed:  # what it had not begun is discarded
                self._callback.end()
                raise StopIteration
            if taken.gap is not None:
                self._items.append(taken.gap)
            self._items.extend(taken.events)
            if not self._items and not gate.wait(timeout):
                return None
        item = self._items.popleft()
        if not isinstance(item, Gap):
            self._callback.begun += 1
        # The filter lets only the kind of event through that the stream was made for.
        return item  # type: ignore[return-value]

    def close(self) -> None:
        """End the stream. Idempotent, from any thread; waits for nothing."""
        if self._birth.is_foreign:
            self._callback.is_closed = True
            return
        self._state.deregister_later(self._callback)
        self._gate.open()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return self._callback.is_closed

    def _on_items(self) -> None:
        self._gate.open()

    def __iter__(self) -> Self:
        """Return the stream."""
        return self

    def __next__(self) -> E | Gap:
        """Take the next item, waiting for as long as it takes."""
        item = self.get()
        if item is None:  # get() without a timeout returns only with an item
            raise StopIteration
        return item

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def taken_from_a_stream(event: DomainEvent) -> None:
    """Stand in for the callback of a stream; it is never called."""
