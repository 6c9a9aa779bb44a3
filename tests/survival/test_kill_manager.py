# SPDX-License-Identifier: LGPL-2.1-or-later
"""A manager that is killed at any moment loses nothing: the short form; script/long has 200."""

from pathlib import Path

import pytest

from tests.survival.kill_manager import Ledger, campaign, table

pytestmark = pytest.mark.qemu


def test_nothing_is_lost_twice_or_left(tmp_path: Path) -> None:
    ledger = campaign(tmp_path / "root", kills=8, seed=20081204)
    assert not ledger.faults, table(ledger)
    assert ledger.counts["kills of the manager"] == 8


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_lost_twice_or_left_in_two_hundred_kills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = campaign(tmp_path / "root", kills=200, seed=1)
    with capsys.disabled():
        print(f"\n{table(ledger)}")  # noqa: T201  (the figures of a long run)
    assert not ledger.faults, table(ledger)


def fact(event: str, *, found: bool = False) -> dict[str, object]:
    return {"uuid": "u", "event": event, "detail": "", "found": found}


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        (["started", "started"], "started  of u, which was running already"),
        (["resumed", "started", "suspended", "suspended"], "which was paused already"),
        (["started", "stopped", "stopped"], "which was off already"),
    ],
)
def test_the_ledger_finds_what_is_told_twice(events: list[str], fault: str) -> None:
    ledger = Ledger()
    for event in events:
        ledger.take(fact(event))
    (words,) = ledger.faults
    assert fault in words


def test_the_ledger_finds_an_end_that_nothing_began() -> None:
    ledger = Ledger()
    ledger.take(fact("started"))
    ledger.take(fact("stopped", found=True))
    assert ledger.faults == ["a STOPPED of u was found at start and nothing had run"]
