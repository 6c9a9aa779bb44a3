# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events on an asyncio loop: the stream, and the task that runs a subscriber's callback.

They stand apart from the face (``aio``), which only names them.

Confined to the asyncio loop on which they were made, except for the notification, which the
flush sends: at most one hand-over to the loop is outstanding, for all that waits.

Invariants, each with a test of its name in ``tests/connection/test_async_events.py``:
    ordered          items come in order, a gap where events were lost
    ends             a stream ends when it is closed, its connection is, or its loop is
    no_wait_inside   a callback that awaits the end of a callback gets False at once (C5)
    released_once    the release hook runs once, after the last call
    awaiting_is_running  figures count a callback that awaits as running, and its time
"""

import asyncio
import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from virevents.clock import monotonic
from virevents.connection.subscription import Subscription, SubscriptionStats
from virevents.dispatch import Callback, EventState, PulledDelivery
from virevents.model import DomainEvent, Gap
from virevents.sync import Birth, Gate

__all__ = ["AsyncCallback", "AsyncEventStream", "AsyncSubscription", "is_in_callback"]

E = TypeVar("E", bound=DomainEvent)

# Set in the tasks that run a subscriber's callbacks: they wait for no callback (C5).
_in_callback: Final[ContextVar[bool]] = ContextVar("virevents_in_callback", default=False)

# How long leaving a block may take to deliver what was pushed before, in seconds (C4).
_DRAIN_AT_EXIT: Final = 5.0


def is_in_callback() -> bool:
    """Tell whether this task runs a subscriber's callback, or was started by one."""
    return _in_callback.get()


class AsyncEventStream(PulledDelivery, Generic[E]):
    """An asynchronous iterator over events and gaps. One consumer at a time.

    It ends when it is closed or its connection is.

    Args:
        callback: The record under which it is registered.
        capacity: The most events that wait at once.
        state: Where it is registered.
        run_elsewhere: Runs a function on a worker; for the end when the loop is gone.
        has_runner: Whether a task consumes it, which brings the callback to its end.
    """

    def __init__(
        self,
        callback: Callback,
        capacity: int,
        state: EventState,
        run_elsewhere: Callable[[Callable[[], object]], None],
        *,
        has_runner: bool = False,
    ) -> None:
        super().__init__(callback, capacity, self._hand_over)
        self._loop: Final = asyncio.get_running_loop()
        self._state: Final = state
        self._run_elsewhere: Final = run_elsewhere
        self._has_runner: Final = has_runner
        self._birth: Final = Birth()
        self._has_items: Final = asyncio.Event()
        self._items: deque[DomainEvent | Gap] = deque()  # loop thread only

    @property
    def callback(self) -> Callback:
        """The record under which it is registered."""
        return self._callback

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return self._callback.is_closed

    def end(self, callback: Callback) -> None:
        """Tell the consumer of the end; where nobody consumes any more, release here."""
        super().end(callback)
        if self._loop.is_closed():
            self._run_elsewhere(callback.end)
        elif callback.is_closed and not self._has_runner:
            callback.end()

    def close(self) -> None:
        """End the stream. Idempotent; waits for nothing."""
        if self._birth.is_foreign:
            self._callback.is_closed = True
            return
        self._state.deregister_later(self._callback)
        self._has_items.set()

    async def next_item(self) -> E | Gap | None:
        """Take the next item, or return None when the stream has ended."""
        self._birth.check(f"the stream {self._callback.name}")
        while not self._callback.is_closed:
            if self._items:
                # The filter lets only the kind of event through that the stream was made for.
                return self._items.popleft()  # type: ignore[return-value]
            self._has_items.clear()
            taken = self.take()
            if taken.is_over:
                break
            if taken.gap is not None:
                self._items.append(taken.gap)
            self._items.extend(taken.events)
            if not self._items:
                await self._has_items.wait()
        self._items.clear()  # what it has not given is dropped (C4)
        return None

    def __aiter__(self) -> Self:
        """Return the stream."""
        return self

    async def __anext__(self) -> E | Gap:
        """Take the next item."""
        item = await self.next_item()
        if item is None:
            self._callback.end()
            raise StopAsyncIteration
        if not isinstance(item, Gap):
            self._callback.begun += 1
        return item

    async def __aenter__(self) -> Self:
        """Return the stream."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _hand_over(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._has_items.set)
        except RuntimeError:  # the loop is closed: nobody can come any more
            self._state.registry.mark_deleted(self._callback)
            self._run_elsewhere(self._callback.end)


class AsyncCallback:
    """A subscriber's function, which may return an awaitable, as the record calls it.

    Args:
        function: The subscriber's.
    """

    def __init__(self, function: Callable[[DomainEvent], object]) -> None:
        self._function: Final = function
        self._awaitable: Awaitable[object] | None = None  # loop thread only
        self.__qualname__: Final[str] = getattr(function, "__qualname__", repr(function))

    def __call__(self, event: DomainEvent) -> None:
        """Call it, and keep what is to be awaited."""
        result = self._function(event)
        if inspect.isawaitable(result):
            self._awaitable = result

    def take_awaitable(self) -> Awaitable[object] | None:
        """Return what the last call left to be awaited."""
        awaitable, self._awaitable = self._awaitable, None
        return awaitable


class AsyncSubscription:
    """A callback that was put on; made by ``aio.Connection.subscribe``.

    As an asynchronous context manager it delivers, when the block ends without an exception,
    what was pushed before (at most 5 s), and closes.
    """

    def __init__(
        self, stream: AsyncEventStream[DomainEvent], state: EventState, function: AsyncCallback
    ) -> None:
        self._stream: Final = stream
        self._state: Final = state
        self._function: Final = function
        self._birth: Final = Birth()
        self._ended: Final = asyncio.Event()
        self._draining: Final[set[_AsyncGate]] = set()  # loop thread only
        self._task: Final = asyncio.get_running_loop().create_task(
            self._run(), name=f"virevents {stream.callback.name}"
        )
        # Not in the task itself: one that is cancelled before its first step never runs.
        self._task.add_done_callback(self._on_done)

    @property
    def id(self) -> int:
        """Its number, unique for its driver (libvirt: callback id)."""
        return self._stream.callback.id

    @property
    def is_closed(self) -> bool:
        """Whether it begins no further call; one may still be in flight."""
        return self._stream.is_closed

    @property
    def stats(self) -> SubscriptionStats:
        """Its figures now."""
        return Subscription(self._state, self._stream.callback).stats

    async def close(self, *, wait: bool = True) -> bool:
        """Put the callback off; what it has not begun is dropped.

        Args:
            wait: Wait for the call in flight and for the release hook. In a callback, or in a
                task that one started, nothing is waited for.

        Returns:
            True when the callback is not running and never runs again.
        """
        self._stream.close()
        if self._birth.is_foreign:  # no lock, no hook, no wait in a forked child
            return True
        if wait and not is_in_callback():
            await self._ended.wait()
        return self._ended.is_set()

    async def drain(self, timeout: float) -> bool:
        """Wait until all that was pushed before this call was delivered, or counted in a gap.

        Returns:
            Whether it was, within *timeout* seconds. In a callback nothing is waited for.
        """
        self._birth.check(self._stream.callback.name)
        if is_in_callback() or self.is_closed:
            return False
        gate = _AsyncGate(f"the delivery of what {self._stream.callback.name} was sent")
        self._draining.add(gate)
        self._state.mark(self._stream.callback, gate)
        try:
            async with asyncio.timeout(timeout):
                await gate.is_opened.wait()
        except TimeoutError:
            return False
        finally:
            self._draining.discard(gate)
        return not self.is_closed

    async def __aenter__(self) -> Self:
        """Return the subscription."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Deliver what was pushed before, unless the block raised, and close."""
        if kind is None:
            await self.drain(_DRAIN_AT_EXIT)
        await self.close()

    async def _run(self) -> None:
        _in_callback.set(True)
        while (item := await self._stream.next_item()) is not None:
            await self._deliver(item)

    def _on_done(self, _: asyncio.Task[None]) -> None:
        self._stream.close()
        self._stream.callback.end()
        self._ended.set()
        for gate in self._draining:  # nobody takes any more, so the marks are not reached
            gate.is_opened.set()

    async def _deliver(self, item: DomainEvent | Gap) -> None:
        callback = self._stream.callback
        if isinstance(item, Gap):
            callback.tell_gap(item)
            return
        began = monotonic()
        callback.run((item,))
        awaitable = self._function.take_awaitable()
        if awaitable is None:
            return
        callback.thread_ident = threading.get_ident()  # it runs until the awaitable has ended
        try:
            await awaitable
        except BaseException as error:
            if self._task.cancelling():
                raise
            callback.note_error(item, error)
        finally:
            callback.thread_ident = 0
            callback.slowest = max(callback.slowest, monotonic() - began)


class _AsyncGate(Gate):
    """A gate that a task of this loop waits for."""

    __slots__ = ("_loop", "is_opened")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._loop: Final = asyncio.get_running_loop()
        self.is_opened: Final = asyncio.Event()

    def open(self) -> None:
        """Let the waiting task go on; from any thread."""
        super().open()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self.is_opened.set)
