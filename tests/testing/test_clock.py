# SPDX-License-Identifier: LGPL-2.1-or-later
"""``ManualClock``: time that passes only when a test says so."""

import pytest

from virevents.clock import Clock
from virevents.testing import ManualClock


def test_stands_still() -> None:
    clock: Clock = ManualClock(time=5.0, monotonic=7.0)
    assert [clock.time(), clock.time()] == [5.0, 5.0]
    assert [clock.monotonic(), clock.monotonic()] == [7.0, 7.0]


def test_advance_turns_both_clocks() -> None:
    clock = ManualClock(time=5.0, monotonic=7.0)
    clock.advance(1.5)
    assert (clock.time(), clock.monotonic()) == (6.5, 8.5)


def test_never_steps_back() -> None:
    clock = ManualClock(time=5.0, monotonic=7.0)
    clock.set_time(1.0)
    assert (clock.time(), clock.monotonic()) == (1.0, 7.0)
    with pytest.raises(ValueError, match="met -1"):
        clock.advance(-1)
    assert (clock.time(), clock.monotonic()) == (1.0, 7.0)
