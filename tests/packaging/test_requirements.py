# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pinned requirements: complete, hashed, and without an address in them."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT

_PINNED: Final = sorted((ROOT / "requirements").glob("*.txt"))

_NAME: Final = re.compile(r"^([A-Za-z0-9._-]+)", re.MULTILINE)


def _names(requirements: str) -> set[str]:
    """The packages that *requirements* asks for, in the spelling that all tools agree on."""
    lines = [line for line in requirements.splitlines() if not line.startswith(("#", " ", "-"))]
    found = _NAME.findall("\n".join(lines))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


def test_run_time_requirements_are_the_projects_dependencies() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = (ROOT / "requirements" / "run.in").read_text(encoding="utf-8")
    assert _names(asked) == _names("\n".join(declared["project"]["dependencies"]))


@pytest.mark.parametrize("path", _PINNED, ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9.-]+==\S+ ", line), line
        assert "--hash=sha256:" in line


@pytest.mark.parametrize("path", _PINNED, ids=lambda path: path.name)
def test_everything_asked_for_is_pinned(path: Path) -> None:
    asked = path.with_suffix(".in").read_text(encoding="utf-8")
    assert _names(asked) <= _names(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", _PINNED, ids=lambda path: path.name)
def test_no_address_is_recorded(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
