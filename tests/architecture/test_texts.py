# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pages lead where they say, and nothing names one machine."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT

_PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_FOLDERS: Final = ("docs", "script", "requirements", "news", ".ci", "bench", "examples", "tools")
_TEXTS: Final = sorted(
    path
    for folder in _FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix != ".pyc"
)

_LINK: Final = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")

# In two parts each, so that this file does not name what it looks for.
_ONE_MACHINE: Final = ("/wo" + "rk/", "/ho" + "me/", "pypi." + "org", "deb." + "debian.org")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("path", [*_PAGES, *_TEXTS], ids=_name)
def test_nothing_names_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in _ONE_MACHINE if word in text] == []
