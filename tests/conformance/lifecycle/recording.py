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
from tests.conformance.lifecycle.outcome import Identified, Outcome
from tests.conformance.lifecycle.scenario import Scenario

__all__ = [
    "GOLDEN",
    "GOLDEN_SAMPLE",
    "WITH_IDENTITIES",
    "Recording",
    "Seen",
    "StepRecord",
    "load",
    "load_identities",
    "merge",
    "write",
    "write_identities",
]

GOLDEN: Final = Path(__file__).parent.parent / "data" / "golden_qemu_lifecycle.json"
GOLDEN_SAMPLE: Final = GOLDEN.with_name("golden_sample.json")

IDENTITIES: Final = GOLDEN.with_name("golden_identities.json")

# One of each way to begin and to end, without those that a race changes.
WITH_IDENTITIES: Final = (
    "define",
    "rename",
    "create_paused",
    "define_when_running",
    "undefine_while_running",
    "destroy_after_undefine",
    "destroy",
    "destroy_transient",
    "shutdown_acpi",
    "shutdown_transient",
    "qemu_sigkill",
    "qemu_sigterm",
    "on_poweroff_restart_guest",
    "sleep_to_disk",
    "io_error_stop",
    "crash_loaded",
    "restore",
    "core_dump_elf_crash",
    "create_failure_missing_disk",
)
"""The scenarios of which it is recorded which events have the id of a domain that runs."""


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


def load_identities() -> dict[str, list[Identified]]:
    """Read which events have an id."""
    found = json.loads(IDENTITIES.read_text())
    return {name: [(words, has) for words, has in events] for name, events in found.items()}


def write_identities(identities: Mapping[str, Sequence[Identified]]) -> None:
    """Write which events have an id."""
    lines = [f"{json.dumps(name)}: {json.dumps(events)}" for name, events in identities.items()]
    IDENTITIES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


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
