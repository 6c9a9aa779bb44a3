# SPDX-License-Identifier: LGPL-2.1-or-later
"""``ManualClock``: time that passes only when a test says so.

It stands apart from the system's clocks (``virevents.clock``) because only tests want it.

Locking: none. Both readings are floats that are replaced whole; one thread at a time turns the
clock, and any may read it.

Invariants, each with a test of its name in ``tests/testing/test_clock.py``:
    stands_still     without ``advance`` every reading is the same
    never_steps_back the monotonic reading only grows, whatever the wall clock is set to
"""

__all__ = ["ManualClock"]


class ManualClock:
    """A clock that stands still until it is turned; implements ``virevents.clock.Clock``.

    Args:
        time: The wall clock's first reading, in seconds since the epoch.
        monotonic: The monotonic clock's first reading, in seconds.
    """

    __slots__ = ("_monotonic", "_time")

    def __init__(self, *, time: float = 1_000_000_000.0, monotonic: float = 1_000.0) -> None:
        self._time = time  # published: replaced whole by whoever turns the clock
        self._monotonic = monotonic  # likewise

    def time(self) -> float:
        """Return the wall clock in seconds since the epoch."""
        return self._time

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass on both clocks.

        Raises:
            ValueError: *seconds* is negative: time does not run backwards. ``set_time`` does
                what a stepped wall clock does.
        """
        if seconds < 0:
            raise ValueError(f"expected seconds to pass, met {seconds:g}")
        self._time += seconds
        self._monotonic += seconds

    def set_time(self, time: float) -> None:
        """Step the wall clock to *time*, as an administrator does; the monotonic one goes on."""
        self._time = time
