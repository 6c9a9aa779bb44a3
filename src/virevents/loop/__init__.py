# SPDX-License-Identifier: LGPL-2.1-or-later
"""One ``Loop`` interface, two makers: the library's own loop thread, or the caller's asyncio loop.

Timers, the wake-up, and running a coroutine from another thread. uvloop is used where installed.
"""

from virevents.loop.asyncio_loop import AsyncioLoop
from virevents.loop.base import Loop, Timer, Waker
from virevents.loop.thread import LoopThread, adopt_running_loop

__all__ = ["AsyncioLoop", "Loop", "LoopThread", "Timer", "Waker", "adopt_running_loop"]
