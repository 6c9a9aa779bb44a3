# SPDX-License-Identifier: LGPL-2.1-or-later
"""Words, paths and seconds that users write, and what they are told when they err."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from virevents.connection.arguments import (
    absolute_path,
    dump_mode,
    nvram_fate,
    shutdown_timeout,
    sleep_mode,
    start_mode,
)
from virevents.drivers import CoreDumpMode, NvramFate, SleepMode, StartMode
from virevents.errors import InvalidArgumentError


def test_word_or_member() -> None:
    for mode in CoreDumpMode:
        assert dump_mode(mode) is dump_mode(mode.value) is mode
    for sleep in SleepMode:
        assert sleep_mode(sleep) is sleep_mode(sleep.value) is sleep
    for fate in NvramFate:
        assert nvram_fate(fate) is nvram_fate(fate.value) is fate
    assert nvram_fate(None) is None


def test_paused_has_three_values() -> None:
    modes = [start_mode(None), start_mode(paused=True), start_mode(paused=False)]
    assert modes == [StartMode.DEFAULT, StartMode.PAUSED, StartMode.RUNNING]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (dump_mode, "mode: expected one of 'pause', 'live', 'crash', 'reset', met 'dead'"),
        (sleep_mode, "mode: expected one of 'memory', 'disk', 'hybrid', met 'dead'"),
        (nvram_fate, "nvram: expected one of 'keep', 'remove', met 'dead'"),
    ],
)
def test_said_in_full(call: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call("dead")
    assert str(caught.value) == text


def test_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_path("state") == absolute_path(Path("state")) == str(tmp_path / "state")
    assert absolute_path("/link/../state") == "/link/../state"


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected the name of a file"):
        absolute_path(path)


def test_a_timeout_is_a_length_of_time() -> None:
    assert shutdown_timeout(None, force=False) is None
    assert shutdown_timeout(0, force=True) == 0
    assert shutdown_timeout(2.5, force=False) == 2.5
    for timeout in (-1.0, math.inf, math.nan):
        with pytest.raises(InvalidArgumentError, match="timeout: expected seconds, 0 or more"):
            shutdown_timeout(timeout, force=False)


def test_force_without_a_timeout_has_nothing_to_wait_for() -> None:
    with pytest.raises(InvalidArgumentError, match=r"force: expected a timeout.*destroy\(\)"):
        shutdown_timeout(None, force=True)
