# SPDX-License-Identifier: LGPL-2.1-or-later
"""Managed saves after a crash at any step: the state is in QEMU or in the file, never in both."""

from pathlib import Path

import pytest

from tests.drivers.qemu.harness import Bench, bench, one_process
from virevents.drivers.qemu.managed import ManagedSaves
from virevents.drivers.qemu.run import QemuRun
from virevents.errors import HostError
from virevents.model import DomainState, RunningReason

pytestmark = pytest.mark.qemu

WEB1 = "6695eb01-f6a4-8304-79aa-97f2502e1930"


@pytest.fixture
def saves(tmp_path: Path) -> ManagedSaves:
    made = ManagedSaves(tmp_path / "save")
    made.path(WEB1).write_bytes(b"state")
    made.note(WEB1)
    return made


def test_one_of_both_set_aside_and_back(saves: ManagedSaves) -> None:
    saves.set_aside(WEB1)
    assert not saves.has(WEB1)
    assert saves.is_aside(WEB1)
    again = ManagedSaves(saves.path(WEB1).parent)
    assert not again.has(WEB1)
    assert again.is_aside(WEB1)
    again.put_in_place(WEB1)
    assert again.has(WEB1)
    assert again.path(WEB1).read_bytes() == b"state"
    assert not again.is_aside(WEB1)


def test_one_of_both_dropped(saves: ManagedSaves) -> None:
    saves.set_aside(WEB1)
    for _ in range(2):
        saves.drop_aside(WEB1)
    assert list(saves.path(WEB1).parent.iterdir()) == []


class CrashError(BaseException):
    """What the process does not come to do any more."""


def crash(*_: object) -> None:
    raise CrashError


def saved(web: Bench) -> str:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.managed_save(uuid)
    return uuid


def crash_at(root: Path, step: str, what: str) -> str:
    """Have a process end at a step of a managed save or of a start from one."""
    with pytest.MonkeyPatch.context() as patch, one_process(root) as web:
        uuid = saved(web)
        if what == "save":
            web.driver.start(uuid)
        owner: object = QemuRun if step in {"conclude_as", "cont"} else ManagedSaves
        patch.setattr(owner, step, crash)
        with pytest.raises(CrashError):
            (web.driver.start if what == "start" else web.driver.managed_save)(uuid)
    return uuid


@pytest.mark.parametrize(
    ("what", "step", "is_saved", "state"),
    [
        # QEMU has not yet read it, and is killed by who finds it.
        ("start", "set_aside", True, DomainState.SHUTOFF),
        # QEMU has it, and the guest runs.
        ("start", "drop_aside", False, DomainState.RUNNING),
        # The file is whole, and QEMU has the state as well: nobody was told that it is saved.
        ("save", "conclude_as", False, DomainState.RUNNING),
        # QEMU was ended because the file is whole.
        ("save", "put_in_place", True, DomainState.SHUTOFF),
    ],
)
def test_one_of_both(
    tmp_path: Path, what: str, step: str, is_saved: bool, state: DomainState
) -> None:
    uuid = crash_at(tmp_path, step, what)
    with bench(tmp_path) as web:
        assert web.driver.has_managed_save(uuid) is is_saved
        assert web.driver.domain_state(uuid).state is state
        assert [path.name for path in (tmp_path / "save").iterdir()] == [uuid] * is_saved


def test_one_of_both_killed_before_the_guest_ran(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = saved(web)
    place = tmp_path / "save" / uuid
    place.rename(place.with_name(place.name + ".aside"))  # and then it was killed
    with bench(tmp_path) as web:
        assert web.driver.has_managed_save(uuid)
        web.driver.start(uuid)
        assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.RESTORED)


def test_one_of_both_when_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(tmp_path) as web:
        uuid = saved(web)
        with monkeypatch.context() as patch:
            patch.setattr(ManagedSaves, "set_aside", refuse)
            with pytest.raises(HostError, match="No space left"):
                web.driver.start(uuid)
        assert web.driver.has_managed_save(uuid)
        assert web.driver.domains(active=True) == []


def test_one_of_both_when_the_disk_refuses_to_settle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The directory opens all the same, and the next opening tries again."""
    with bench(tmp_path) as web:
        uuid = saved(web)
    place = tmp_path / "save" / uuid
    place.rename(place.with_name(place.name + ".aside"))
    with monkeypatch.context() as patch:
        patch.setattr(ManagedSaves, "put_in_place", refuse)
        with bench(tmp_path) as web:
            assert not web.driver.has_managed_save(uuid)
    assert "could not settle the save of web1" in caplog.text
    with bench(tmp_path) as web:
        assert web.driver.has_managed_save(uuid)


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")
