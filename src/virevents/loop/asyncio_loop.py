# SPDX-License-Identifier: LGPL-2.1-or-later
"""A ``Loop`` on an asyncio event loop: the wake-up, and what other threads hand over.

It stands apart from the thread that runs it, because a caller's own asyncio loop serves as well.

Locking:
    ``_lock`` (WAKEUP, a leaf) guards what is marked below. The wake-up coalesces: whoever finds
    no wake pending signals the descriptor; the loop clears ``pending`` under the lock and only
    then looks at the work, so that nothing handed over later can be missed. The signal comes
    before the flag, so that Ctrl-C between the two costs a spurious wake and never a lost one.

Invariants, each with a test of its name in ``tests/loop/test_asyncio_loop.py``:
    in_order         calls run in the order in which they were handed over
    one_wake         many calls while the loop is busy cost one signal
    no_lost_wake     a call handed over at any point of the loop's turn is run
    every_wait_ends  a loop that stops fails every ``run`` handed to it
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

from virevents.errors import LoopStoppedError
from virevents.loop.base import Timer, Waker
from virevents.loop.jobs import Job
from virevents.sync import WAKEUP, Primitives, RankedLock, WakeSignal, primitives

__all__ = ["AsyncioLoop"]

T = TypeVar("T")

_log: Final = logging.getLogger("virevents.loop")


class AsyncioLoop:
    """The bridge into one asyncio loop; made on, or before the start of, its thread.

    Args:
        asyncio_loop: The loop; it must support ``add_reader``.
        name: Its name in logs and errors.
    """

    def __init__(self, asyncio_loop: asyncio.AbstractEventLoop, name: str) -> None:
        made_by: Primitives = primitives()
        self.asyncio_loop: Final = asyncio_loop
        self._name: Final = name
        self._lock: Final = RankedLock(WAKEUP)
        self._calls: list[Callable[[], None]] = []  # guarded by _lock
        self._asked: list[_Waker] = []  # guarded by _lock
        self._jobs: set[Job[object]] = set()  # guarded by _lock
        self._is_wake_pending = False  # guarded by _lock
        self._is_stopped = False  # guarded by _lock; one way
        # Not guarded: appended to by finalizers, which take no lock; emptied by the loop thread.
        self._nudged: Final[deque[_Waker]] = made_by.make_line(_Waker, f"nudges of {name}")
        self._descriptor: Final[WakeSignal] = made_by.make_wake_signal(f"the wake-up of {name}")
        asyncio_loop.add_reader(self._descriptor.fileno(), self._on_wake)

    @property
    def name(self) -> str:
        """Its name in logs and errors."""
        return self._name

    def is_current(self) -> bool:
        """Tell whether the calling thread is running this loop."""
        try:
            return asyncio.get_running_loop() is self.asyncio_loop
        except RuntimeError:
            return False

    def call(self, function: Callable[[], None]) -> None:
        """Have the loop run *function* soon, in the order of the calls. From any thread.

        Raises:
            LoopStoppedError: The loop has ended.
        """
        with self._lock:
            self._refuse_stopped_locked()
            self._calls.append(function)
            self._wake_locked()

    def call_later(self, delay: float, function: Callable[[], None]) -> Timer:
        """Have the loop run *function* after *delay* seconds. From any thread."""
        timer = _Timer(function)
        if self.is_current():
            self.asyncio_loop.call_later(delay, timer.fire)
        else:
            self.call(lambda: self._start_timer(delay, timer))
        return timer

    def _start_timer(self, delay: float, timer: "_Timer") -> None:
        self.asyncio_loop.call_later(delay, timer.fire)

    def make_waker(self, function: Callable[[], None]) -> Waker:
        """Make a waker for *function*; from any thread."""
        return _Waker(self, function)

    def run(
        self, make: Callable[[], Coroutine[object, object, T]], *, timeout: float, what: str
    ) -> T:
        """Run a coroutine on the loop and wait for its end; never from a loop thread.

        Raises:
            OperationTimeoutError: It did not end in time; it is cancelled then.
            LoopStoppedError: The loop ended first.
            WouldBlockError: This is a loop thread.
        """
        job: Job[T] = Job(make, what)
        with self._lock:
            self._refuse_stopped_locked()
            self._jobs.add(job)
        try:
            self.call(job.begin)
            return job.result(timeout, on_timeout=lambda: self.call(job.cancel))
        finally:
            with self._lock:
                self._jobs.discard(job)

    def stop_accepting(self) -> None:
        """Refuse calls from now on, and fail what waits; by whoever stops the loop. Idempotent."""
        with self._lock:
            self._is_stopped = True
            jobs, self._jobs = self._jobs, set()
            dropped, self._calls = self._calls, []
        for job in jobs:
            job.fail(LoopStoppedError(f"{self._name} stopped before it was done with {job.what}"))
        if dropped:
            _log.debug("%s stopped with %d calls not run", self._name, len(dropped))

    def detach(self) -> None:
        """Take the wake-up off the asyncio loop and give back its descriptor; on its thread."""
        self.asyncio_loop.remove_reader(self._descriptor.fileno())
        self._descriptor.close()

    def _refuse_stopped_locked(self) -> None:
        if self._is_stopped:
            raise LoopStoppedError(f"{self._name} has stopped and takes no more calls")

    def _wake_locked(self) -> None:
        if not self._is_wake_pending:
            self._descriptor.signal()
            self._is_wake_pending = True

    def _ask(self, waker: "_Waker") -> None:
        with self._lock:
            if not waker.is_pending and not self._is_stopped:
                self._asked.append(waker)
                self._wake_locked()
                waker.is_pending = True

    def _nudge(self, waker: "_Waker") -> None:
        self._nudged.append(waker)
        self._descriptor.signal()

    def _on_wake(self) -> None:
        self._descriptor.clear()
        with self._lock:
            self._is_wake_pending = False
            calls, self._calls = self._calls, []
            asked, self._asked = self._asked, []
            for waker in asked:
                waker.is_pending = False
        for function in calls:
            _run_logged(function)
        for waker in asked:
            _run_logged(waker.run)
        while self._nudged:
            _run_logged(self._nudged.popleft().run)


class _Waker:
    """A function of the loop's, with "the loop has been asked"."""

    __slots__ = ("_function", "_loop", "is_pending")

    def __init__(self, loop: AsyncioLoop, function: Callable[[], None]) -> None:
        self._loop: Final = loop
        self._function: Callable[[], None] | None = function  # one way: to None, read without
        self.is_pending = False  # guarded by the loop's _lock; a hint where read without

    def __call__(self) -> None:
        if not self.is_pending:
            self._loop._ask(self)  # noqa: SLF001  (two halves of one mechanism)

    def nudge(self) -> None:
        self._loop._nudge(self)  # noqa: SLF001

    def close(self) -> None:
        self._function = None

    def run(self) -> None:
        function = self._function
        if function is not None:
            function()


class _Timer:
    """A timer that any thread may cancel."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function  # one way: to None, read without

    def cancel(self) -> None:
        self._function = None

    def fire(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            _run_logged(function)


def _run_logged(function: Callable[[], None]) -> None:
    """Run *function*; what it raises is logged and stops nothing: this is a thread's top."""
    try:
        function()
    except Exception:  # noqa: BLE001  (the top of a thread; logged)
        _log.exception("an internal call on the event loop failed")
