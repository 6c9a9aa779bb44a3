# SPDX-License-Identifier: LGPL-2.1-or-later
"""The callbacks of one event state: who is on record, and who is on the way out.

It stands apart because registering and deregistering happen on any thread at any time, while
dispatching reads: the list is published as a tuple and replaced whole.

Locking:
    ``_lock`` (REGISTRY, an owner) guards what is marked below; only the queue's number is read
    under it. What was taken out is ended after it is let go, so that no user's code runs here.
    A finalizer takes no lock: ``mark_deleted`` sets a flag and appends to the closing line,
    which ``purge_marked`` empties later. (2008: only marks, a safe point purges.)

Invariants, each with a test of its name in ``tests/dispatch/test_registry.py``:
    begins_after     a callback gets no event pushed before it was registered, and all after
    ended_once       each callback leaves the list once and is ended
    mark_takes_none  ``mark_deleted`` takes no lock
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from virevents.dispatch.callback import Callback
from virevents.dispatch.delivery import Delivery, DirectDelivery
from virevents.dispatch.queue import Starting
from virevents.errors import ClosedError, LocalProtocolError
from virevents.sync import REGISTRY, RankedLock, assert_held, primitives

__all__ = ["CallbackRegistry"]


class CallbackRegistry:
    """The callback list of one event state; safe from any thread.

    (libvirt 2008: ``virDomainEventCallbackListAdd``, ``Remove``, ``RemoveConn``,
    ``MarkDelete``, ``PurgeMarked``, ``Free``.)

    Args:
        start: Has a callback begin after the newest event (``EventQueue.start``); by default
            it begins with the first.
    """

    def __init__(self, start: Callable[[Starting], None] | None = None) -> None:
        self._start: Final = start or _start_with_the_first
        self._lock: Final = RankedLock(REGISTRY)
        self._callbacks: tuple[
            Callback, ...
        ] = ()  # published: replaced whole under _lock, read without
        self._direct_count = 0  # published: replaced whole under _lock, read without
        self._next_id = 0  # guarded by _lock
        self._is_closed = False  # guarded by _lock; one way
        # Not guarded: appended to by finalizers, which take no lock.
        self._closing_line: Final[deque[Callback]] = primitives().make_line(
            Callback, "closing line"
        )

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """The callbacks on record now; a snapshot that does not change."""
        return self._callbacks

    @property
    def direct_count(self) -> int:
        """How many of them are called on the thread that flushes."""
        return self._direct_count

    @property
    def has_marked(self) -> bool:
        """Whether a marked callback waits for the purge."""
        return bool(self._closing_line)

    def add(self, callback: Callback, delivery: Delivery | None = None) -> int:
        """Put *callback* on record; it gets every matching event from now on.

        It is listed first; then its start is read and stored in one section of the queue's lock.
        Any other order loses an event that is pushed and flushed between two of the steps. An
        event that the flush meets while the start is not set was pushed before it is.

        Args:
            callback: A new callback.
            delivery: How events reach it; called on the flushing thread by default.

        Returns:
            The callback id: unique here, never used again.

        Raises:
            ClosedError: The registry is closed.
            LocalProtocolError: The callback is on record already, here or elsewhere.
        """
        with self._lock:
            if self._is_closed:
                raise ClosedError("the callback registry is closed and takes no more callbacks")
            if callback.delivery is not None:
                raise LocalProtocolError(f"{callback.name} is on record already")
            callback.delivery = delivery or DirectDelivery()
            callback.id = self._next_id
            self._next_id += 1
            self._publish_locked((*self._callbacks, callback))
            self._start(callback)
        return callback.id

    def find(self, callback_id: int) -> Callback | None:
        """Return the callback with that number, or None when it is not on record."""
        return next((c for c in self._callbacks if c.id == callback_id), None)

    def remove(self, callback_id: int) -> bool:
        """Take a callback off and end it: now, or when its call in flight returns.

        Holds nothing afterwards; may run the release hook, so never under a lock.

        Returns:
            Whether it was on record.
        """
        return bool(self._remove_if(lambda c: c.id == callback_id, is_closing=True))

    def remove_connection(self, owner: object, *, is_closing: bool = True) -> int:
        """Take off and end all callbacks of one connection.

        Args:
            owner: The connection that they were registered for.
            is_closing: False lets each deliver first what has arrived (a lost connection).

        Returns:
            How many there were.
        """
        return self._remove_if(lambda c: c.owner is owner, is_closing=is_closing)

    def mark_deleted(self, callback: Callback) -> None:
        """Keep *callback* from beginning any call; ``purge_marked`` does the rest.

        Takes no lock, waits for nothing, runs no hook: for callbacks, finalizers and a driver
        that holds its own lock.
        """
        callback.is_closed = True
        self._closing_line.append(callback)

    def purge_marked(self) -> int:
        """End all marked callbacks; at a safe point, with nothing held.

        Returns:
            How many there were.
        """
        marked: set[Callback] = set()
        while self._closing_line:
            try:
                marked.add(self._closing_line.popleft())
            except IndexError:  # another thread was faster
                break
        return self._remove_if(lambda c: c in marked, is_closing=True) if marked else 0

    def close(self) -> None:
        """Take off and end all callbacks and refuse later ones. Idempotent."""
        with self._lock:
            self._is_closed = True
        self._remove_if(lambda _: True, is_closing=True)

    def _remove_if(self, must_go: Callable[[Callback], bool], *, is_closing: bool) -> int:
        with self._lock:
            gone = self._take_locked(must_go)
        _end(gone, is_closing=is_closing)
        return len(gone)

    def _take_locked(self, must_go: Callable[[Callback], bool]) -> list[Callback]:
        assert_held(self._lock)
        gone = [callback for callback in self._callbacks if must_go(callback)]
        if gone:
            self._publish_locked(tuple(c for c in self._callbacks if not must_go(c)))
        return gone

    def _publish_locked(self, callbacks: tuple[Callback, ...]) -> None:
        assert_held(self._lock)
        self._callbacks = callbacks
        self._direct_count = sum(isinstance(c.delivery, DirectDelivery) for c in callbacks)


def _start_with_the_first(starting: Starting) -> None:
    starting.since = 0


def _end(callbacks: Iterable[Callback], *, is_closing: bool) -> None:
    for callback in callbacks:
        if is_closing:
            callback.is_closed = True
        if callback.delivery is not None:
            callback.delivery.end(callback)
