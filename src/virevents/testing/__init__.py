# SPDX-License-Identifier: LGPL-2.1-or-later
"""For tests of code that uses virevents, and for authors of drivers: shipped, and no test itself.

- ``ManualClock``: time that passes only when a test says so.
- ``explore`` and ``replay`` (``virevents.testing.schedules``): every order of threads that matters.
- ``virevents.testing.guests``: tiny real guests for QEMU, one domain event each.

Nothing here imports pytest.
"""

from virevents.testing.clock import ManualClock
from virevents.testing.schedules import (
    DeadlockError,
    Exploration,
    Rules,
    Run,
    ScheduleError,
    explore,
    explore_randomly,
    replay,
)

__all__ = [
    "DeadlockError",
    "Exploration",
    "ManualClock",
    "Rules",
    "Run",
    "ScheduleError",
    "explore",
    "explore_randomly",
    "replay",
]
