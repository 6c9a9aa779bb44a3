# SPDX-License-Identifier: LGPL-2.1-or-later
import dataclasses
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import virevents
from tests.cli.running import PATIENCE, TEST_URI, program, run
from virevents.cli import demo as demo_module
from virevents.cli.demo_life import Life, make_qemu_life, make_test_life
from virevents.clock import monotonic
from virevents.sync import gate
from virevents.testing.guests import AgentLine

Capsys = pytest.CaptureFixture[str]


def _check_output(lines: list[str], life: Life) -> None:
    """Each event is shown for each of the three subscribers, in order."""
    for who in ("callback", "stream", "slow"):
        shown = [line.split("#", 1)[1].split(" ", 1)[1] for line in lines if f"  {who} " in line]
        assert shown == life.events
    threads = {line.split()[3] for line in lines if " ms  " in line}
    assert "demo-asyncio" in threads
    assert any(thread.startswith("virevents-worker") for thread in threads)
    acts = [line.split("MainThread")[1].strip() for line in lines if "  do  " in line]
    assert acts == ["define", *(act.name for act in life.acts)]
    assert lines[-1].startswith(f"{len(life.events)} events to each of 3 subscribers, in order")


@pytest.mark.slow
def test_on_the_test_driver(capsys: Capsys, tmp_path: Path) -> None:
    done = run(capsys, "demo", "-c", TEST_URI)
    assert (done.status, done.err) == (0, "")
    _check_output(done.lines, make_test_life(tmp_path))


@pytest.mark.slow
@pytest.mark.qemu
def test_on_a_real_guest(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-system-x86_64")
    assert emulator is not None
    began = monotonic()
    with program("demo", environment={"TMPDIR": str(tmp_path)}) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert monotonic() - began < 20
    assert out.startswith(f"A real guest: {emulator}, on qemu:///embed?root={tmp_path}")
    assert list(tmp_path.iterdir()) == []
    with AgentLine(tmp_path / "line") as line:
        _check_output(out.splitlines(), make_qemu_life(tmp_path, emulator, line))


@pytest.mark.slow
def test_without_qemu_it_says_so_and_runs_on_the_test_driver(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(demo_module, "_SLOW", 0.0)
    done = run(capsys, "demo")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0] == "qemu-system-x86_64 is not installed: this runs on the test driver"
    _check_output(done.lines, make_test_life(tmp_path))


def test_where_the_qemu_driver_cannot_be_it_says_so(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = virevents.open

    def refuse(uri: str) -> virevents.Connection:
        if uri.startswith("qemu:"):
            raise virevents.UnsupportedError("no pidfds here")
        return opened(uri)

    (tmp_path / "qemu-system-x86_64").touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(virevents, "open", refuse)
    monkeypatch.setattr(demo_module, "_SLOW", 0.0)
    done = run(capsys, "demo")
    assert done.status == 0
    assert done.lines[0] == "no pidfds here: this runs on the test driver"


def test_checks_itself_an_event_that_did_not_come(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expects_more(folder: Path) -> Life:
        life = make_test_life(folder)
        told = ("started (booted) by call", "shutdown (guest)")
        first = dataclasses.replace(life.acts[0], events=told)
        return dataclasses.replace(life, acts=(first, *life.acts[1:]))

    monkeypatch.setattr(demo_module, "make_test_life", expects_more)
    monkeypatch.setattr("virevents.cli.demo_stage._ACT_MAY_TAKE", 0.2)
    done = run(capsys, "demo", "-c", TEST_URI)
    assert done.status == 1
    assert done.err == "virevents: demo: start: its 2 events did not come\n"


def test_checks_itself_an_event_that_is_another(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expects_another(folder: Path) -> Life:
        life = make_test_life(folder)
        first = dataclasses.replace(life.acts[0], events=("started (wakeup)",))
        return dataclasses.replace(life, acts=(first, *life.acts[1:]))

    monkeypatch.setattr(demo_module, "make_test_life", expects_another)
    monkeypatch.setattr(demo_module, "_SLOW", 0.0)
    done = run(capsys, "demo", "-c", TEST_URI)
    assert done.status == 1
    whos = [line.split()[3] for line in done.err.splitlines()]
    assert whos == ["callback", "stream", "slow"]


def test_delays_nobody_or_says_so(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe = virevents.Connection.subscribe

    # The fault: every callback runs on the loop thread, as all do in libvirt.
    def subscribe_directly(
        connection: virevents.Connection, callback: object, *, event_id: frozenset[str]
    ) -> virevents.Subscription:
        assert callable(callback)
        return subscribe(connection, callback, event_id=event_id, delivery="direct")

    monkeypatch.setattr(virevents.Connection, "subscribe", subscribe_directly)
    monkeypatch.setattr(gate, "refuse_to_block", lambda _: None)
    monkeypatch.setattr(gate, "are_locks_checked", lambda: False)
    monkeypatch.setattr(demo_module, "_SLOW", 0.0)
    monkeypatch.setattr(demo_module, "_SLOW_AT_MOST", 0.2)
    done = run(capsys, "demo", "-c", TEST_URI)
    assert done.status == 1
    assert done.err == "virevents: demo: the slow subscriber delayed another one\n"


def test_a_folder_that_cannot_be_used_is_said_so(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "qemu-system-x86_64").touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    long = tmp_path / ("x" * 100)  # too long for the path of a socket
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    done = run(capsys, "demo")
    assert done.status == 1
    assert done.err.startswith("virevents: demo: AF_UNIX path too long")
    assert list(long.iterdir()) == []


def test_another_hypervisor_is_bad_usage(capsys: Capsys) -> None:
    assert run(capsys, "demo", "-c", "qemu:///system").status == 2


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_it_and_its_guest(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with program("demo", environment={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "started (booted)" in line:
                break
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (status, "")
    assert list(tmp_path.iterdir()) == []
    assert [one for one in _command_lines() if str(tmp_path) in one] == []


def _command_lines() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield (process / "cmdline").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has gone
