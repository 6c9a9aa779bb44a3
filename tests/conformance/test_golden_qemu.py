# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our QEMU driver leads to what a real libvirtd with a real QEMU was recorded to lead to.

The same guests, the same XML, the same calls: events of every kind in their order, states with
their reasons, error codes, and which domains are left. ``tools/record_libvirt_lifecycle.py``
records again.
"""

import json
from collections.abc import Sequence
from itertools import product
from typing import Final

import pytest

from tests.conformance.differences import DIFFERENCES, STOPPED_HAS_NO_ID, Difference
from tests.conformance.lifecycle.causes import expected_causes
from tests.conformance.lifecycle.machine import Json
from tests.conformance.lifecycle.ours import Played, play
from tests.conformance.lifecycle.outcome import Change, Outcome, compared
from tests.conformance.lifecycle.recording import (
    GOLDEN_SAMPLE,
    WITH_IDENTITIES,
    StepRecord,
    load,
    load_identities,
)
from tests.conformance.lifecycle.scenarios import GOLDEN, SCENARIOS
from virevents.model import StateAndReason

pytestmark = pytest.mark.qemu

_PATIENCE: Final = 20.0  # seconds; only a failing test uses them
_RECORDING: Final = load()["scenarios"]
_SAMPLE: Final = json.loads(GOLDEN_SAMPLE.read_text())


def _changes(name: str) -> dict[int, tuple[Change, ...]]:
    """What is ours on purpose in a scenario, by the number of the step."""
    merged: dict[int, tuple[Change, ...]] = {}
    for difference in DIFFERENCES:
        changes = difference.changes(name)
        assert not merged.keys() & changes.keys(), "two differences in one step"
        as_libvirt = (Change(),) if difference.is_sometimes else ()
        merged.update({number: (*as_libvirt, *ours) for number, ours in changes.items()})
    return merged


def _allowed(name: str) -> list[list[Outcome]]:
    """For each step what it may lead to."""
    changes = _changes(name)
    return [
        [
            _changed(seen, change)
            for change in changes.get(number, (Change(),))
            for seen in step["seen"]
        ]
        for number, step in enumerate(_RECORDING[name])
    ]


def _changed(seen: Outcome, change: Change) -> Outcome:
    return Outcome(
        code=change.get("code", seen["code"]),
        text=seen["text"],
        events=change.get("events", seen["events"]),
        domains=change.get("domains", seen["domains"]),
    )


def _played(name: str, allowed: Sequence[Sequence[Outcome]]) -> list[Played]:
    expected = [[outcome["events"] for outcome in step] for step in allowed]
    return play(SCENARIOS[name], expected, _PATIENCE)


# The golden sample is quick enough for script/check, and the rest is a minute for script/test.
_SCENARIOS: Final = [
    pytest.param(name, marks=() if name in GOLDEN else (pytest.mark.slow,)) for name in SCENARIOS
]


@pytest.mark.parametrize("name", _SCENARIOS)
def test_as_libvirt(name: str) -> None:
    """Every step of every scenario, and the causes that libvirt does not tell."""
    allowed = _allowed(name)
    played = _played(name, allowed)
    for number, (ours, theirs) in enumerate(zip(played, allowed, strict=True)):
        step = _RECORDING[name][number]["step"]
        assert compared(ours) in [compared(one) for one in theirs], (step, ours["text"])
        causes = expected_causes(SCENARIOS[name], number, ours["events"])
        assert ours["causes"] in _causes_allowed(causes), (step, ours["events"])


def _causes_allowed(causes: list[str]) -> tuple[list[str], list[str]]:
    """Who comes back while the guest is still at it does not find what it did, but sees it."""
    return causes, [cause.removesuffix(" found") for cause in causes]


@pytest.mark.parametrize("name", SCENARIOS)
def test_recording_is_of_these_steps(name: str) -> None:
    """Whoever changes a scenario records it again."""
    steps = [*(step.as_json() for step in SCENARIOS[name].steps), ["end"]]
    assert [record["step"] for record in _RECORDING[name]] == steps


@pytest.mark.parametrize("name", GOLDEN)
def test_recording_has_the_golden_sample(name: str) -> None:
    """The golden sample was made with other guests, by others: the rows are the same here."""
    row = _SAMPLE[name]
    steps = _RECORDING[name][-1 - SCENARIOS[name].tail : -1]
    seen = [_lifecycle(steps, number) for number in range(len(steps[0]["seen"]))]
    assert all(events in row["events"] for events in seen)
    last = steps[-1]["seen"][0]
    assert max(one["seen"][0]["code"] for one in steps) == row["code"]
    if row["state"] is None:
        assert last["domains"] == {}
    else:
        state, reason = StateAndReason.from_numbers(*row["state"])
        assert last["domains"]["web1"].startswith(f"{state} {reason}")


def _lifecycle(steps: Sequence[StepRecord], number: int) -> list[list[Json]]:
    """The lifecycle events of steps: the outcome of that number, or the most frequent."""
    seen = [step["seen"][min(number, len(step["seen"]) - 1)] for step in steps]
    return [event[2:] for one in seen for event in one["events"] if event[0] == "lifecycle"]


def test_at_least_as_many_again() -> None:
    assert set(GOLDEN) == set(_SAMPLE)
    assert len(SCENARIOS) >= 2 * len(GOLDEN) + 5


@pytest.mark.parametrize("name", WITH_IDENTITIES)
def test_identities(name: str) -> None:
    """An event has its domain's id while that runs; what is ours is in `STOPPED_HAS_NO_ID`."""
    played = _played(name, _allowed(name))
    ours = [identity for step in played for identity in step["identities"]]
    theirs = load_identities()[name]
    assert ours == [(words, has_id and not words.startswith("stopped")) for words, has_id in theirs]


def test_stopped_with_an_id_still_exists() -> None:
    """libvirt's STOPPED has the id of what no longer runs, or none, by how it came to its end."""
    told = [event for events in load_identities().values() for event in events]
    stopped = {has_id for words, has_id in told if words.startswith("stopped")}
    assert stopped == {True, False}
    assert STOPPED_HAS_NO_ID.why


def test_differences_are_few() -> None:
    assert len(DIFFERENCES) + 1 <= 20  # and STOPPED_HAS_NO_ID
    assert all(difference.why and difference.where for difference in DIFFERENCES)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.what)
def test_difference_still_exists(difference: Difference) -> None:
    """libvirt was never seen to do what is written here as ours; that we do it is tested above."""
    for name in difference.where:
        for number, changes in difference.changes(name).items():
            for seen, change in product(_RECORDING[name][number]["seen"], changes):
                assert compared(_changed(seen, change)) != compared(seen), (name, number)
