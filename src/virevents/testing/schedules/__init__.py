# SPDX-License-Identifier: LGPL-2.1-or-later
"""A schedule explorer: runs threads one at a time, in every order that can matter.

A *scenario* builds fresh state and starts threads; the explorer runs it once for each schedule.
Every use of a lock, gate, line, doorbell or thread of ``virevents.sync`` is a *step*: there,
and nowhere else, another thread may go on. So the code under test runs unchanged, a failure is
found without luck, and its *seed* shows it again::

    from virevents.testing.schedules import Run, explore, replay

    def scenario(run: Run) -> None:
        queue = Queue()                        # fresh state, once for each schedule
        run.thread(queue.push, 1)
        run.thread(queue.close, name="closer")
        run.finally_(lambda: check(queue))     # once all threads have ended

    result = explore(scenario, preemptions=2)  # raises ScheduleError with a seed
    assert result.is_exhausted

    replay(scenario, "12:4,17:0")              # that schedule once more

What a thread raises, a failed final check, a lock against the order, a deadlock and a schedule
that does not end fail it. Code that waits with a timeout waits in virtual time. Threads that the
code under test starts itself take part as daemons: they may be idle at the end, at a doorbell.

Code that needs a ``Loop`` gets the shipping one, run by a thread of the schedule, from
``start_loop(run)``.

Code that uses locks of its own gets steps by ``run.lock(name)`` and ``run.switch(what)``, and
``Rules(lines=(module,))`` makes a step of every line of a module.

Confined to the thread that explores, and to one exploration at a time in a process.
"""

from virevents.testing.schedules.choosers import UnstableScenarioError
from virevents.testing.schedules.errors import (
    Blocked,
    DeadlockError,
    Moment,
    ScheduleError,
    SeedError,
)
from virevents.testing.schedules.eventloop import ExploredEventLoop, start_loop
from virevents.testing.schedules.rules import Rules
from virevents.testing.schedules.run import Run, StuckError
from virevents.testing.schedules.search import (
    Exploration,
    Scenario,
    explore,
    explore_randomly,
    replay,
)
from virevents.testing.schedules.threads import ExploredThread

__all__ = [
    "Blocked",
    "DeadlockError",
    "Exploration",
    "ExploredEventLoop",
    "ExploredThread",
    "Moment",
    "Rules",
    "Run",
    "Scenario",
    "ScheduleError",
    "SeedError",
    "StuckError",
    "UnstableScenarioError",
    "explore",
    "explore_randomly",
    "replay",
    "start_loop",
]
