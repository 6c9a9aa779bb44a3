# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was recorded from the real thing: for each scenario what each step was seen to lead to.

Where there is a race a step has several outcomes, each with how often it was seen.

Immutable.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

from tests.conformance.lifecycle.machine import Json
from tests.conformance.lifecycle.outcome import Outcome
from tests.conformance.lifecycle.scenario import Scenario

__all__ = ["GOLDEN", "GOLDEN_SAMPLE", "Recording", "Seen", "StepRecord", "load", "merge", "write"]

GOLDEN: Final = Path(__file__).parent.parent / "data" / "golden_qemu_lifecycle.json"
GOLDEN_SAMPLE: Final = GOLDEN.with_name("golden_sample.json")


class Seen(Outcome):
    """An outcome, and how often it was seen."""

    times: int


class StepRecord(TypedDict):
    """A step as `Step.as_json` gives it, and all its outcomes, the most frequent first."""

    step: list[Json]
    seen: list[Seen]


class Recording(TypedDict):
    """The whole file: who was recorded, and the steps of each scenario by name."""

    versions: dict[str, str]
    scenarios: dict[str, list[StepRecord]]


def load(path: Path = GOLDEN) -> Recording:
    """Read a recording."""
    recording: Recording = json.loads(path.read_text())
    return recording


def merge(scenario: Scenario, plays: Sequence[Sequence[Outcome]]) -> list[StepRecord]:
    """Make the record of a scenario from what its plays led to."""
    steps: list[list[Json]] = [*(step.as_json() for step in scenario.steps), ["end"]]
    return [
        StepRecord(step=step, seen=_counted([play[number] for play in plays]))
        for number, step in enumerate(steps)
    ]


def _counted(outcomes: Sequence[Outcome]) -> list[Seen]:
    found: list[Seen] = []
    for outcome in outcomes:
        same = [seen for seen in found if {**outcome, "times": seen["times"]} == seen]
        if same:
            same[0]["times"] += 1
        else:
            found.append(Seen(**outcome, times=1))
    return sorted(found, key=lambda seen: -seen["times"])


def write(recording: Recording, path: Path = GOLDEN) -> None:
    """Write a recording so that a change of it is a few lines of text."""
    lines = [f'"versions": {json.dumps(recording["versions"])},', '"scenarios": {']
    scenarios: Mapping[str, list[StepRecord]] = recording["scenarios"]
    for name, steps in sorted(scenarios.items()):
        lines.append(f'"{name}": [')
        lines += [f" {line}" for line in _step_lines(steps)]
        lines.append("]," if name != max(scenarios) else "]")
    path.write_text("\n".join(["{", *lines, "}}"]) + "\n")


def _step_lines(steps: Sequence[StepRecord]) -> list[str]:
    lines = []
    for step in steps:
        seen = ",\n   ".join(json.dumps(one) for one in step["seen"])
        lines.append(f'{{"step": {json.dumps(step["step"])}, "seen": [\n   {seen}]}},')
    lines[-1] = lines[-1].removesuffix(",")
    return lines
