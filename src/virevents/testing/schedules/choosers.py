# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who runs next: depth first through all schedules, at random, or as a seed says.

It stands apart because a run only asks; how schedules are searched is no business of its.

A choice is a number: twice the index of the thread, plus one where its wait times out. The
first of the options is the default: the thread that runs goes on, else the first that can. A
seed is the list of the choices that were not the default, each with its step: ``12:4,17:0``.

Confined to the thread that runs: only one does at a time.

Invariants, each with a test of its name in ``tests/testing/test_schedules.py``:
    each_once    depth first, no two schedules make the same choices
    exhausts     and the search ends when all have been run
    seed_is_all  the seed alone makes the same choices again
"""

import random
from dataclasses import dataclass
from typing import Final, Protocol

from virevents.testing.schedules.errors import SeedError

__all__ = ["Chooser", "DepthFirst", "Options", "RandomWalk", "Replay", "UnstableScenarioError"]

Options = tuple[int, ...]

_EMPTY_SEED: Final = "default"


class UnstableScenarioError(RuntimeError):
    """The same choices led to another schedule: the scenario depends on something else.

    Usual causes: a set or a dict ordered by ``id()``, a real clock, state that outlives the
    scenario, a real thread.
    """


class Chooser(Protocol):
    """Chooses one of several options at a step."""

    @property
    def budget(self) -> int:
        """How many preemptions a schedule may have."""
        ...

    def choose(self, step: int, options: Options) -> int:
        """Return one of *options*, of which there are at least two."""
        ...

    def seed(self) -> str:
        """Return the seed of the choices made so far."""
        ...


def write_seed(deviations: list[tuple[int, int]]) -> str:
    """Return the seed for the choices that were not the default."""
    return ",".join(f"{step}:{choice}" for step, choice in deviations) or _EMPTY_SEED


def read_seed(seed: str) -> dict[int, int]:
    """Return the choices in *seed* by their steps.

    Raises:
        SeedError: This is no seed.
    """
    if seed == _EMPTY_SEED:
        return {}
    choices = {}
    for part in seed.split(","):
        step, colon, choice = part.partition(":")
        if not (colon and step.isdecimal() and choice.isdecimal()):
            raise SeedError(f"expected a seed such as '12:4,17:0' or 'default', met {seed!r}")
        choices[int(step)] = int(choice)
    return choices


@dataclass(slots=True)
class _Node:
    """A step with more than one option, on the path of the present schedule."""

    step: int
    options: Options
    index: int = 0  # confined to the thread that runs


class DepthFirst:
    """Every schedule with at most *budget* preemptions, each once."""

    def __init__(self, budget: int) -> None:
        self._budget: Final = budget
        self._path: list[_Node] = []  # confined to the thread that runs
        self._depth = 0  # confined to the thread that runs

    @property
    def budget(self) -> int:
        """How many preemptions a schedule may have."""
        return self._budget

    def choose(self, step: int, options: Options) -> int:
        """Follow the path, then take the default and note what is left to try."""
        if self._depth == len(self._path):
            self._path.append(_Node(step, options))
        node = self._path[self._depth]
        if node.step != step or node.options != options:
            raise UnstableScenarioError(
                f"at step {step} there were the options {node.options} of step {node.step} "
                f"before, and now {options}"
            )
        self._depth += 1
        return node.options[node.index]

    def advance(self) -> bool:
        """Go to the next schedule; tell whether there is one.

        Raises:
            UnstableScenarioError: The schedule ended before the choices it was to make.
        """
        if self._depth < len(self._path):
            raise UnstableScenarioError(
                f"the schedule ended before step {self._path[self._depth].step}, "
                "which was there before"
            )
        self._depth = 0
        while self._path:
            node = self._path[-1]
            node.index += 1
            if node.index < len(node.options):
                return True
            self._path.pop()
        return False

    def seed(self) -> str:
        """Return the seed of the present schedule."""
        nodes = self._path[: self._depth]
        return write_seed([(node.step, node.options[node.index]) for node in nodes if node.index])


class RandomWalk:
    """Any schedule, with any number of preemptions, chosen by a generator of its own."""

    def __init__(self, generator: random.Random) -> None:
        self._generator: Final = generator
        self._deviations: Final[list[tuple[int, int]]] = []  # confined to the thread that runs

    @property
    def budget(self) -> int:
        """Return a number that no schedule reaches."""
        return 1 << 60

    def choose(self, step: int, options: Options) -> int:
        """Choose with equal chances."""
        choice = self._generator.choice(options)
        if choice != options[0]:
            self._deviations.append((step, choice))
        return choice

    def seed(self) -> str:
        """Return the seed of the choices made so far."""
        return write_seed(self._deviations)


class Replay:
    """The one schedule that a seed stands for."""

    def __init__(self, seed: str) -> None:
        self._seed: Final = seed
        self._left: Final = read_seed(seed)  # confined to the thread that runs

    @property
    def budget(self) -> int:
        """Return a number that no schedule reaches."""
        return 1 << 60

    def choose(self, step: int, options: Options) -> int:
        """Choose what the seed says, else the default."""
        choice = self._left.pop(step, options[0])
        if choice not in options:
            raise SeedError(f"the seed {self._seed!r} wants {choice} at step {step}: {options}")
        return choice

    def seed(self) -> str:
        """Return the seed itself."""
        return self._seed

    def check_used_up(self) -> None:
        """Fail if the schedule ended before the seed did.

        Raises:
            SeedError: It did.
        """
        if self._left:
            raise SeedError(f"the schedule ended before steps {sorted(self._left)} of the seed")
