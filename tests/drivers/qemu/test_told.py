# SPDX-License-Identifier: LGPL-2.1-or-later
import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers.qemu.told import NOTHING_TOLD, Note, Told, ToldRecord
from virevents.model import (
    REASON_ENUMS,
    DomainState,
    PausedReason,
    RunningReason,
    StateAndReason,
)

RUNNING: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
PAUSED: Final = StateAndReason(DomainState.PAUSED, PausedReason.USER)
STATES: Final = [StateAndReason(s, reason) for s, enum in REASON_ENUMS.items() for reason in enum]

# Stores two words that differ in every field, for ever.
STORER: Final = """
import sys
from pathlib import Path
from virevents.drivers.qemu.told import Note, ToldRecord
from virevents.model import DomainState, PausedReason, RunningReason, StateAndReason
record = ToldRecord.create(Path(sys.argv[1]))
running = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
paused = StateAndReason(DomainState.PAUSED, PausedReason.POSTCOPY_FAILED)
record.tell(paused)
record.add(Note.REBOOT)
print("storing", flush=True)
while True:
    record.tell(paused)
    record.tell(running)
"""


def reopened(path: Path) -> Told:
    record = ToldRecord.open(path)
    try:
        return record.told
    finally:
        record.close()


def test_survives(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.told"
        arguments = [sys.executable, "-c", STORER, str(path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as storer:
            assert storer.stdout is not None
            assert storer.stdout.readline() == b"storing\n"
            storer.send_signal(signal.SIGKILL)
        paused = StateAndReason(DomainState.PAUSED, PausedReason.POSTCOPY_FAILED)
        told = reopened(path)
        assert told.state in {paused, RUNNING}
        assert told.notes == Note.STARTED | Note.REBOOT


def test_whole(tmp_path: Path) -> None:
    """A second mapping of the file, in another process's place, sees stored words only."""
    path = tmp_path / "told"
    arguments = [sys.executable, "-c", STORER, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as storer:
        assert storer.stdout is not None
        storer.stdout.readline()
        seen = {reopened(path) for _ in range(2_000)}
        storer.kill()
    paused = StateAndReason(DomainState.PAUSED, PausedReason.POSTCOPY_FAILED)
    notes = Note.STARTED | Note.REBOOT
    assert seen <= {Told(paused, notes), Told(RUNNING, notes)}


@given(st.sampled_from(STATES), st.integers(0, sum(Note)))
def test_whatever_is_stored_is_read(
    tmp_path_factory: pytest.TempPathFactory, state: StateAndReason, notes: int
) -> None:
    path = tmp_path_factory.mktemp("told") / "told"
    record = ToldRecord.create(path)
    record.add(Note(notes))
    record.tell(state)
    assert reopened(path) == record.told == Told(state, Note(notes) | Note.STARTED)
    record.close()


def test_notes_come_and_go(tmp_path: Path) -> None:
    record = ToldRecord.create(tmp_path / "told")
    assert record.told == NOTHING_TOLD == reopened(tmp_path / "told")
    record.add(Note.DESTROY | Note.REBOOT)
    record.take_back(Note.REBOOT)
    assert reopened(tmp_path / "told") == Told(NOTHING_TOLD.state, Note.DESTROY)
    record.tell(PAUSED)
    record.close()
    record.close()
    record.tell(RUNNING)
    assert reopened(tmp_path / "told").state == PAUSED


def test_never_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = ToldRecord.create(tmp_path / "told")
    record.close()
    assert (tmp_path / "told").stat().st_size == 8

    def is_full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "write", is_full)
    with pytest.raises(OSError, match="no space left"):
        ToldRecord.create(tmp_path / "full")


def test_other_version(tmp_path: Path) -> None:
    path = tmp_path / "told"
    path.write_bytes(b"\2" + bytes(7))
    with pytest.raises(ValueError, match="met version 2"):
        ToldRecord.open(path)
    path.write_bytes(b"\1\x63" + bytes(6))
    with pytest.raises(ValueError, match="99"):
        ToldRecord.open(path)
    path.write_bytes(b"\1")
    with pytest.raises(ValueError, match="length is greater"):
        ToldRecord.open(path)


def test_private_and_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "told"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        ToldRecord.open(path)
    ToldRecord.create(path).close()
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_file() -> None:
    record = ToldRecord.in_memory()
    record.tell(RUNNING)
    assert record.told == Told(RUNNING, Note.STARTED)
    record.close()
