# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system's clocks are those of the operating system, and the only ones."""

import time

from virevents import clock


def test_the_wall_clock_is_the_systems() -> None:
    before = time.time()
    met = clock.SYSTEM_CLOCK.time()
    assert before <= met <= time.time()


def test_the_monotonic_clock_is_the_systems() -> None:
    before = time.monotonic()
    met = clock.SYSTEM_CLOCK.monotonic()
    assert before <= met <= time.monotonic()


def test_the_hot_paths_names_are_bare_functions() -> None:
    assert clock.monotonic is time.monotonic
    assert clock.wall_time is time.time
