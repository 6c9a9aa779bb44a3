# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual of the command line shows what the commands print: each is run, and compared."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT
from tests.examples.tour import play, steps_of

MANUAL: Final = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.qemu
def test_the_manual_shows_what_is_printed(tmp_path: Path) -> None:
    play(MANUAL, tmp_path)


def test_every_verb_that_changes_something_is_shown() -> None:
    table = MANUAL.split("## Changing")[1].split("\n\n")[2]
    verbs = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))
    shown = " ".join(step.command for step in steps_of(MANUAL))
    assert len(verbs) > 15
    assert [verb for verb in verbs if f"virevents {verb} " not in shown] == []
