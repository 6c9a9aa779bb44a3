# SPDX-License-Identifier: LGPL-2.1-or-later
"""The search: every schedule of a scenario to a number of preemptions, random ones, or one again.

It stands apart from ``run``, which is one schedule.

Confined to the thread that explores; one exploration at a time in a process, because it puts its
own primitives in force.

Invariants, each with a test of its name in ``tests/testing/test_schedules.py``:
    found_again  a failure is reported only with a seed that has shown it a second time
    leaves_none  however an exploration ends, the threads it made have ended
"""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from virevents.testing.schedules.choosers import (
    Chooser,
    DepthFirst,
    RandomWalk,
    Replay,
    UnstableScenarioError,
)
from virevents.testing.schedules.errors import DeadlockError, Moment, ScheduleError
from virevents.testing.schedules.rules import Rules
from virevents.testing.schedules.run import Failure, Run
from virevents.testing.schedules.threads import Crew

__all__ = ["Exploration", "Scenario", "explore", "explore_randomly", "replay"]

Scenario = Callable[[Run], object]

_DEFAULT_RULES: Final = Rules()

# The collector is off while schedules run (it would run finalizers at steps that no seed knows);
# every so many schedules what they left in cycles is freed.
_SCHEDULES_A_COLLECTION: Final = 200


@dataclass(frozen=True, slots=True)
class Exploration:
    """What an exploration that found no fault has covered.

    Attributes:
        count: How many schedules were run, no two alike unless chosen at random.
        preemptions: To how many preemptions, or None when chosen at random.
        is_exhausted: Whether there is no other schedule with that many preemptions.
    """

    count: int
    preemptions: int | None
    is_exhausted: bool

    def __str__(self) -> str:
        """Return what a report says of it."""
        if self.preemptions is None:
            return f"{self.count} random schedules"
        extent = "all" if self.is_exhausted else "the first"
        return f"{extent} {self.count} schedules to {self.preemptions} preemptions"


def explore(
    scenario: Scenario,
    *,
    preemptions: int = 2,
    limit: int = 1_000_000,
    rules: Rules = _DEFAULT_RULES,
) -> Exploration:
    """Run *scenario* under every schedule with at most *preemptions* preemptions.

    Most concurrency bugs need no more than two. Switching from a thread that cannot go on, or
    has ended, is no preemption.

    Args:
        scenario: Called once for each schedule, with fresh state; see the package's docstring.
        preemptions: How often a schedule may switch from a thread that could go on.
        limit: Stop after so many schedules; the result tells that it was not exhausted.
        rules: What holds for every schedule.

    Raises:
        ScheduleError: The first schedule that fails, with the seed for ``replay``.
        UnstableScenarioError: The scenario does not depend on its schedule alone.
        StuckError: A thread does something that the explorer does not see and that does not end.
    """
    chooser = DepthFirst(preemptions)
    with _stage() as crew:
        count = 0
        has_more = True
        while has_more and count < limit:
            count += 1
            failure = _play(scenario, chooser, crew, rules)
            if failure is not None:
                raise _explained(scenario, failure, chooser.seed(), count, crew, rules)
            has_more = chooser.advance()
            if count % _SCHEDULES_A_COLLECTION == 0:
                gc.collect(1)
        return Exploration(count, preemptions, is_exhausted=not has_more)


def explore_randomly(
    scenario: Scenario, *, count: int = 1_000, seed: int = 0, rules: Rules = _DEFAULT_RULES
) -> Exploration:
    """Run *scenario* under *count* schedules with any number of preemptions, chosen at random.

    For what has too many schedules to exhaust. The same *seed* chooses the same schedules.

    Raises:
        ScheduleError: The first schedule that fails, with the seed for ``replay``.
        UnstableScenarioError: The scenario does not depend on its schedule alone.
        StuckError: A thread does something that the explorer does not see and that does not end.
    """
    generator = random.Random(seed)
    with _stage() as crew:
        for number in range(1, count + 1):
            chooser = RandomWalk(generator)
            failure = _play(scenario, chooser, crew, rules)
            if failure is not None:
                raise _explained(scenario, failure, chooser.seed(), number, crew, rules)
            if number % _SCHEDULES_A_COLLECTION == 0:
                gc.collect(1)
    return Exploration(count, None, is_exhausted=False)


def replay(scenario: Scenario, seed: str, *, rules: Rules = _DEFAULT_RULES) -> tuple[Moment, ...]:
    """Run *scenario* under the one schedule that *seed* stands for.

    Returns:
        Every step of it, when it does not fail.

    Raises:
        ScheduleError: It fails.
        SeedError: The seed does not fit the scenario.
    """
    with _stage() as crew:
        chooser = Replay(seed)
        run = Run(chooser, crew, rules, is_traced=True)
        failure = run.play(scenario)
        if failure is not None:
            raise _error(failure, seed, 1, run.trace)
        chooser.check_used_up()
        return tuple(run.trace)


@contextmanager
def _stage() -> Iterator[Crew]:
    crew = Crew()
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield crew
    finally:
        crew.dismiss()
        if was_collecting:
            gc.enable()


def _play(scenario: Scenario, chooser: Chooser, crew: Crew, rules: Rules) -> Failure | None:
    return Run(chooser, crew, rules, is_traced=False).play(scenario)


def _explained(
    scenario: Scenario, failure: Failure, seed: str, number: int, crew: Crew, rules: Rules
) -> ScheduleError:
    """Run the failing schedule again, now with a trace, and return the error to raise."""
    run = Run(Replay(seed), crew, rules, is_traced=True)
    again = run.play(scenario)
    if again is None:
        raise UnstableScenarioError(
            f"schedule {number}, seed {seed!r}, failed once and then did not: {failure.reason}"
        ) from failure.error
    return _error(again, seed, number, run.trace)


def _error(failure: Failure, seed: str, number: int, trace: list[Moment]) -> ScheduleError:
    if failure.blocked:
        return DeadlockError(failure.blocked, seed=seed, number=number, trace=trace)
    error = ScheduleError(failure.reason, seed=seed, number=number, trace=trace)
    error.__cause__ = failure.error
    return error
