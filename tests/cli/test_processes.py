# SPDX-License-Identifier: LGPL-2.1-or-later
"""One domain, and a process for each command: it goes on between them."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE, Done, program
from virevents.testing.guests import GUESTS

pytestmark = [pytest.mark.qemu, pytest.mark.slow]


def _command(folder: Path, *arguments: str) -> Done:
    uri = f"qemu:///embed?root={folder / 'root'}"
    with program(*arguments, environment={"VIREVENTS_DEFAULT_URI": uri}) as process:
        out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


def _qemus(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has gone
        if f"{folder}/rom-idle.bin".encode() in arguments:
            found.append(int(process.name))
    return found


@pytest.fixture
def xml(tmp_path: Path) -> Iterator[str]:
    """A file with the definition of a guest that does nothing; none is left running."""
    file = tmp_path / "web.xml"
    image = GUESTS["rom-idle"].write(tmp_path)
    emulator = shutil.which("qemu-system-x86_64")
    file.write_text(
        "<domain type='qemu'><name>web</name><memory unit='MiB'>8</memory><vcpu>1</vcpu>"
        f"<os><type>hvm</type><loader>{image}</loader></os>"
        f"<devices><emulator>{emulator}</emulator></devices></domain>"
    )
    yield str(file)
    left = _qemus(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_six_commands_are_six_processes_and_one_life(tmp_path: Path, xml: str) -> None:
    assert _command(tmp_path, "define", xml) == Done(0, "domain web defined\n", "")
    assert _command(tmp_path, "start", "web") == Done(0, "domain web started\n", "")
    running = _qemus(tmp_path)
    assert len(running) == 1
    assert _command(tmp_path, "suspend", "web") == Done(0, "domain web suspended\n", "")
    assert _command(tmp_path, "resume", "web") == Done(0, "domain web resumed\n", "")
    assert _qemus(tmp_path) == running  # the same QEMU all the time
    assert _command(tmp_path, "destroy", "web") == Done(0, "domain web destroyed\n", "")
    assert _qemus(tmp_path) == []
    assert _command(tmp_path, "undefine", "web") == Done(0, "domain web undefined\n", "")
    assert _command(tmp_path, "list", "--all") == Done(0, "Id  Name  State\n", "")


def test_a_qemu_killed_between_two_commands_is_told_once(tmp_path: Path, xml: str) -> None:
    _command(tmp_path, "define", xml)
    _command(tmp_path, "start", "web")
    (pid,) = _qemus(tmp_path)
    os.kill(pid, signal.SIGKILL)
    assert "shutoff" in _command(tmp_path, "domstate", "web").out  # nobody listened to this one
    told = _command(tmp_path, "events", "--json", "--count", "1", "--timeout", "20")
    event = json.loads(told.out)
    assert (event["event"], event["detail"]) == ("stopped", "failed")
    assert event["cause"]["is_found_at_start"]
    again = _command(tmp_path, "events", "--count", "1", "--timeout", "0.5")
    assert (again.status, again.out) == (1, "")
    assert _command(tmp_path, "undefine", "web").status == 0


def test_a_second_process_is_told_who_has_the_directory(tmp_path: Path, xml: str) -> None:
    uri = f"qemu:///embed?root={tmp_path / 'root'}"
    with program("-c", uri, "create", xml, "--watch", "--autodestroy") as watcher:
        assert watcher.stdout is not None
        for line in watcher.stdout:
            if "started (booted)" in line:
                break
        refused = _command(tmp_path, "list")
        assert refused.status == 3
        assert str(watcher.pid) in refused.err
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=PATIENCE)
    assert watcher.returncode == 130
    assert _qemus(tmp_path) == []  # it ended with the command
