# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a story is told, played, compared and made short, on sides that only pretend."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from tests.differential.chance import memory_story
from tests.differential.outcome import Outcome
from tests.differential.story import Step, Story, read, write
from tests.differential.trial import play, shrink

_NOTHING: Final = Outcome(0, "", None, (), {})


class _Side:
    """Counts the steps of each verb, and says so in its domain's facts."""

    def __init__(self, wrong_after: Sequence[str] = ()) -> None:
        self._wrong_after = list(wrong_after)
        self._done: list[str] = []

    def do(self, step: Step) -> Outcome:
        self._done.append(step.verb)
        is_wrong = bool(self._wrong_after) and set(self._wrong_after) <= set(self._done)
        return replace(_NOTHING, domains={"web1": (len(self._done), is_wrong)})

    def more(self) -> Outcome | None:
        return None


def _fails(story: Story) -> bool:
    return bool(play("memory", story, _Side(("save", "reset")), _Side()).unexplained)


def test_a_story_is_read_as_it_was_written() -> None:
    for seed in range(50):
        story = memory_story(seed, 20)
        assert read(write(story)) == story


def test_a_step_says_what_it_is() -> None:
    (step,) = read("\n# a remark\nsave web1 file=a running  # and another\n\n")
    assert (step.verb, step.name, step.get("file"), step.flags()) == (
        "save",
        "web1",
        "a",
        ["running"],
    )
    assert Step.parse("restore file=a").name == ""


def test_the_same_seed_gives_the_same_story() -> None:
    assert memory_story(7, 20) == memory_story(7, 20) != memory_story(8, 20)


def test_a_story_ends_where_the_sides_part() -> None:
    verdict = play(
        "memory", read("start a\nsave a\nreset a\nstop a"), _Side(("save", "reset")), _Side()
    )
    assert len(verdict.outcomes) == 3
    assert "stop a" not in str(verdict)
    assert "domain web1: ours (3, True), libvirt's (3, False)" in str(verdict)


@pytest.mark.parametrize("seed", range(20))
def test_a_story_that_fails_is_made_short(seed: int) -> None:
    story = memory_story(seed, 20)
    assert {step.verb for step in shrink(read("reset a\nsave b\n") + story, _fails)} == {
        "reset",
        "save",
    }
    assert len(shrink(read("save b\n") + story + read("reset a\n"), _fails)) == 2


def test_the_tries_are_counted() -> None:
    tried: list[Story] = []

    def fails(story: Story) -> bool:
        tried.append(story)
        return True

    assert shrink(memory_story(1, 20), fails, budget=3)
    assert len(tried) == 3
