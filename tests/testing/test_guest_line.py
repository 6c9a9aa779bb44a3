# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other end of a guest's serial line, with a guest that is a socket, and with a real one."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from virevents.errors import OperationTimeoutError
from virevents.testing.guests import AGENT_READY, GUESTS, AgentCommand, AgentLine


@pytest.fixture
def line(tmp_path: Path) -> Iterator[AgentLine]:
    """A line whose guest may take long."""
    with AgentLine(tmp_path / "line", patience=20) as made:
        yield made


def _guest(line: AgentLine) -> socket.socket:
    guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    guest.connect(str(line.path))
    return guest


def test_each_start(line: AgentLine) -> None:
    with _guest(line) as first:
        first.sendall(AGENT_READY)
        line.wait_ready()
        first.sendall(b"forgotten" + AGENT_READY)
    with _guest(line) as second:
        second.sendall(b"a " + AGENT_READY + b"p")
        line.wait_ready()
        line.tell(AgentCommand.POWEROFF)  # its answer was there before
        assert second.recv(10) == b"p"


def test_the_guest_of_now_is_told(line: AgentLine) -> None:
    """A restored guest says nothing when it is there again, and its old end is not told."""
    with _guest(line) as first:
        first.sendall(AGENT_READY)
        line.wait_ready()
    with _guest(line) as second:
        line.send(AgentCommand.POWEROFF)  # not waiting for an answer
        assert second.recv(10) == b"p"


def test_each_reset_is_heard_once(line: AgentLine) -> None:
    with _guest(line) as guest:
        guest.sendall(AGENT_READY * 2)
        line.wait_ready()
        line.wait_ready()
        guest.sendall(b"r")
        line.tell(AgentCommand.RESET)


@pytest.mark.parametrize("is_there", [True, False])
def test_in_time(tmp_path: Path, *, is_there: bool) -> None:
    with AgentLine(tmp_path / "line", patience=0.05) as line:
        guest = _guest(line) if is_there else None
        with pytest.raises(OperationTimeoutError, match=r"did not say b'R' in 0\.05 s"):
            line.wait_ready()
        with pytest.raises(OperationTimeoutError, match=r"the guest did not say b'p?' in 0\.05 s"):
            line.tell(AgentCommand.POWEROFF)
        if guest is not None:
            guest.close()
    assert not (tmp_path / "line").exists()


def test_a_guest_that_has_gone_is_no_more_than_late(tmp_path: Path) -> None:
    with AgentLine(tmp_path / "line", patience=0.05) as line:
        with _guest(line) as guest:
            guest.sendall(AGENT_READY)
            line.wait_ready()
            guest.sendall(b"unread")
        with pytest.raises(OperationTimeoutError):
            line.tell(AgentCommand.POWEROFF)
        with pytest.raises(OperationTimeoutError):
            line.tell(AgentCommand.POWEROFF)


def test_a_line_that_is_cut_hard_is_one_that_ended(line: AgentLine) -> None:
    with _guest(line) as guest:
        guest.sendall(AGENT_READY)
        line.wait_ready()
        unread = threading.Thread(target=lambda: line.tell(AgentCommand.POWEROFF))
        unread.start()
        assert guest.recv(1) == b"p"
        guest.sendall(b"p")
        unread.join(20)
    assert not unread.is_alive()


def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        AgentLine(tmp_path / ("x" * 200))


@pytest.mark.qemu
def test_a_real_guest_obeys(line: AgentLine, tmp_path: Path) -> None:
    rom = GUESTS["rom-agent"].write(tmp_path)
    arguments = ["-accel", "tcg", "-display", "none", "-nodefaults", "-bios", str(rom), "-m", "8"]
    serial = ["-chardev", f"socket,id=line,path={line.path}", "-serial", "chardev:line"]
    with subprocess.Popen(["qemu-system-x86_64", *arguments, *serial]) as qemu:
        try:
            line.wait_ready()
            line.tell(AgentCommand.RESET)
            line.wait_ready()
            line.tell(AgentCommand.POWEROFF)
            assert qemu.wait(20) == 0
        finally:
            qemu.kill()
    assert "path='" + str(line.path) in line.device
