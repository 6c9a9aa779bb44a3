# SPDX-License-Identifier: LGPL-2.1-or-later
"""``EventState``: queue, callbacks and flush timer of one driver.

It stands apart as the one object that a driver needs of the dispatcher: it pushes here and knows
no subscription. Every driver has one; none has a queue, callback list or timer of its own.

Locking:
    Queue and registry have their own locks. Which thread flushes is decided by taking the one
    token out of ``_flush_token``, a line of one place, so that a flush begun during another,
    on any thread or beneath a callback, notes that more is to do and returns. What is marked
    "by the flush" below belongs to the token's holder.

Invariants, each with a test of its name in ``tests/dispatch/test_state.py``:
    one_flush       two flushes of a state never overlap
    none_left       an event pushed before or during a flush is flushed by it or by a later one
    reschedules     a flush that raises or reaches its limit leaves a wake behind
    silent_when_closed  after ``close`` nothing is dispatched, even by a wake still under way
    waits_to_be_heard   what waits for the first callback runs once, after it is on record
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from virevents.dispatch.callback import Callback
from virevents.dispatch.delivery import Delivery
from virevents.dispatch.functions import dispatch_batch
from virevents.dispatch.queue import EventQueue
from virevents.dispatch.registry import CallbackRegistry
from virevents.errors import OperationTimeoutError
from virevents.loop import Loop
from virevents.model import DomainEvent
from virevents.sync import Gate, is_loop_thread, primitives

__all__ = ["HAND_OVERS_A_FLUSH", "HIGH_WATER", "EventState"]

# Above this many events in the queue a modifying call waits for the flush (C9).
HIGH_WATER: Final = 8_192

# A flush hands over at most about this many events, then lets the loop do other things.
HAND_OVERS_A_FLUSH: Final = 1_000

# How long a modifying call waits for room before it gives up, in seconds.
_ROOM_TIMEOUT: Final = 30.0


class _Unheard(NamedTuple):
    """What waits for the first callback."""

    tell: Callable[[], None]


class EventState:
    """The event side of one driver; safe from any thread.

    (libvirt: ``virDomainEventState``; 2008: the driver's queue, callback list and timer.)

    Args:
        loop: Runs the flush.
        capacity: The high-water mark of the queue, in events.
    """

    def __init__(self, loop: Loop, *, capacity: int = HIGH_WATER) -> None:
        self.loop: Final = loop
        self._waker: Final = loop.make_waker(self.flush)
        self.queue: Final = EventQueue(capacity, self._waker)
        self.registry: Final = CallbackRegistry(self.queue.start)
        self._flush_token: Final[deque[None]] = primitives().make_line(type(None), "flush token")
        self._flush_token.append(None)
        self._must_flush_again = False  # set by anybody, cleared by the flush before it drains
        self._flushed = 0  # by the flush, read without
        # Not guarded: appended to by any thread, emptied by the flush.
        self._marks: Final[deque[tuple[int, Callback, Gate]]] = primitives().make_line(
            tuple[int, Callback, Gate], "marks"
        )
        # Not guarded: appended to by the driver, emptied by whoever registers.
        self._unheard: Final[deque[_Unheard]] = primitives().make_line(
            _Unheard, "what waits to be heard"
        )
        self._is_closed = False  # one way: False to True, read without
        # The push of a driver is the queue's, without a call in between.
        self.push: Final[Callable[[DomainEvent], int]] = self.queue.push

    def register(self, callback: Callback, delivery: Delivery | None = None) -> int:
        """Put *callback* on record; see ``CallbackRegistry.add``."""
        callback_id = self.registry.add(callback, delivery)
        self._hear()
        return callback_id

    def when_heard(self, function: Callable[[], None]) -> None:
        """Have *function* run once, as soon as a callback is on record: now if one is.

        For a driver that has something to tell from before anybody could listen. It runs on the
        thread that registers, loop threads among them, with nothing held; what it pushes reaches
        the callback that was just registered.
        """
        self._unheard.append(_Unheard(function))
        if self.registry.callbacks:
            self._hear()

    def _hear(self) -> None:
        while self._unheard:
            try:
                unheard = self._unheard.popleft()
            except IndexError:  # another thread was faster
                break
            unheard.tell()

    def deregister(self, callback: Callback) -> None:
        """Take *callback* off and end it; its gate ``released`` opens at the very end.

        Holds nothing, may run the release hook: never under a lock. See ``deregister_later``.
        """
        callback.is_closed = True
        self.registry.remove(callback.id)

    def deregister_later(self, callback: Callback) -> None:
        """Keep *callback* from beginning any call and have the flush do the rest.

        Takes no lock and waits for nothing: for finalizers, and for callbacks.
        """
        self.registry.mark_deleted(callback)
        self._waker.nudge()

    def flush(self) -> None:
        """Hand over what is queued, up to a limit, then purge the closing line.

        The timer's function; a driver may call it itself, with nothing held. Runs direct
        callbacks. A flush during a flush returns at once.
        """
        self._must_flush_again = True
        try:
            self._flush_token.pop()
        except IndexError:
            return  # the token's holder looks at the note after it has given the token back
        try:
            self._must_flush_again = False
            self._flush_once()
        finally:
            self._flush_token.append(None)
            if self._must_flush_again or len(self.queue) or self.registry.has_marked:
                self._waker()

    def _flush_once(self) -> None:
        if self._is_closed:
            return
        try:
            events = self.queue.drain(self._limit())
            dispatch_batch(events, self.registry)
            if events:
                self._flushed = events[-1].sequence
        finally:
            self._pass_marks()
            self.registry.purge_marked()

    def _limit(self) -> int | None:
        # For direct callbacks each call is a hand-over; for a mailbox, all events together.
        direct = self.registry.direct_count
        return max(1, HAND_OVERS_A_FLUSH // direct) if direct else None

    def make_room(self, timeout: float = _ROOM_TIMEOUT) -> None:
        """Wait until the queue is below its high-water mark; on the loop thread, flush.

        For a driver, before a modifying call changes anything; with nothing held but a turn.

        Raises:
            OperationTimeoutError: There is still no room after *timeout* seconds.
        """
        gate = self.queue.room_gate()
        if gate is None:
            return
        if is_loop_thread():
            self.flush()
        elif not gate.wait(timeout):
            raise OperationTimeoutError(
                f"the event queue was full for {timeout:g} s: a direct callback blocks the flush"
            )

    def mark(self, callback: Callback, gate: Gate) -> None:
        """Open *gate* once all that was pushed so far has been delivered to *callback*, or lost."""
        self._marks.append((self.queue.last_sequence, callback, gate))
        self._waker()
        if self._is_closed:  # the close may have been faster than the append
            self._open_marks()

    def _pass_marks(self) -> None:
        for mark in self._take_marks():
            goal, callback, gate = mark
            if goal > self._flushed and len(self.queue):
                self._marks.append(mark)
            elif callback.delivery is None or callback.is_closed:
                gate.open()
            else:
                callback.delivery.mark(gate)
        if self._is_closed:  # the close may have been faster than an append
            self._open_marks()

    def _take_marks(self) -> list[tuple[int, Callback, Gate]]:
        taken = []
        while self._marks:
            try:
                taken.append(self._marks.popleft())
            except IndexError:  # another thread was faster
                break
        return taken

    def _open_marks(self) -> None:
        for _, _, gate in self._take_marks():
            gate.open()

    def close(self) -> None:
        """End all callbacks, free all events, refuse both from now on. Idempotent."""
        self._is_closed = True
        self._waker.close()
        self.queue.close()
        self.registry.close()
        self._open_marks()
