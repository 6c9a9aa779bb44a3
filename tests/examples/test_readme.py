# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's tour is run as a reader runs it, and prints what it says; its links lead somewhere.

A ``python`` block whose first line names a file becomes that file; in a ``console`` block each
line after ``$`` is run, and what follows is compared with what it printed. What differs from run
to run (times, folders, numbers of threads) is put aside first. Where the README leaves something
out (``...``), the rest must be there, each line in its own part of the output.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")

# What differs from run to run, and what is put in its place.
_VARIABLE: Final = (
    (re.compile(r"^ *[0-9]+\.[0-9] ms"), "N ms"),
    (re.compile(r"\b[0-9]+ ms\b"), "N ms"),
    (re.compile(r"virevents-worker-[0-9]+ *"), "WORKER "),
    (re.compile(r"root=/\S*?(?=/(qemu|host)\b)"), "root=FOLDER"),
    (re.compile(r"(guest: )/\S*(qemu-system-x86_64)"), r"\1\2"),
)


@dataclass(frozen=True)
class Step:
    """A command of the tour and what it is said to print."""

    command: str
    printed: tuple[str, ...]


def _tour() -> str:
    return README.split("## A tour of five minutes")[1].split("\n## ")[0]


def _files() -> dict[str, str]:
    found = {}
    for language, text in _BLOCK.findall(_tour()):
        if language == "python":
            found[text.splitlines()[0].removeprefix("# ")] = text
    return found


def _steps() -> list[Step]:
    steps: list[Step] = []
    for language, text in _BLOCK.findall(_tour()):
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *printed = part.splitlines()
            steps.append(Step(command, tuple(printed)))
    return steps


def _plain(lines: list[str] | tuple[str, ...]) -> list[str]:
    plain = []
    for line in lines:
        for pattern, instead in _VARIABLE:
            line = pattern.sub(instead, line)  # noqa: PLW2901  (one after the other)
        plain.append(line)
    return plain


def _check(step: Step, printed: list[str]) -> None:
    expected, got = _plain(step.printed), _plain(printed)
    if "..." not in expected:
        assert got == expected, step.command
        return
    missing = Counter(line for line in expected if line != "...") - Counter(got)
    assert not missing, step.command


@pytest.mark.slow
@pytest.mark.qemu
def test_the_tour_prints_what_it_says(tmp_path: Path) -> None:
    for name, text in _files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    exports: list[str] = []
    for step in _steps():
        if step.command.startswith("export "):
            exports.append(step.command)
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", "\n".join([*exports, step.command])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=False,
        )
        _check(step, done.stdout.splitlines())


def test_the_tour_has_its_steps_and_files() -> None:
    commands = [step.command for step in _steps()]
    assert commands[0] == "virevents demo"
    for name in _files():
        assert any(f"python {name}" in command for command in commands), name


def test_the_check_notices_what_is_not_printed() -> None:
    step = Step("virevents demo", ("    1.5 ms  slow  virevents-worker-1  #1 a", "..."))
    _check(step, [" 2000.0 ms  slow  virevents-worker-12 #1 a", "more"])
    with pytest.raises(AssertionError):
        _check(step, [" 2000.0 ms  slow  virevents-worker-12 #1 b"])
    with pytest.raises(AssertionError):
        _check(Step("virevents list", ("Id",)), ["Id", "more"])


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
