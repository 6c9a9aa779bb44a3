# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays many stories, several side by side, each worker a process of its own.

A worker plays its stories one after the other and prints a line for each; a story that fails is
made short by the worker that met it.

Immutable: functions and values only.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.differential import guests, memory
from tests.differential.chance import guest_story, memory_story
from tests.differential.story import Story
from tests.differential.trial import Verdict, play, shrink
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd

__all__ = ["MAKE", "Report", "libvirt_for", "play_alone", "play_side_by_side", "table", "work"]

MAKE: Final[Mapping[str, Callable[[int, int], Story]]] = {
    "memory": memory_story,
    "guests": guest_story,
    "control": guest_story,
}
"""Makes a story of an arm, by seed and length."""

_TRIES: Final = {"memory": 200, "guests": 60, "control": 20}
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a story, as a worker's line has it.

    Attributes:
        seed: What the story was made by.
        steps: How many steps were played.
        explained: How often each entry of the table explained a difference.
        failed: The story that failed, as short as it could be made, and how; "" if it did not.
    """

    seed: int
    steps: int
    explained: dict[str, int]
    failed: str


def play_alone(arm: str, uri: str, story: Story) -> Verdict:
    """Play one story on sides that nobody has used; *uri* is that of a libvirtd, or ""."""
    match arm:
        case "memory":
            with tempfile.TemporaryDirectory() as folder, memory.sides(Path(folder)) as (a, b):
                return play("memory", story, a, b)
        case "guests":
            with guests.sides(uri) as (ours, theirs):
                return play("guests", story, ours, theirs)
        case _:
            with guests.sides_of_control(uri) as (one, other):
                return play("guests", story, one, other)


@contextmanager
def libvirt_for(arm: str) -> Iterator[str]:
    """Run what *arm* needs, and give its URI."""
    with nullcontext() if arm == "memory" else PrivateLibvirtd() as libvirtd:
        yield libvirtd.uri("qemu:///system") if libvirtd is not None else ""


def work(arm: str, uri: str, seeds: Sequence[int], steps: int) -> None:
    """Play the stories of *seeds*, and print a report of each."""
    for seed in seeds:
        verdict = play_alone(arm, uri, MAKE[arm](seed, steps))
        failed = _as_short_as_can_be(arm, uri, verdict) if verdict.unexplained else ""
        report = [seed, len(verdict.outcomes), dict(verdict.explained), failed]
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def _as_short_as_can_be(arm: str, uri: str, failed: Verdict) -> str:
    last = failed

    def fails(story: Story) -> bool:
        nonlocal last
        verdict = play_alone(arm, uri, story)
        last = verdict if verdict.unexplained else last
        return bool(verdict.unexplained)

    shrink(failed.story[: len(failed.outcomes)], fails, _TRIES[arm])
    return str(last)


def play_side_by_side(arm: str, seeds: Sequence[int], steps: int, workers: int) -> Iterator[Report]:
    """Play the stories of *seeds*, *workers* at a time."""
    with libvirt_for(arm) as uri:
        command = [sys.executable, "-m", "tests.differential", arm, "--steps", str(steps)]
        started = [
            subprocess.Popen(
                [*command, "--work", uri, *map(str, seeds[number::workers])],
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(workers)
        ]
        try:
            for worker in started:
                yield from _reports(worker)
        finally:
            for worker in started:
                worker.kill()
                worker.communicate()


def _reports(worker: "subprocess.Popen[str]") -> Iterator[Report]:
    assert worker.stdout is not None
    for line in worker.stdout:
        yield Report(*json.loads(line))
    assert worker.wait() == 0, "a worker ended early; what it said is above"


def table(reports: Sequence[Report]) -> str:
    """Sum up what was played."""
    explained = Counter[str]()
    for report in reports:
        explained.update(report.explained)
    failed = sum(bool(report.failed) for report in reports)
    rows = [
        ("stories", len(reports)),
        ("steps", sum(report.steps for report in reports)),
        *((f"explained by {name}", count) for name, count in sorted(explained.items())),
        ("unexplained", failed),
    ]
    return "".join(f"{what:<40} {count:>7}\n" for what, count in rows)
