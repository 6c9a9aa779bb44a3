# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs of a program that misbehaves in QEMU's place; those of real QEMUs are in test_driver.py."""

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import uvloop

from tests.drivers.qemu.harness import (
    PATIENCE,
    SHORT,
    START,
    Bench,
    bench,
    in_threads,
    one_process,
    qemu_children,
)
from virevents.drivers.qemu import controls, departing, run
from virevents.errors import ClosedError, MonitorError, OperationFailedError
from virevents.model import DomainState, ShutoffReason

FAKE: Final = Path(__file__).with_name("fake_emulator.py")


@pytest.fixture(scope="module", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    uvloop.new_event_loop().close()


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(departing, "_STREAM_END_WITHIN", SHORT)
    monkeypatch.setattr(departing, "EXIT_WITHIN", SHORT)
    monkeypatch.setattr(controls, "_DESTROY_PATIENCE", SHORT)
    with bench(tmp_path) as opened:
        yield opened


def define(fakes: Bench, mode: str) -> str:
    emulator = fakes.root / "emulator"
    emulator.write_text(f"#!{sys.executable} -ISs\n{FAKE.read_text()}")
    emulator.chmod(0o700)
    return fakes.define(name=mode, emulator=str(emulator))


def started(fakes: Bench, mode: str) -> str:
    uuid = define(fakes, mode)
    fakes.driver.start(uuid)
    return uuid


def test_golden(fakes: Bench) -> None:
    uuid = started(fakes, "normal")
    fakes.driver.destroy(uuid)
    expected = ["defined added", *START, "stopped destroyed"]
    assert fakes.told.wait_for("stopped destroyed", name="normal") == expected


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refuses", "monitor command 'cont': not in the mood; QEMU: signal SIGKILL"),
        ("mute", r"no greeting within 0\.2 s; QEMU: signal SIGKILL"),
    ],
)
def test_silent_failure(
    fakes: Bench, mode: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "mute":
        monkeypatch.setattr(run, "_GREETING_WITHIN", SHORT)
    uuid = define(fakes, mode)
    with pytest.raises(OperationFailedError, match=words):
        fakes.driver.start(uuid)
    assert fakes.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.FAILED)
    assert qemu_children() == []
    fakes.driver.undefine(uuid)
    errors = ["control-error"] if mode == "mute" else []
    expected = ["defined added", *errors, "undefined removed"]
    assert fakes.told.wait_for("undefined removed", name=mode) == expected


def test_silent_failure_when_it_is_destroyed_on_its_way(
    fakes: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = define(fakes, "mute")
    is_on_its_way = threading.Event()
    boot = run.QemuRun.boot

    async def boot_and_say(
        started: run.QemuRun, monitor: socket.socket, startup: run.Startup
    ) -> None:
        is_on_its_way.set()
        await boot(started, monitor, startup)

    monkeypatch.setattr(run.QemuRun, "boot", boot_and_say)

    def start() -> None:
        with pytest.raises(OperationFailedError, match="could not start domain mute"):
            fakes.driver.start(uuid)

    def destroy() -> None:
        assert is_on_its_way.wait(PATIENCE)
        fakes.driver.destroy(uuid)

    in_threads(start, destroy)
    assert fakes.told.wait_for("control-error", name="mute") == ["defined added", "control-error"]


def test_a_start_whose_guest_is_over_at_once_is_a_start(fakes: Bench) -> None:
    started(fakes, "dies")
    expected = ["defined added", *START, "stopped failed"]
    assert fakes.told.wait_for("stopped failed", name="dies") == expected


def test_outlasts_nobody_when_it_closes_its_monitor_and_stays(fakes: Bench) -> None:
    uuid = started(fakes, "closes")
    with pytest.raises(MonitorError):
        fakes.driver.suspend(uuid)
    expected = ["defined added", *START, "stopped failed"]
    assert fakes.told.wait_for("stopped failed", name="closes") == expected
    assert qemu_children() == []


def test_outlasts_nobody_when_it_ignores_the_request(fakes: Bench) -> None:
    uuid = started(fakes, "stubborn")
    fakes.driver.destroy(uuid)
    assert fakes.told.wait_for("stopped destroyed", name="stubborn")[-2:] == [
        "started booted",
        "stopped destroyed",
    ]


def test_outlasts_nobody_when_somebody_keeps_the_stream(fakes: Bench) -> None:
    uuid = started(fakes, "bequeaths")
    with pytest.raises(MonitorError):
        fakes.driver.suspend(uuid)
    expected = ["defined added", *START, "stopped failed"]
    assert fakes.told.wait_for("stopped failed", name="bequeaths") == expected


def test_ends_once_when_destroyed_by_many(fakes: Bench) -> None:
    uuid = started(fakes, "normal")
    outcomes: list[str] = []

    def destroy() -> None:
        try:
            fakes.driver.destroy(uuid)
        except Exception as error:
            outcomes.append(str(error))
            if "not running" not in str(error):
                raise
        else:
            outcomes.append("")

    in_threads(*[destroy] * 8)
    assert "" in outcomes
    expected = ["defined added", *START, "stopped destroyed"]
    assert fakes.told.wait_for("stopped destroyed", name="normal") == expected


def test_a_monitor_that_babbles_is_lost_and_the_guest_goes_on(fakes: Bench) -> None:
    uuid = started(fakes, "babbles")
    with pytest.raises(MonitorError):
        fakes.driver.suspend(uuid)
    assert fakes.told.wait_for("control-error", name="babbles")
    with pytest.raises(MonitorError, match="the session has ended"):
        fakes.driver.suspend(uuid)
    assert fakes.driver.domain_state(uuid).state is DomainState.RUNNING
    fakes.driver.destroy(uuid)
    told = fakes.told.wait_for("stopped destroyed", name="babbles")
    assert told[-2:] == ["control-error", "stopped destroyed"]


def test_let_go(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        uuid = started(first, "normal")
        (pid,) = qemu_children()
        first.driver.close()
        assert qemu_children() == [pid]
        assert first.told.words("normal") == ["defined added", *START]
        with pytest.raises(ClosedError, match="goes on"):
            first.driver.destroy(uuid)
    with bench(tmp_path) as second:
        second.driver.destroy(uuid)
        assert second.told.wait_for("stopped destroyed", name="normal") == ["stopped destroyed"]
