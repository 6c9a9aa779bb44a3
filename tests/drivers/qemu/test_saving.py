# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saving and restoring real guests: libvirt's sequences, and a guest that is never lost."""

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import pytest

from tests.drivers.qemu.harness import (
    DESTROY,
    PATIENCE,
    SHORT,
    START,
    Bench,
    bench,
    in_threads,
    qemu_children,
    uuid_of,
)
from virevents.definition import parse_definition
from virevents.drivers import StartMode
from virevents.drivers.qemu import migration, saving
from virevents.drivers.qemu.image import ImageWriter, open_image
from virevents.errors import (
    DomainExistsError,
    DomainNotFoundError,
    HostError,
    InvalidArgumentError,
    MonitorTimeoutError,
    OperationFailedError,
    StateError,
)
from virevents.model import (
    DomainState,
    JobCompletedEvent,
    PausedReason,
    RequestedBy,
    RunningReason,
    ShutoffReason,
)

pytestmark = pytest.mark.qemu

PASSES: Final = ["migration-iteration", "migration-iteration", "job-completed"]
SAVE: Final = ["suspended paused", *PASSES, "stopped saved"]
SAVE_PAUSED: Final = [*PASSES, "stopped saved"]
RESTORE: Final = ["started restored", "resumed from-snapshot"]
RESTORE_PAUSED: Final = ["started restored", "suspended restored"]
CANCELLED: Final = ["suspended paused", "resumed unpaused"]

RUNNING: Final = (DomainState.RUNNING, RunningReason.RESTORED)
PAUSED: Final = (DomainState.PAUSED, PausedReason.MIGRATION)
SAVED: Final = (DomainState.SHUTOFF, ShutoffReason.SAVED)
GOES_ON: Final = (DomainState.RUNNING, RunningReason.SAVE_CANCELED)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "saved")


def beside(path: str) -> list[str]:
    """What is in the folder under the name of *path*, or under a name made from it."""
    folder = Path(path).parent
    return [each.name for each in folder.iterdir() if Path(path).name in each.name]


def test_golden_save_and_restore(web: Bench, uuid: str, path: str) -> None:
    web.driver.save(uuid, path)
    assert web.told.wait_for(*SAVE) == ["defined added", *START, *SAVE]
    assert web.driver.domain_state(uuid) == SAVED
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert beside(path) == ["saved"]
    assert web.driver.restore(path).uuid == uuid
    assert web.told.wait_for(*RESTORE)[-3:] == ["stopped saved", *RESTORE]
    assert web.driver.domain_state(uuid) == RUNNING
    assert Path(path).exists()


@pytest.mark.parametrize(
    ("saved_as", "restored_as", "is_running"),
    [
        (StartMode.DEFAULT, StartMode.DEFAULT, True),
        (StartMode.DEFAULT, StartMode.PAUSED, False),
        (StartMode.PAUSED, StartMode.DEFAULT, False),
        (StartMode.PAUSED, StartMode.RUNNING, True),
        (StartMode.RUNNING, StartMode.DEFAULT, True),
    ],
)
def test_golden_save_of_a_running_domain(
    web: Bench,
    uuid: str,
    path: str,
    saved_as: StartMode,
    restored_as: StartMode,
    is_running: bool,
) -> None:
    web.driver.save(uuid, path, saved_as)
    web.driver.restore(path, restored_as)
    restored = RESTORE if is_running else RESTORE_PAUSED
    assert web.told.wait_for(*restored)[3:] == [*SAVE, *restored]
    assert web.driver.domain_state(uuid) == (RUNNING if is_running else PAUSED)


@pytest.mark.parametrize(
    ("saved_as", "is_running"),
    [(StartMode.DEFAULT, False), (StartMode.RUNNING, True), (StartMode.PAUSED, False)],
)
def test_golden_save_of_a_paused_domain(
    web: Bench, uuid: str, path: str, saved_as: StartMode, is_running: bool
) -> None:
    web.driver.suspend(uuid)
    web.driver.save(uuid, path, saved_as)
    web.driver.restore(path)
    restored = RESTORE if is_running else RESTORE_PAUSED
    assert web.told.wait_for(*restored)[4:] == [*SAVE_PAUSED, *restored]
    web.driver.destroy(uuid)


def test_golden_managed_save(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    assert web.told.wait_for(*SAVE) == ["defined added", *START, *SAVE]
    assert web.driver.has_managed_save(uuid)
    assert web.driver.domain_state(uuid) == SAVED
    web.driver.start(uuid)
    assert web.told.wait_for(*RESTORE)[-3:] == ["stopped saved", *RESTORE]
    assert web.driver.domain_state(uuid) == RUNNING
    assert not web.driver.has_managed_save(uuid)


@pytest.mark.parametrize("saved_as", [StartMode.RUNNING, StartMode.PAUSED])
def test_golden_start_paused_from_a_managed_save(
    web: Bench, uuid: str, saved_as: StartMode
) -> None:
    web.driver.managed_save(uuid, saved_as)
    web.driver.start(uuid, StartMode.PAUSED)
    assert web.told.wait_for("suspended paused")[-2:] == ["started restored", "suspended paused"]
    assert web.driver.domain_state(uuid) == PAUSED
    web.driver.resume(uuid)
    assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.UNPAUSED)


def test_golden_start_from_a_managed_save_that_is_paused(web: Bench, uuid: str) -> None:
    web.driver.suspend(uuid)
    web.driver.managed_save(uuid)
    web.driver.start(uuid)
    assert web.told.wait_for(*RESTORE_PAUSED)[4:] == [*SAVE_PAUSED, *RESTORE_PAUSED]
    web.driver.managed_save(uuid)
    web.driver.start(uuid, StartMode.RUNNING)
    assert web.told.wait_for(*RESTORE)[-6:] == [*SAVE_PAUSED, *RESTORE]


def test_golden_force_boot(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    web.driver.start(uuid, force_boot=True)
    assert web.told.wait_for(*START)[3:] == [*SAVE, *START]
    assert not web.driver.has_managed_save(uuid)


def test_golden_managed_save_remove(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    web.driver.managed_save_remove(uuid)
    assert not web.driver.has_managed_save(uuid)
    web.driver.start(uuid)
    assert web.told.wait_for(*START)[3:] == [*SAVE, *START]


def test_golden_a_transient_domain_goes_and_comes(web: Bench, path: str) -> None:
    uuid = web.driver.create(web.xml()).uuid
    web.driver.save(uuid, path)
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_uuid(uuid)
    assert web.driver.restore(path).uuid == uuid
    assert web.told.wait_for(*RESTORE) == [*START, *SAVE, *RESTORE]
    assert not web.driver.is_persistent(uuid)
    web.driver.destroy(uuid)
    assert web.driver.domains() == []


def test_golden_what_a_save_tells(web: Bench, uuid: str, path: str) -> None:
    web.driver.save(uuid, path)
    web.driver.restore(path)
    web.told.wait_for(*RESTORE)
    told = web.told.events()[3:]
    assert [event.iteration for event in told[1:3]] == [1, 2]  # type: ignore[attr-defined]
    completed = told[3]
    assert isinstance(completed, JobCompletedEvent)
    params = completed.params
    # The same guest, under libvirt 9.0: all of these, with these values where they are steady.
    assert params["operation"] == 2
    assert params["memory_page_size"] == 4096
    assert params["memory_total"] == params["data_total"]
    assert params["memory_remaining"] == params["memory_postcopy_requests"] == 0
    assert params["memory_iteration"] == 2
    assert int(params["memory_total"]) > 8 << 20
    assert {"time_elapsed", "downtime", "setup_time", "data_processed", "data_remaining"} <= set(
        params
    )
    causes = [event.cause.requested_by for event in told if hasattr(event, "cause")]
    assert causes == [RequestedBy.CALL] * 4


def test_golden_the_guest_goes_on_where_it_was(web: Bench, path: str) -> None:
    """Its memory, and not only its definition: a guest that has powered on does not do so again."""
    uuid = web.define("rom-button")
    web.driver.start(uuid)
    web.told.wait_for(*START, "rtc-change")  # sets the clock once, when it is up
    web.driver.save(uuid, path)
    web.driver.restore(path)
    web.driver.shutdown(uuid)
    told = web.told.wait_for("shutdown guest", "stopped shutdown")
    assert told.count("rtc-change") == 1


def test_golden_what_was_defined_meanwhile_holds_for_the_next_boot(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    web.define(vcpus=2)
    web.driver.start(uuid)
    assert parse_definition(web.driver.domain_xml(uuid)).vcpus == 1
    assert parse_definition(web.driver.domain_xml(uuid, inactive=True)).vcpus == 2


def full(writer: ImageWriter) -> None:
    """Have what QEMU writes meet a full disk."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    os.dup2(descriptor, writer.descriptor, inheritable=False)
    os.close(descriptor)


def refuse(_: ImageWriter) -> None:
    raise OperationFailedError("operation failed: Unable to write: No space left on device")


@pytest.mark.parametrize("saves", ["save", "managed_save"])
@pytest.mark.parametrize("is_paused", [False, True])
def test_goes_on_when_qemu_meets_a_full_disk(
    web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch, saves: str, is_paused: bool
) -> None:
    if is_paused:
        web.driver.suspend(uuid)

    class Full(ImageWriter):
        def __enter__(self) -> Self:
            full(self)
            return self

    monkeypatch.setattr(saving, "ImageWriter", Full)
    before = web.told.words()
    save = {
        "save": lambda: web.driver.save(uuid, path),
        "managed_save": lambda: web.driver.managed_save(uuid),
    }
    with pytest.raises(OperationFailedError, match="No space left on device") as met:
        save[saves]()
    assert met.value.code == 9
    assert beside(path) == []
    assert not web.driver.has_managed_save(uuid)
    assert list((web.root / "save").iterdir()) == []
    if is_paused:
        assert web.driver.domain_state(uuid) == (DomainState.PAUSED, PausedReason.USER)
    else:
        assert web.driver.domain_state(uuid) == GOES_ON
        told = web.told.wait_for("resumed unpaused")[len(before) :]
        assert [told[0], told[-1]] == CANCELLED
        assert "job-completed" not in told
    monkeypatch.undo()
    web.driver.managed_save(uuid)
    assert web.driver.has_managed_save(uuid)


def test_goes_on_when_the_file_cannot_be_finished(
    web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(path).write_bytes(b"before")
    monkeypatch.setattr(ImageWriter, "finish", refuse)
    with pytest.raises(OperationFailedError, match="No space"):
        web.driver.save(uuid, path)
    assert web.driver.domain_state(uuid) == GOES_ON
    assert Path(path).read_bytes() == b"before"
    assert beside(path) == ["saved"]
    web.driver.suspend(uuid)
    assert web.told.wait_for("suspended paused")[-1] == "suspended paused"


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("no/folder", 38, "Failed to create file '.*/no/folder': No such file or directory"),
        (".", 38, "Is a directory"),
        ("/dev/full", 9, "Unable to write /dev/full: No space left on device"),
    ],
)
def test_goes_on_when_there_is_no_such_place(
    web: Bench, uuid: str, tmp_path: Path, place: str, code: int, says: str
) -> None:
    with pytest.raises(OperationFailedError, match=says) as met:
        web.driver.save(uuid, str(tmp_path / place))
    assert met.value.code == code
    assert web.told.wait_for(*CANCELLED)[3:] == CANCELLED
    assert web.driver.domain_state(uuid) == GOES_ON


def test_goes_on_never_begun(web: Bench, uuid: str) -> None:
    with pytest.raises(InvalidArgumentError, match="expected an absolute path") as met:
        web.driver.save(uuid, "saved")
    assert met.value.code == 8
    assert web.told.words() == ["defined added", *START]


def cut_in_the_stream(data: bytes) -> bytes:
    """The numbers fit, the stream's inside does not."""
    inside = data.index(b"QEVM") + 8
    return data[:inside] + b"\xff" * (len(data) - inside)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"x" * 5000,
        lambda data: data[:-20],
        lambda data: data.replace(b"web1", b"web2"),
        cut_in_the_stream,
    ],
    ids=["empty", "garbage", "cut", "changed", "stream"],
)
def test_not_lost_restore(
    web: Bench, uuid: str, path: str, spoil: Callable[[bytes], bytes]
) -> None:
    web.driver.save(uuid, path)
    whole = Path(path).read_bytes()
    Path(path).write_bytes(spoil(whole))
    told = web.told.wait_for(*SAVE)
    with pytest.raises(OperationFailedError) as met:
        web.driver.restore(path)
    assert met.value.code in {1, 9}
    assert not any(
        word.startswith(("started", "stopped")) for word in web.told.words()[len(told) :]
    )
    assert web.driver.domain_state(uuid).state is DomainState.SHUTOFF
    assert qemu_children() == []
    assert Path(path).read_bytes() == spoil(whole)
    Path(path).write_bytes(whole)
    web.driver.restore(path)
    assert web.driver.domain_state(uuid) == RUNNING


def test_not_lost_managed_save(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    saved = web.root / "save" / uuid
    whole = saved.read_bytes()
    for spoilt in (b"x" * 5000, whole[:-20], cut_in_the_stream(whole)):
        saved.write_bytes(spoilt)
        with pytest.raises(OperationFailedError):
            web.driver.start(uuid)
        assert saved.read_bytes() == spoilt
        assert web.driver.has_managed_save(uuid)
        assert web.driver.domain_state(uuid).state is DomainState.SHUTOFF
    saved.write_bytes(whole)
    web.driver.start(uuid)
    assert web.driver.domain_state(uuid) == RUNNING


def test_not_lost_an_empty_managed_save_is_no_obstacle(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    (web.root / "save" / uuid).write_bytes(b"")
    web.driver.start(uuid)
    assert web.told.wait_for(*START)[3:] == [*SAVE, *START]
    assert not web.driver.has_managed_save(uuid)


def test_not_lost_another_domains_state(web: Bench, uuid: str) -> None:
    other = web.define(name="web2")
    web.driver.start(other)
    for each in (uuid, other):
        web.driver.managed_save(each)
    saved = web.root / "save" / uuid
    saved.write_bytes((web.root / "save" / other).read_bytes())
    with pytest.raises(OperationFailedError, match=f"the managed save is that of {other}"):
        web.driver.start(uuid)
    assert web.driver.has_managed_save(uuid)


def test_not_twice(web: Bench, uuid: str) -> None:
    web.driver.managed_save(uuid)
    web.driver.start(uuid)
    assert list((web.root / "save").iterdir()) == []
    web.driver.destroy(uuid)
    web.driver.start(uuid)
    assert web.told.wait_for(*START)[3:] == [*SAVE, *RESTORE, *DESTROY, *START]


def test_as_libvirt_off(web: Bench, path: str) -> None:
    uuid = web.define()
    for refused in (
        lambda: web.driver.save(uuid, path),
        lambda: web.driver.managed_save(uuid),
    ):
        with pytest.raises(StateError, match="domain is not running") as met:
            refused()  # type: ignore[no-untyped-call]
        assert met.value.code == 55
    with pytest.raises(
        HostError, match=r"Failed to remove managed save file.*No such file"
    ) as gone:
        web.driver.managed_save_remove(uuid)
    assert gone.value.code == 38


def test_as_libvirt_transient(web: Bench) -> None:
    uuid = web.driver.create(web.xml()).uuid
    with pytest.raises(StateError, match="cannot do managed save for transient domain") as met:
        web.driver.managed_save(uuid)
    assert met.value.code == 55
    assert not web.driver.has_managed_save(uuid)


def test_as_libvirt_running(web: Bench, uuid: str, path: str) -> None:
    web.driver.save(uuid, path)
    web.driver.restore(path)
    with pytest.raises(StateError, match="domain 'web1' is already active") as met:
        web.driver.restore(path)
    assert met.value.code == 55
    with pytest.raises(StateError, match="domain is already running"):
        web.driver.start(uuid, force_boot=True)


def test_as_libvirt_no_such_file(web: Bench, path: str) -> None:
    with pytest.raises(HostError, match=r"Failed to open file '.*': No such file") as met:
        web.driver.restore(path)
    assert met.value.code == 38
    with pytest.raises(InvalidArgumentError, match="absolute"):
        web.driver.restore("saved")


def test_as_libvirt_names_and_uuids_that_others_have(web: Bench, uuid: str, path: str) -> None:
    web.driver.save(uuid, path)
    web.driver.undefine(uuid)
    web.driver.define(web.xml(name="db1").replace(uuid_of("db1"), uuid))
    with pytest.raises(
        DomainExistsError, match=f"domain 'db1' is already defined with uuid {uuid}"
    ) as met:
        web.driver.restore(path)
    assert met.value.code == 9
    web.driver.undefine(uuid)
    web.driver.define(web.xml().replace(uuid, uuid_of("db1")))
    with pytest.raises(DomainExistsError, match="domain 'web1' already exists with uuid"):
        web.driver.restore(path)


def test_at_once(web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that goes on for ever: its QEMU writes into a pipe that nobody reads."""
    reader, writer = os.pipe()
    under_way = threading.Event()

    class Stuck(ImageWriter):
        def __enter__(self) -> Self:
            os.dup2(writer, self.descriptor, inheritable=False)
            under_way.set()
            return self

    monkeypatch.setattr(saving, "ImageWriter", Stuck)
    raised: list[BaseException] = []

    def save() -> None:
        with pytest.raises(OperationFailedError, match="the save was broken off") as met:
            web.driver.save(uuid, path)
        raised.append(met.value)

    def destroy() -> None:
        assert under_way.wait(PATIENCE)
        web.driver.destroy(uuid)

    in_threads(save, destroy)
    os.close(reader)
    os.close(writer)
    assert web.told.wait_for("stopped destroyed")[-1] == "stopped destroyed"
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.DESTROYED)
    assert beside(path) == []


def test_at_once_a_hang_ends_the_save(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_SILENCE_MAX", 0.2)
    with bench(tmp_path) as web:
        uuid = web.define()
        web.driver.start(uuid)

        class Hangs(ImageWriter):
            def __enter__(self) -> Self:
                web.kill(signal.SIGSTOP)
                run = web.driver._estate.domains.by_uuid(uuid).run  # type: ignore[attr-defined]
                monkeypatch.setattr(run, "_answer_within", SHORT)
                return self

        monkeypatch.setattr(saving, "ImageWriter", Hangs)
        with pytest.raises(MonitorTimeoutError):
            web.driver.save(uuid, path)
        assert beside(path) == []
        web.driver.destroy(uuid)
        assert web.told.wait_for("stopped destroyed")[-1] == "stopped destroyed"


def test_golden_a_file_names_its_machines_version(web: Bench, uuid: str, path: str) -> None:
    """A newer QEMU's "pc" is another machine, and would not read the state."""
    web.driver.save(uuid, path)
    with open_image(path) as (header, _):
        machine = parse_definition(header.xml).machine
    assert machine is not None
    assert re.fullmatch(r"pc-i440fx-\d+\.\d+", machine)
    web.driver.restore(path)
    assert parse_definition(web.driver.domain_xml(uuid)).machine == machine
    assert parse_definition(web.driver.domain_xml(uuid, inactive=True)).machine != machine


def test_golden_a_file_is_good_for_any_manager(tmp_path: Path, path: str) -> None:
    with bench(tmp_path / "one") as web:
        uuid = web.define()
        web.driver.start(uuid)
        web.driver.save(uuid, path)
        with open_image(path) as (header, _):
            assert parse_definition(header.xml).uuid == uuid
    with bench(tmp_path / "two") as web:
        assert web.driver.restore(path).uuid == uuid
        assert web.told.wait_for(*RESTORE) == RESTORE
