# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hundreds of made-up lives on our test driver and on the stock one: told alike, word for word."""

import json
import os
import subprocess
from pathlib import Path
from typing import Final, cast

import pytest

from tests.drivers.test_driver.stories.made_up import Outcome, Story, made_up
from tests.drivers.test_driver.stories.ours import told

_SYSTEM_PYTHON: Final = Path("/usr/bin/python3")
_PROGRAM: Final = Path(__file__).with_name("stock_libvirt.py")
_STORIES: Final = 150
_STEPS: Final = 25
_STOPPED: Final = 5  # libvirt's number

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def stock_is_there() -> None:
    """Say so where the package is missing; in CI it may not be."""
    has_it = _SYSTEM_PYTHON.exists() and (
        subprocess.run([_SYSTEM_PYTHON, "-c", "import libvirt"], check=False, stderr=-3).returncode
        == 0
    )
    if not has_it and os.environ.get("CI"):
        pytest.fail(f"{_SYSTEM_PYTHON} has no python3-libvirt, and this is CI")
    if not has_it:
        pytest.skip(f"{_SYSTEM_PYTHON} has no python3-libvirt: nothing was compared")


def _stock(stories: list[Story]) -> list[list[Outcome]]:
    done = subprocess.run(
        [_SYSTEM_PYTHON, _PROGRAM],
        input=json.dumps(stories),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return cast("list[list[Outcome]]", json.loads(done.stdout))


def _stories(folder: Path) -> list[Story]:
    stories = []
    for seed in range(_STORIES):
        (folder / str(seed)).mkdir(parents=True)
        stories.append(made_up(seed, _STEPS, str(folder / str(seed))))
    return stories


def _comparable(outcome: Outcome, folder: Path) -> Outcome:
    """The outcome without what may differ: the folder, and the id in a STOPPED.

    Libvirt takes a transient domain that stops off its list without clearing the id first, so its
    event has the id of a domain that no longer runs. Ours say -1 for all that do not run.
    """
    for event in outcome["events"]:
        if event[3] == _STOPPED:
            event[2] = -1
    return cast("Outcome", json.loads(json.dumps(outcome).replace(str(folder), "FOLDER")))


def test_as_libvirt(tmp_path: Path) -> None:
    """Events, states, reasons, ids, error codes and error texts after each of 3,750 steps."""
    ours, theirs = tmp_path / "ours", tmp_path / "stock"
    stock = _stock(_stories(theirs))
    for seed, story in enumerate(_stories(ours)):
        outcomes = [_comparable(outcome, ours) for outcome in told(story)]
        expected = [_comparable(outcome, theirs) for outcome in stock[seed]]
        for number, step in enumerate(story):
            assert outcomes[number] == expected[number], (
                f"seed {seed}, step {number}: {step}, after {story[:number]}"
            )


def test_the_stories_go_everywhere(tmp_path: Path) -> None:
    """Each verb succeeds somewhere and is refused somewhere; reading cannot be, removal is not."""
    succeeded: set[object] = set()
    refused: set[object] = set()
    for story in _stories(tmp_path):
        for (verb, *_), outcome in zip(story, told(story), strict=True):
            (refused if outcome["code"] else succeeded).add(verb)
    assert {"create_paused", "start_paused"} == refused - succeeded
    assert succeeded <= refused
