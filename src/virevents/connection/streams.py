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
from typing import Final, Generic, NoReturn, Self, TypeVar

from virevents.dispatch import Callback, EventState, PulledDelivery
from virevents.model import DomainEvent, Gap
from virevents.sync import Birth, Gate, refuse_to_block

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
            WouldBlockError: None is there, *timeout* is not 0, and this is a loop thread.
        """
        self._birth.check(f"the stream {self._callback.name}")
        while not self._items:
            gate = self._gate = Gate("an event")
            self._take()
            if not self._items and not _wait(gate, timeout):
                return None
        if self._callback.is_closed:  # what it has not given is dropped (C4)
            self._end()
        item = self._items.popleft()
        if not isinstance(item, Gap):
            self._callback.begun += 1
        # The filter lets only the kind of event through that the stream was made for.
        return item  # type: ignore[return-value]

    def _take(self) -> None:
        taken = self.delivery.take()
        if taken.is_over or self._callback.is_closed:
            self._end()
        if taken.gap is not None:
            self._items.append(taken.gap)
        self._items.extend(taken.events)

    def _end(self) -> NoReturn:
        self._items.clear()
        self._callback.end()
        raise StopIteration

    def close(self) -> None:
        """End the stream. Idempotent, from any thread, also from a finalizer; takes no lock."""
        if self._birth.is_foreign:
            self._callback.is_closed = True
            return
        # The flush tells the consumer. Not here: a gate has a lock, and a finalizer takes none.
        self._state.deregister_later(self._callback)

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


def _wait(gate: Gate, timeout: float | None) -> bool:
    """Wait at *gate*; with no time to wait, on whichever thread, only look."""
    if timeout is not None and timeout <= 0:
        return gate.is_open
    refuse_to_block("waiting for an event")
    return gate.wait(timeout)


def taken_from_a_stream(event: DomainEvent) -> None:
    """Stand in for the callback of a stream; it is never called."""
