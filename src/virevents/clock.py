# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clocks: the only module that reads the system's.

It stands apart so that every other room can be run on a ``ManualClock`` (``virevents.testing``)
and no test depends on real time.

Immutable: a clock has no state of its own here.
"""

import time
from typing import Final, Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock", "monotonic", "wall_time"]

# The two functions that a hot path binds directly: one call, no attribute look-up.
monotonic: Final = time.monotonic
wall_time: Final = time.time


class Clock(Protocol):
    """Where the time comes from; safe from any thread."""

    def time(self) -> float:
        """Return the wall clock in seconds since the epoch; it may step."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary point; it never steps back. Deadlines are on it."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def time(self) -> float:
        """Return the wall clock in seconds since the epoch."""
        return wall_time()

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds."""
        return monotonic()


SYSTEM_CLOCK: Final[Clock] = SystemClock()
