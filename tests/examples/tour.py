# SPDX-License-Identifier: LGPL-2.1-or-later
"""A page of documentation played as a reader plays it: its files written, its commands run.

A ``python`` block whose first line names a file becomes that file; in a ``console`` block each
line after ``$`` is run, and what follows is compared with what it printed. What differs from run
to run (times, folders, numbers of threads) is put aside first. Where the page leaves something
out (``...``), the rest must be there, each line in its own part of the output.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Step", "check", "files_of", "play", "steps_of"]

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# What differs from run to run, and what is put in its place.
_VARIABLE: Final = (
    (re.compile(r"^ *[0-9]+\.[0-9] ms"), "N ms"),
    (re.compile(r"\b[0-9]+ ms\b"), "N ms"),
    (re.compile(r"virevents-worker-[0-9]+ *"), "WORKER "),
    (re.compile(r"root=/\S*?(?=/(qemu|host)\b)"), "root=FOLDER"),
    (re.compile(r"(guest: )/\S*(qemu-system-x86_64)"), r"\1\2"),
    (re.compile(r"^(UUID: +)[0-9a-f-]{36}$"), r"\1ANY"),
)


@dataclass(frozen=True)
class Step:
    """A command of the page and what it is said to print."""

    command: str
    printed: tuple[str, ...]


def files_of(page: str) -> dict[str, str]:
    """The files that a reader writes, by their names."""
    found = {}
    for language, text in _BLOCK.findall(page):
        if language == "python" and text.startswith("# "):
            found[text.splitlines()[0].removeprefix("# ")] = text
    return found


def steps_of(page: str) -> list[Step]:
    """The commands that a reader runs, in their order."""
    steps: list[Step] = []
    for language, text in _BLOCK.findall(page):
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *printed = part.splitlines()
            steps.append(Step(command, tuple(printed)))
    return steps


def play(page: str, folder: Path) -> None:
    """Write the files of *page* into *folder*, run its commands there, compare what they print."""
    try:
        _play(page, folder)
    finally:
        left = _end_qemus(folder)
    assert left == 0, "the page leaves guests that run"


def _end_qemus(folder: Path) -> int:
    """Kill the QEMUs whose guests are in *folder*; they outlive the commands."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has gone
        if b"qemu-system" in arguments and f"{folder}/".encode() in arguments:
            os.kill(int(process.name), signal.SIGKILL)
            killed += 1
    return killed


def _play(page: str, folder: Path) -> None:
    for name, text in files_of(page).items():
        (folder / name).write_text(text, encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    exports: list[str] = []
    for step in steps_of(page):
        if step.command.startswith("export "):
            exports.append(step.command)
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", "\n".join([*exports, step.command])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=environment,
            timeout=60,
            check=False,
        )
        check(step, done.stdout.splitlines())


def check(step: Step, printed: list[str]) -> None:
    """See that *printed* is what the page says."""
    expected, got = _plain(step.printed), _plain(printed)
    if "..." not in expected:
        assert got == expected, step.command
        return
    missing = Counter(line for line in expected if line != "...") - Counter(got)
    assert not missing, step.command


def _plain(lines: Sequence[str]) -> list[str]:
    plain = []
    for line in lines:
        for pattern, instead in _VARIABLE:
            line = pattern.sub(instead, line)  # noqa: PLW2901  (one after the other)
        plain.append(line)
    return plain
