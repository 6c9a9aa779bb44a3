# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each entry of the table of explanations: its story shows it, and nothing but it."""

from pathlib import Path
from typing import Final

import pytest

from tests.differential.explanations import EXPLANATIONS, Explanation, explanation_of
from tests.differential.memory import sides
from tests.differential.outcome import Difference
from tests.differential.story import Step, read
from tests.differential.trial import play
from tests.interop.libvirtd.private_libvirtd import need_libvirtd

_MEMORY: Final = [entry for entry in EXPLANATIONS if entry.arm == "memory"]


@pytest.fixture
def libvirt_is_there() -> None:
    need_libvirtd()


def test_the_names_are_unique() -> None:
    assert len({entry.name for entry in EXPLANATIONS}) == len(EXPLANATIONS)


@pytest.mark.libvirt
@pytest.mark.usefixtures("libvirt_is_there")
@pytest.mark.parametrize("entry", _MEMORY, ids=[entry.name for entry in _MEMORY])
def test_the_test_drivers_differ_so(entry: Explanation, tmp_path: Path) -> None:
    with sides(tmp_path) as (ours, theirs):
        verdict = play("memory", read(entry.shown_by), ours, theirs)
    assert verdict.unexplained == ()
    assert set(verdict.explained) == {entry.name}


@pytest.mark.parametrize("arm", ["memory", "guests"])
@pytest.mark.parametrize(
    "difference",
    [
        Difference("code", (0, ""), (55, "not running")),
        Difference("text", "one", "other"),
        Difference("events", (("lifecycle", "web1", -1, (5, 1)),), ()),
        Difference(
            "events", (("lifecycle", "web1", 2, (2, 0)),), (("lifecycle", "web1", 3, (2, 0)),)
        ),
        Difference("domain web1", ("uuid", -1, 5, 2, True, False), None),
    ],
    ids=str,
)
def test_what_is_not_meant_is_not_explained(arm: str, difference: Difference) -> None:
    for step in ("start web1", "destroy web1", "restore file=a", "pm_suspend web1 target=memory"):
        assert explanation_of(arm, Step.parse(step), difference) is None
