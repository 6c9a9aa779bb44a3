# SPDX-License-Identifier: LGPL-2.1-or-later
"""A trial: one story played on both sides, step by step, and compared after each.

It stands apart from the sides: what a difference is, when it is explained, and how a story that
fails is made short are the same for every pair of them.

Immutable: functions and values only.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.differential.explanations import explain
from tests.differential.outcome import Difference, Outcome, differences
from tests.differential.story import Step, Story, write

__all__ = ["Side", "Verdict", "compare", "play", "shrink"]


class Side(Protocol):
    """One of the two that are compared."""

    def do(self, step: Step) -> Outcome:
        """Do one step, and return when nothing more is expected of it."""
        ...

    def more(self) -> Outcome | None:
        """Return what the step came to after all, if more comes of it; None if it does not."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a story.

    Attributes:
        story: The story.
        explained: How often each entry of the table explained a difference.
        unexplained: What differs after the last step that was played; nothing if all is well.
        outcomes: The codes of each step that was played.
    """

    story: Story
    explained: Counter[str]
    unexplained: tuple[Difference, ...]
    outcomes: tuple[int, ...]

    def __str__(self) -> str:
        """Tell the story, up to the step at which it failed, and what differs there."""
        lines = write(self.story[: len(self.outcomes)])
        differing = "".join(f"  {difference}\n" for difference in self.unexplained)
        return f"{lines}unexplained after the last step:\n{differing}"


_Carried = dict[str, tuple[object, object]]


def compare(
    arm: str, step: Step, ours: Outcome, theirs: Outcome, carried: _Carried
) -> tuple[list[str], list[Difference], _Carried]:
    """Explain what differs after *step*.

    Args:
        arm: Whose table counts.
        step: The step.
        ours: What we made of it.
        theirs: What libvirt made of it.
        carried: Differences of domains that were explained after the step before.

    Returns:
        The names of the entries that explained something, what is unexplained, and *carried* for
        the next step.
    """
    names, unexplained, still = list[str](), list[Difference](), _Carried()
    for difference in differences(ours, theirs, are_words_alike=arm == "memory"):
        met = (difference.ours, difference.theirs)
        entries = explain(arm, step, difference)
        if not entries and carried.get(difference.what) != met:
            unexplained.append(difference)
            continue
        names += [entry.name for entry in entries]
        if difference.what.startswith("domain "):
            still[difference.what] = met
    return names, unexplained, still


def play(arm: str, story: Story, ours: Side, theirs: Side) -> Verdict:
    """Play *story* until something differs that nothing explains."""
    explained, codes = Counter[str](), list[int]()
    carried = _Carried()
    for step in story:
        their = theirs.do(step)
        our: Outcome | None = ours.do(step)
        names, unexplained, still = list[str](), list[Difference](), carried
        while our is not None:
            names, unexplained, still = compare(arm, step, our, their, carried)
            our = ours.more() if unexplained else None
        carried = still
        explained.update(names)
        codes.append(their.code)
        if unexplained:
            return Verdict(story, explained, tuple(unexplained), tuple(codes))
    return Verdict(story, explained, (), tuple(codes))


def shrink(story: Story, fails: Callable[[Story], bool], budget: int = 200) -> Story:
    """Leave out steps as long as the story still fails; each try is one call of *fails*.

    Args:
        story: A story that fails.
        fails: Whether a story fails.
        budget: The most tries.
    """
    size = max(1, len(story) // 2)
    while True:
        at = 0
        while at < len(story) and budget > 0:
            shorter = story[:at] + story[at + size :]
            budget -= bool(shorter)
            if shorter and fails(shorter):
                story = shorter
            else:
                at += size
        if size == 1 or budget <= 0:
            return story
        size //= 2
