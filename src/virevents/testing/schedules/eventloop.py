# SPDX-License-Identifier: LGPL-2.1-or-later
"""``ExploredEventLoop``: what stands for an asyncio loop during an exploration.

It stands apart because the real ones wait in the kernel, where no schedule reaches. The bridge
above it (``virevents.loop.AsyncioLoop``) is the one that ships, with its wake-up and its order.

What it has: calls, timers on virtual time, and readers of the exploration's own wake signals. It
runs no tasks.

Confined to the thread that runs it, but for ``call_soon_threadsafe`` and ``stop``; each turn of
the loop, and each call handed over from another thread, is a step.
"""

import asyncio
import heapq
from asyncio import events as asyncio_events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple, cast

from virevents.loop import AsyncioLoop
from virevents.sync import Role, in_role
from virevents.testing.schedules.objects import ExploredWakeSignal
from virevents.testing.schedules.run import Run
from virevents.testing.schedules.threads import Waitable

__all__ = ["ExploredEventLoop", "start_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


if TYPE_CHECKING:
    _EventLoop = object  # it has only a part of what the real type promises
else:
    _EventLoop = asyncio.AbstractEventLoop  # asyncio asks for it in set_event_loop


class _Rest(Waitable):
    """What the loop waits for between two turns."""

    __slots__ = ()
    is_rest = True


class ExploredEventLoop(_EventLoop):
    """An event loop that one thread of a schedule runs.

    Args:
        run: The schedule.
        name: Its name in traces.
    """

    def __init__(self, run: Run, name: str = "loop") -> None:
        self._run: Final = run
        self._rest: Final = _Rest(f"work of {name}", is_open=False)
        self._ready: Final[deque[asyncio.Handle]] = deque()  # the running thread only
        self._timers: Final[list[tuple[float, int, asyncio.TimerHandle]]] = []  # likewise
        self._readers: Final[dict[int, tuple[ExploredWakeSignal, asyncio.Handle]]] = {}  # likewise
        self._timer_count = 0  # the running thread only
        self._is_stopping = False  # the running thread only
        self._is_closed = False  # the running thread only; one way

    @property
    def as_asyncio(self) -> asyncio.AbstractEventLoop:
        """The same, for code that asks for an asyncio loop; it has only what is here."""
        return cast("asyncio.AbstractEventLoop", self)

    def time(self) -> float:
        """Return the virtual time."""
        return self._run.clock.monotonic()

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def is_closed(self) -> bool:
        """Tell whether it was closed."""
        return self._is_closed

    def close(self) -> None:
        """Refuse calls from now on."""
        self._is_closed = True

    def stop(self) -> None:
        """End ``run_forever`` after the present turn."""
        self._is_stopping = True
        self._update()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call on the next turn."""
        if self._is_closed:
            raise RuntimeError("Event loop is closed")
        handle = asyncio.Handle(callback, args, self.as_asyncio, context)
        self._ready.append(handle)
        self._update()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call on the next turn; from any thread."""
        self._run.switch("hands a call to the loop")
        handle = self.call_soon(callback, *args, context=context)
        self._run.switch("handed a call to the loop")
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call after *delay* virtual seconds."""
        self._timer_count += 1
        handle = asyncio.TimerHandle(self.time() + delay, callback, args, self.as_asyncio, context)
        heapq.heappush(self._timers, (handle.when(), self._timer_count, handle))
        return handle

    def add_reader(
        self,
        fd: int,
        callback: Callable[[*Ts], object],
        *args: *Ts,
    ) -> None:
        """Call whenever the wake signal with that number is set."""
        signal = self._run.primitives.signals[fd]
        self._readers[fd] = signal, asyncio.Handle(callback, args, self.as_asyncio)
        signal.on_change = self._update
        self._update()

    def remove_reader(self, fd: int) -> bool:
        """Stop watching."""
        return self._readers.pop(fd, None) is not None

    def call_exception_handler(self, context: dict[str, object]) -> None:
        """Raise what a call raised: it fails the schedule."""
        error = context.get("exception")
        raise error if isinstance(error, BaseException) else RuntimeError(context)

    def run_forever(self) -> None:
        """Take turns until ``stop``."""
        before = asyncio_events._get_running_loop()  # noqa: SLF001  (what loops are made with)
        asyncio_events._set_running_loop(self.as_asyncio)  # noqa: SLF001
        try:
            while not self._is_stopping:
                self._take_turn()
        finally:
            self._is_stopping = False
            asyncio_events._set_running_loop(before)  # noqa: SLF001

    def run_until_complete(self, future: Coroutine[object, object, T]) -> T:
        """Run a coroutine that waits for nothing."""
        try:
            future.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        raise NotImplementedError("no tasks here")

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: there are none."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when it is due."""

    def _update(self) -> None:
        self._rest.is_open = (
            bool(self._ready)
            or self._is_stopping
            or any(signal.is_open for signal, _ in self._readers.values())
        )

    def _take_turn(self) -> None:
        timeout = max(0.0, self._timers[0][0] - self.time()) if self._timers else None
        self._run.wait(self._rest, timeout, "finds")
        while self._timers and self._timers[0][0] <= self.time():
            self._ready.append(heapq.heappop(self._timers)[2])
        self._ready.extend(h for signal, h in self._readers.values() if signal.is_open)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001  (what loops do with handles)
        self._update()


def start_loop(run: Run, name: str = "loop") -> AsyncioLoop:
    """Start a loop thread in a schedule: the shipping bridge on an explored event loop.

    It is a daemon: a schedule may end while it has nothing to do.
    """
    event_loop = ExploredEventLoop(run, name)
    bridge = AsyncioLoop(event_loop.as_asyncio, name)

    def run_loop() -> None:
        with in_role(Role.LOOP, name):
            event_loop.run_forever()

    run.add_thread(name, run_loop, is_daemon=True)
    return bridge
