# SPDX-License-Identifier: LGPL-2.1-or-later
"""Core dumps of real guests: libvirt's sequences, an ELF core, and a domain that goes on."""

import datetime as dt
import os
import re
import signal
import struct
import threading
from pathlib import Path
from typing import Final, Self

import pytest

from tests.drivers.qemu.harness import PATIENCE, SHORT, START, Bench, in_threads
from virevents.definition import LifecycleAction, Panic, Watchdog, WatchdogAction, WatchdogModel
from virevents.drivers import CoreDumpMode
from virevents.drivers.qemu import dumping
from virevents.drivers.qemu.dumping import dump_name
from virevents.drivers.qemu.placing import PlacedFile
from virevents.errors import (
    DomainNotFoundError,
    InvalidArgumentError,
    MonitorTimeoutError,
    OperationFailedError,
    StateError,
)
from virevents.model import (
    CrashedReason,
    DomainIdentity,
    DomainState,
    PausedReason,
    RequestedBy,
    RunningReason,
    ShutoffReason,
)

pytestmark = pytest.mark.qemu

PAUSE: Final = ["suspended paused", "resumed unpaused"]
GOES_ON: Final = (DomainState.RUNNING, RunningReason.UNPAUSED)
_ELF_CORE: Final = 4  # e_type of the file's header


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "core")


def is_elf_core(path: Path) -> bool:
    header = path.read_bytes()[:18]
    return header[:4] == b"\x7fELF" and struct.unpack_from("<H", header, 16) == (_ELF_CORE,)


@pytest.mark.parametrize(
    ("mode", "told", "state"),
    [
        (CoreDumpMode.PAUSE, PAUSE, GOES_ON),
        (CoreDumpMode.LIVE, PAUSE, GOES_ON),
        (CoreDumpMode.RESET, ["suspended paused", "reboot", "resumed unpaused"], GOES_ON),
        (
            CoreDumpMode.CRASH,
            ["suspended paused", "stopped crashed"],
            (DomainState.SHUTOFF, ShutoffReason.CRASHED),
        ),
    ],
)
def test_golden_of_a_running_domain(
    web: Bench,
    uuid: str,
    path: str,
    mode: CoreDumpMode,
    told: list[str],
    state: tuple[DomainState, object],
) -> None:
    web.driver.core_dump(uuid, path, mode)
    assert web.told.wait_for(*told)[3:] == told
    assert web.driver.domain_state(uuid) == state
    assert is_elf_core(Path(path))


@pytest.mark.parametrize(
    ("mode", "told", "state"),
    [
        (CoreDumpMode.PAUSE, [], (DomainState.PAUSED, PausedReason.USER)),
        (CoreDumpMode.LIVE, [], (DomainState.PAUSED, PausedReason.USER)),
        (CoreDumpMode.RESET, ["reboot"], (DomainState.PAUSED, PausedReason.USER)),
        (CoreDumpMode.CRASH, ["stopped crashed"], (DomainState.SHUTOFF, ShutoffReason.CRASHED)),
    ],
)
def test_golden_of_a_paused_domain(
    web: Bench,
    uuid: str,
    path: str,
    mode: CoreDumpMode,
    told: list[str],
    state: tuple[DomainState, object],
) -> None:
    web.driver.suspend(uuid)
    web.driver.core_dump(uuid, path, mode)
    assert web.told.wait_for("suspended paused", *told)[4:] == told
    assert web.driver.domain_state(uuid) == state
    assert is_elf_core(Path(path))


def test_golden_a_reset_that_is_the_end(web: Bench, path: str) -> None:
    uuid = web.define(on_reboot=LifecycleAction.DESTROY)
    web.driver.start(uuid)
    web.told.wait_for(*START)
    web.driver.core_dump(uuid, path, CoreDumpMode.RESET)
    assert web.told.wait_for("stopped shutdown")[3:] == [
        "suspended paused",
        "shutdown host",
        "stopped shutdown",
    ]
    assert is_elf_core(Path(path))


def test_golden_of_a_transient_domain(web: Bench, path: str) -> None:
    uuid = web.driver.create(web.xml()).uuid
    web.driver.core_dump(uuid, path, CoreDumpMode.CRASH)
    assert web.told.wait_for("stopped crashed") == [*START, "suspended paused", "stopped crashed"]
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_uuid(uuid)


def test_golden_of_a_crashed_domain(web: Bench, path: str) -> None:
    uuid = web.define("rom-panic", on_crash=LifecycleAction.PRESERVE, panics=(Panic(),))
    web.driver.start(uuid)
    web.told.wait_for("crashed panicked")
    crashed = (DomainState.CRASHED, CrashedReason.PANICKED)
    for mode in (CoreDumpMode.PAUSE, CoreDumpMode.LIVE):
        web.driver.core_dump(uuid, path, mode)
        assert web.driver.domain_state(uuid) == crashed
    assert web.told.words()[-1] == "crashed panicked"


def test_golden_the_cause_is_the_call(web: Bench, uuid: str, path: str) -> None:
    web.driver.core_dump(uuid, path)
    web.driver.core_dump(uuid, path, CoreDumpMode.LIVE)
    web.driver.core_dump(uuid, path, CoreDumpMode.CRASH)
    web.told.wait_for("stopped crashed")
    causes = [event.cause for event in web.told.events()[3:]]  # type: ignore[attr-defined]
    assert {cause.requested_by for cause in causes} == {RequestedBy.CALL}


def test_elf(web: Bench, uuid: str, path: str) -> None:
    Path(path).write_bytes(b"before")
    Path(path).chmod(0o644)
    web.driver.core_dump(uuid, path)
    assert is_elf_core(Path(path))
    assert Path(path).stat().st_size > 8 << 20  # the guest's 8 MiB
    assert Path(path).stat().st_mode & 0o777 == 0o600
    image = (web.root / "rom-idle.bin").read_bytes()[-16:]
    assert image in Path(path).read_bytes()  # the guest's own bytes, at its memory's top


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("no/folder", 38, "Failed to create file '.*/no/folder': No such file or directory"),
        ("/dev/full", 9, "could not dump the memory.*No space left on device"),
    ],
)
def test_as_it_was(web: Bench, uuid: str, tmp_path: Path, place: str, code: int, says: str) -> None:
    for mode in (CoreDumpMode.PAUSE, CoreDumpMode.CRASH, CoreDumpMode.RESET):
        with pytest.raises(OperationFailedError, match=says) as met:
            web.driver.core_dump(uuid, str(tmp_path / place), mode)
        assert met.value.code == code
        assert web.driver.domain_state(uuid) == GOES_ON
    assert web.told.wait_for(*PAUSE * 3)[3:] == PAUSE * 3
    assert not list(tmp_path.glob(".*partial"))


def test_as_it_was_live(web: Bench, uuid: str) -> None:
    with pytest.raises(OperationFailedError, match="No space left on device"):
        web.driver.core_dump(uuid, "/dev/full", CoreDumpMode.LIVE)
    assert web.told.wait_for(*PAUSE)[3:] == PAUSE
    assert web.driver.domain_state(uuid) == GOES_ON


def test_as_it_was_never_begun(web: Bench, path: str) -> None:
    uuid = web.define()
    with pytest.raises(StateError, match="domain is not running"):
        web.driver.core_dump(uuid, path)
    with pytest.raises(InvalidArgumentError, match="absolute path"):
        web.driver.core_dump(uuid, "core")
    assert not Path(path).exists()


def test_as_it_was_destroyed_meanwhile(
    web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump that goes on for ever: its QEMU writes into a pipe that nobody reads."""
    reader, writer = os.pipe()
    under_way = threading.Event()

    class Stuck(PlacedFile):
        def __enter__(self) -> Self:
            os.dup2(writer, self.descriptor, inheritable=False)
            under_way.set()
            return self

    monkeypatch.setattr(dumping, "PlacedFile", Stuck)

    def dump() -> None:
        with pytest.raises(OperationFailedError, match="the dump was broken off"):
            web.driver.core_dump(uuid, path)

    def destroy() -> None:
        assert under_way.wait(PATIENCE)
        web.driver.destroy(uuid)

    in_threads(dump, destroy)
    os.close(reader)
    os.close(writer)
    assert web.told.wait_for("stopped destroyed")[-1] == "stopped destroyed"
    assert not Path(path).exists()


def test_as_it_was_while_qemu_answers(
    web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event is heard in time: an answer tells as well."""
    monkeypatch.setattr(dumping, "_SILENCE_MAX", 0.0)
    web.driver.core_dump(uuid, path)
    assert is_elf_core(Path(path))
    assert web.driver.domain_state(uuid) == GOES_ON


def test_as_it_was_a_hang_ends_the_dump(
    web: Bench, uuid: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hangs(PlacedFile):
        def __enter__(self) -> Self:
            web.kill(signal.SIGSTOP)
            run = web.driver._estate.domains.by_uuid(uuid).run  # type: ignore[attr-defined]
            monkeypatch.setattr(run, "_answer_within", SHORT)
            return self

    monkeypatch.setattr(dumping, "PlacedFile", Hangs)
    with pytest.raises(MonitorTimeoutError):
        web.driver.core_dump(uuid, path)
    assert not Path(path).exists()
    web.driver.destroy(uuid)
    assert web.told.wait_for("stopped destroyed")[-1] == "stopped destroyed"


def automatic_dumps(web: Bench) -> list[Path]:
    """Those that are whole: a guest that crashes again and again has the next one under way."""
    return sorted(each for each in (web.root / "dump").iterdir() if each.name[0] != ".")


def test_automatic_on_a_crash_that_ends_the_domain(web: Bench) -> None:
    uuid = web.define("rom-panic", on_crash=LifecycleAction.COREDUMP_DESTROY, panics=(Panic(),))
    web.driver.start(uuid)
    told = web.told.wait_for("crashed panicked", "stopped crashed")
    assert told == ["defined added", *START, "crashed panicked", "stopped crashed"]
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.CRASHED)
    (core,) = automatic_dumps(web)
    assert is_elf_core(core)
    assert core.stat().st_mode & 0o777 == 0o600
    assert (web.root / "dump").stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"\d+-web1-\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d", core.name)


def test_automatic_on_a_crash_that_restarts_the_domain(web: Bench) -> None:
    uuid = web.define("rom-panic", on_crash=LifecycleAction.COREDUMP_RESTART, panics=(Panic(),))
    web.driver.start(uuid)
    told = web.told.wait_for("crashed panicked", "reboot", "resumed unpaused", "crashed panicked")
    assert told[1:7] == [
        *START,
        "crashed panicked",
        "reboot",
        "resumed unpaused",
        "crashed panicked",
    ]
    web.driver.destroy(uuid)
    assert is_elf_core(automatic_dumps(web)[0])


def test_automatic_by_the_watchdog(web: Bench) -> None:
    watchdog = Watchdog(model=WatchdogModel.IB700, action=WatchdogAction.DUMP)
    uuid = web.define("rom-watchdog", watchdogs=(watchdog,))
    web.driver.start(uuid)
    told = web.told.wait_for("suspended watchdog", "resumed unpaused")
    assert told[1:] == [*START, "watchdog", "suspended watchdog", "resumed unpaused"]
    assert web.driver.domain_state(uuid) == GOES_ON
    (core,) = automatic_dumps(web)
    assert is_elf_core(core)


def test_automatic_that_fails_ends_as_it_should(
    web: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    (web.root / "dump").write_bytes(b"in the way")
    uuid = web.define("rom-panic", on_crash=LifecycleAction.COREDUMP_DESTROY, panics=(Panic(),))
    web.driver.start(uuid)
    assert web.told.wait_for("stopped crashed")[-2:] == ["crashed panicked", "stopped crashed"]
    assert "could not dump the memory of web1" in caplog.text


def test_automatic_names() -> None:
    domain = DomainIdentity("a name of many characters", "6695eb01-f6a4-8304-79aa-97f2502e1930", 7)
    time = dt.datetime(2026, 11, 23, 12, 50, 15).astimezone().timestamp()
    assert dump_name(domain, time) == "7-a name of many chara-2026-11-23-12:50:15"
