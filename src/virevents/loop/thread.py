# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two makers of loops: the library's own loop thread, and the caller's running asyncio loop.

They stand apart from the bridge they share (``asyncio_loop``): one has a life to manage, the
other is a guest in somebody else's.

Locking: none here. ``LoopThread`` is started once and stopped once, by the process record, which
holds nothing meanwhile.

Invariants, each with a test of its name in ``tests/loop/test_thread.py``:
    ends_clean     after ``stop`` no thread, task or descriptor of the loop is left
    stop_anywhere  ``stop`` works twice, and on the loop thread itself, where it does not wait
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from virevents.errors import LoopStoppedError
from virevents.loop.asyncio_loop import AsyncioLoop
from virevents.sync import Gate, Role, in_role, is_loop_thread, primitives

try:
    import uvloop
except ImportError:
    _make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
else:
    _make_loop = uvloop.new_event_loop

__all__ = ["LoopThread", "adopt_running_loop"]

_log: Final = logging.getLogger("virevents.loop")

# How long tasks that were cancelled at the stop may take to end, in seconds.
_TASKS_MAY_TAKE: Final = 1.0


class LoopThread:
    """The library's own loop in a daemon thread.

    Args:
        name: The thread's name, and the loop's in logs and errors.
    """

    def __init__(self, name: str = "virevents-loop") -> None:
        self._asyncio_loop: Final = _make_loop()
        self.loop: Final = AsyncioLoop(self._asyncio_loop, name)
        self._ended: Final = Gate(f"the end of {name}")

    def start(self) -> None:
        """Start the thread; once."""
        primitives().start_thread(self.loop.name, self._run)

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop the loop; idempotent, from any thread.

        Everything handed over and not done yet ends with ``LoopStoppedError``.

        Args:
            timeout: The longest wait for the thread's end in seconds. A loop thread (this one
                or another) does not wait at all.

        Returns:
            Whether the thread has ended.
        """
        try:
            self.loop.call(self._asyncio_loop.stop)
        except LoopStoppedError:
            _log.debug("%s was stopped before", self.loop.name)
        return self._ended.is_open if is_loop_thread() else self._ended.wait(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self._asyncio_loop)
        try:
            with in_role(Role.LOOP, self.loop.name):
                self._asyncio_loop.run_forever()
        finally:
            self._end()

    def _end(self) -> None:
        steps: tuple[Callable[[], None], ...] = (
            self.loop.stop_accepting,
            self._end_tasks,
            self.loop.detach,
            self._asyncio_loop.close,
            self._ended.open,
        )
        for step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001  (every step is taken; logged)
                _log.exception("%s: a step of its end failed", self.loop.name)

    def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._asyncio_loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._asyncio_loop.run_until_complete(asyncio.wait(tasks, timeout=_TASKS_MAY_TAKE))
        self._asyncio_loop.run_until_complete(self._asyncio_loop.shutdown_asyncgens())


def adopt_running_loop(name: str = "the caller's asyncio loop") -> AsyncioLoop:
    """Make a ``Loop`` of the asyncio loop that runs on this thread, without a thread of ours.

    Raises:
        RuntimeError: No asyncio loop runs on this thread.
    """
    return AsyncioLoop(asyncio.get_running_loop(), name)
