# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's tour is run as a reader runs it, and prints what it says; links lead somewhere."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT
from tests.examples.tour import Step, check, files_of, play, steps_of

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR: Final = README.split("## A tour of five minutes")[1].split("\n## ")[0]
_LINK: Final = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


@pytest.mark.slow
@pytest.mark.qemu
def test_the_tour_prints_what_it_says(tmp_path: Path) -> None:
    play(TOUR, tmp_path)


def test_the_tour_has_its_steps_and_files() -> None:
    commands = [step.command for step in steps_of(TOUR)]
    assert commands[0] == "virevents demo"
    for name in files_of(TOUR):
        assert any(f"python {name}" in command for command in commands), name


def test_the_check_notices_what_is_not_printed() -> None:
    step = Step("virevents demo", ("    1.5 ms  slow  virevents-worker-1  #1 a", "..."))
    check(step, [" 2000.0 ms  slow  virevents-worker-12 #1 a", "more"])
    with pytest.raises(AssertionError):
        check(step, [" 2000.0 ms  slow  virevents-worker-12 #1 b"])
    with pytest.raises(AssertionError):
        check(Step("virevents list", ("Id",)), ["Id", "more"])


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target, heading in _LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target) if target else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
            assert heading in anchors, f"{target}#{heading}"
