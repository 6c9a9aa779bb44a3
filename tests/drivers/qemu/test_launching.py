# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps of a launch; what ``kill -9`` between any two leaves is in ``test_taking_up.py``."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from virevents.definition import DomainDefinition, DomainType
from virevents.drivers.qemu import process
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.launching import Plan, end_unfinished, launch
from virevents.drivers.qemu.process import find
from virevents.drivers.qemu.status import RunFolder, Status
from virevents.drivers.qemu.told import NOTHING_TOLD
from virevents.errors import OperationFailedError, UnsupportedError

DEFINITION: Final = DomainDefinition(
    name="web1",
    uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
    memory_kib=8192,
    current_memory_kib=8192,
    domain_type=DomainType.QEMU,
)
# In QEMU's place: keeps the listening socket, and says something to whoever connects.
SERVER: Final = """
import socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    client, _ = listener.accept()
    client.sendall(b"{")
    client.recv(1)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[DomainDirectory]:
    made = DomainDirectory(tmp_path / "root")
    yield made
    made.close()


def sleeper(_folder: RunFolder, _monitor: int) -> Plan:
    return Plan(arguments=["/bin/sleep", "600"], definition=DEFINITION)


def left(directory: DomainDirectory) -> list[object]:
    children: list[object] = []
    with suppress(ChildProcessError):
        children = [os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) or "runs"]
    return [*children, *directory.run_folders()]


def test_never_lost(directory: DomainDirectory) -> None:
    """What is on record at each step; each of them is where the next process begins."""
    seen = []

    def plan(folder: RunFolder, monitor: int) -> Plan:
        assert folder.monitor.is_socket()
        assert os.fstat(monitor)
        seen.append(folder.read())
        return Plan(arguments=["/bin/sleep", "600"], definition=DEFINITION)

    launched = launch(directory, 7, DEFINITION, plan, is_autodestroyed=True)
    (intent,) = seen
    assert intent is not None
    assert (intent.pid, intent.is_autodestroyed) == (None, True)
    status = launched.folder.read()
    assert status is not None
    assert status.pid == launched.process.pid
    assert launched.told.told == NOTHING_TOLD
    found = find(status.pid, status.start_time or 0)
    assert found is not None
    found.forget()
    launched.undo()
    assert left(directory) == []


def test_nothing_behind(directory: DomainDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: RunFolder, _monitor: int) -> Plan:
        raise UnsupportedError("not this one")

    def missing(_folder: RunFolder, _monitor: int) -> Plan:
        return Plan(arguments=["/nowhere/qemu"], definition=DEFINITION)

    with pytest.raises(UnsupportedError):
        launch(directory, 1, DEFINITION, refuse)
    with pytest.raises(OperationFailedError, match="/nowhere/qemu"):
        launch(directory, 2, DEFINITION, missing)
    write = RunFolder.write

    def write_once(folder: RunFolder, status: Status) -> None:
        if status.pid is not None:
            raise OSError("a full disk")
        write(folder, status)

    monkeypatch.setattr(RunFolder, "write", write_once)
    with pytest.raises(OSError, match="a full disk"):
        launch(directory, 3, DEFINITION, sleeper)
    assert left(directory) == []


def test_unfinished_is_ended_by_its_mark(directory: DomainDirectory, tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER)

    def serve(_folder: RunFolder, monitor: int) -> Plan:
        return Plan(
            arguments=[sys.executable, "-ISs", str(script), str(monitor)],
            definition=DEFINITION,
        )

    launched = launch(directory, 1, DEFINITION, serve)
    launched.monitor.close()
    assert end_unfinished(launched.folder)
    assert end_unfinished(launched.folder)
    assert process.find_marked(launched.folder.mark) is None
    launched.undo()
    assert left(directory) == []


def test_unfinished_before_there_was_a_socket_is_nothing(directory: DomainDirectory) -> None:
    assert end_unfinished(directory.run_folder(1))
