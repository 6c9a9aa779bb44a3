# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an exploration reports: the schedule that failed, and how to see it again.

It stands apart because both the run, which finds the fault, and the explorer, which names the
seed, make these.

Immutable: nothing here changes after it was raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Blocked", "DeadlockError", "Moment", "ScheduleError", "SeedError"]

# How much of a failing schedule a message shows; the attribute has all of it.
_SHOWN_MOMENTS: Final = 80


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a schedule.

    Attributes:
        thread: The name of the thread that took it.
        what: What it did ("takes the queue lock").
        place: Where, as ``file:line``.
    """

    thread: str
    what: str
    place: str

    def __str__(self) -> str:
        """Return the line that a trace shows."""
        return f"{self.thread:<12} {self.what:<44} {self.place}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A thread that cannot go on.

    Attributes:
        thread: Its name.
        waits_for: What for, and who has it ("the a lock, held by second").
        stack: Its stack, innermost call last.
    """

    thread: str
    waits_for: str
    stack: str


class ScheduleError(AssertionError):
    """A schedule that fails; the fault itself, where a thread raised it, is ``__cause__``.

    Attributes:
        reason: What went wrong, in words.
        seed: What ``replay`` takes to run this schedule again.
        number: Which schedule of the exploration it was, from 1.
        trace: Every step of it, in order.
    """

    def __init__(self, reason: str, *, seed: str, number: int, trace: Sequence[Moment]) -> None:
        self.reason: Final = reason
        self.seed: Final = seed
        self.number: Final = number
        self.trace: Final = tuple(trace)
        super().__init__(self._text())

    def _text(self) -> str:
        shown = self.trace[-_SHOWN_MOMENTS:]
        left_out = len(self.trace) - len(shown)
        head = [f"... {left_out} steps before"] if left_out else []
        return "\n".join(
            [f"schedule {self.number}, seed {self.seed!r}: {self.reason}", *head, *map(str, shown)]
        )


class DeadlockError(ScheduleError):
    """Threads that wait for each other for ever.

    Attributes:
        blocked: Who waits for what, with the stacks.
    """

    def __init__(
        self, blocked: Sequence[Blocked], *, seed: str, number: int, trace: Sequence[Moment]
    ) -> None:
        self.blocked: Final = tuple(blocked)
        lines = ["deadlock: nobody can go on"]
        for one in blocked:
            lines += [f"{one.thread} waits for {one.waits_for}", one.stack.rstrip()]
        super().__init__("\n".join(lines), seed=seed, number=number, trace=trace)


class SeedError(ValueError):
    """A seed that does not fit the scenario: it is mistyped, or the code has changed since."""
