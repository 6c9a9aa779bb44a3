# SPDX-License-Identifier: LGPL-2.1-or-later
import errno
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.definition import DomainDefinition, DomainType
from virevents.drivers.qemu.status import RunFolder, Status, this_boot
from virevents.drivers.qemu.told import NOTHING_TOLD, ToldRecord

DEFINITION: Final = DomainDefinition(
    name="web1",
    uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
    memory_kib=8192,
    current_memory_kib=8192,
    domain_type=DomainType.QEMU,
)
INTENT: Final = Status(definition=DEFINITION, boot=this_boot())
RUNS: Final = replace(INTENT, pid=4711, start_time=2**40, is_autodestroyed=True)

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=5,
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "12")


@pytest.mark.parametrize("status", [INTENT, RUNS])
def test_round_trip(status: Status, folder: RunFolder) -> None:
    folder.make(INTENT).close()
    folder.write(status)
    assert folder.read() == status == Status.from_text(status.to_text())
    told = folder.told()
    assert told.told == NOTHING_TOLD
    told.close()
    assert folder.domain_id == 12


def test_whole(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, or out of room, in the middle of a write: the old one is there."""
    folder.make(INTENT).close()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    for step in ("replace", "rename"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, step, fail)
            if step == "replace":
                with pytest.raises(OSError, match="no space"):
                    folder.write(RUNS)
        assert folder.read() == INTENT


def test_what_cannot_be_made_is_not_there(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> ToldRecord:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(ToldRecord, "create", fail)
    with pytest.raises(OSError, match="no space"):
        folder.make(INTENT)
    assert not folder.path.exists()


def test_private_and_removed_with_all_in_it(folder: RunFolder) -> None:
    folder.make(INTENT).close()
    for path in (folder.path, folder.channels):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for name in ("status", "told"):
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600
    (folder.channels / "agent").write_text("left by QEMU")
    folder.remove()
    assert not folder.path.exists()
    folder.remove()
    assert folder.read() is None


def test_removed_without_what_a_link_in_it_leads_to(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    folder.make(INTENT).close()
    (folder.channels / "link").symlink_to(tmp_path / "precious")
    folder.remove()
    assert (tmp_path / "precious" / "file").exists()


@given(st.one_of(st.text(), JSON.map(json.dumps)))
def test_hostile(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever is wrong with it)
        Status.from_text(text)


@given(st.sampled_from([*json.loads(RUNS.to_text())]), JSON)
def test_hostile_in_one_field(field: str, value: object) -> None:
    facts = {**json.loads(RUNS.to_text()), field: value}
    try:
        status = Status.from_text(json.dumps(facts))
    except ValueError:
        return
    assert status.pid is None or 0 < status.pid < 2**31


def test_hostile_nest() -> None:
    with pytest.raises(ValueError, match="met a nest"):
        Status.from_text("[" * 200_000)
