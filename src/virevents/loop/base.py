# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the rest of the library sees of an event loop: calls, wakers, timers.

It stands apart so that ``dispatch`` and the drivers run on the library's own loop thread, on a
caller's asyncio loop, and under a schedule explorer, without knowing which.

Locking: see the implementation, ``asyncio_loop``.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

__all__ = ["Loop", "Timer", "Waker"]

T = TypeVar("T")


class Timer(Protocol):
    """A deadline on the loop (libvirt: timeout)."""

    def cancel(self) -> None:
        """Keep the timer from firing, if it has not begun to. Idempotent, from any thread."""
        ...


class Waker(Protocol):
    """A function of the loop's that any thread may ask for; asking again changes nothing."""

    def __call__(self) -> None:
        """Have the loop run the function soon, once for all who asked. From any thread.

        Raises nothing: on a loop that stopped it does nothing.
        """
        ...

    def nudge(self) -> None:
        """The same, taking no lock: for finalizers and signal handlers."""
        ...

    def close(self) -> None:
        """Forget the function: once this returns on the loop thread it is not run any more."""
        ...


class Loop(Protocol):
    """One event loop, run by one thread."""

    @property
    def name(self) -> str:
        """Its name in logs and errors."""
        ...

    def is_current(self) -> bool:
        """Tell whether the calling thread is the one that runs this loop."""
        ...

    def call(self, function: Callable[[], None]) -> None:
        """Have the loop run *function* soon, in the order of the calls. From any thread.

        Raises:
            LoopStoppedError: The loop has ended.
        """
        ...

    def call_later(self, delay: float, function: Callable[[], None]) -> Timer:
        """Have the loop run *function* after *delay* seconds. From any thread.

        Raises:
            LoopStoppedError: The loop has ended.
        """
        ...

    def make_waker(self, function: Callable[[], None]) -> Waker:
        """Make a waker for *function*; from any thread."""
        ...

    def run(
        self, make: Callable[[], Coroutine[object, object, T]], *, timeout: float, what: str
    ) -> T:
        """Run a coroutine on the loop and wait for its end; never from a loop thread.

        Args:
            make: Makes the coroutine, on the loop thread.
            timeout: The longest wait in seconds; then the coroutine is cancelled.
            what: What is waited for, for errors.

        Raises:
            OperationTimeoutError: It did not end in time.
            LoopStoppedError: The loop ended first.
            WouldBlockError: This is a loop thread.
        """
        ...
