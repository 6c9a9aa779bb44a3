# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each guest runs in a real QEMU and makes the events that its entry claims."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from virevents.testing.guests import AGENT_READY, GUESTS, AgentCommand, Guest
from virevents.testing.guests.assembler import Assembler

QEMU = "qemu-system-x86_64"
PATIENCE = 10.0  # seconds; only a failing test uses them


class Machine:
    """A real QEMU that has been told nothing yet but its capabilities."""

    def __init__(self, process: subprocess.Popen[bytes], qmp: socket.socket) -> None:
        self.process = process
        self._qmp = qmp
        self._lines = qmp.makefile("rb")
        self._sent = 0

    def _next(self) -> dict[str, object]:
        line = self._lines.readline()
        if not line:
            raise EOFError
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    def execute(self, command: str, **arguments: str | int) -> Self:
        self._sent += 1
        request = {"execute": command, "arguments": arguments, "id": self._sent}
        self._qmp.sendall(json.dumps(request).encode())
        return self

    def returned(self) -> None:
        """Read up to the reply to the newest command, which must have succeeded."""
        reply = self._next()
        while reply.get("id") != self._sent:
            reply = self._next()
        assert "return" in reply

    def close(self) -> None:
        self._lines.close()
        self._qmp.close()

    def events(self, count: int) -> list[str]:
        """The names of the next *count* events but RESUME, or of all until the end."""
        found: list[str] = []
        while len(found) < count:
            try:
                name = self._next().get("event")
            except EOFError:
                break
            if name not in (None, "RESUME"):
                found.append(str(name))
        return found


@contextmanager
def machine(guest: Guest, directory: Path, *arguments: str) -> Iterator[Machine]:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    fixed = ["-S", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg"]
    fixed += ["-machine", "pc", "-m", "8", "-bios", str(guest.write(directory))]
    monitor = ["-chardev", f"socket,id=q,fd={theirs.fileno()}", "-mon", "chardev=q,mode=control"]
    process = subprocess.Popen(
        [QEMU, *fixed, *monitor, *guest.arguments, *arguments], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    running = Machine(process, ours)
    try:
        running.execute("qmp_capabilities")
        yield running
    finally:
        process.kill()
        process.wait(PATIENCE)
        running.close()


@contextmanager
def agent(directory: Path, *arguments: str) -> Iterator[tuple[Machine, socket.socket]]:
    """The agent, running and listening, with the other end of its serial line."""
    path = directory / "serial"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        serial = ("-chardev", f"socket,id=s,path={path}", "-serial", "chardev:s")
        with machine(GUESTS["rom-agent"], directory, *serial, *arguments) as running:
            listener.settimeout(PATIENCE)
            line, _ = listener.accept()
            with line:
                line.settimeout(PATIENCE)
                running.execute("cont")
                assert line.recv(1) == AGENT_READY
                yield running, line


@pytest.mark.qemu
@pytest.mark.parametrize("name", [name for name, guest in GUESTS.items() if guest.events])
def test_a_guest_makes_its_events(name: str, tmp_path: Path) -> None:
    guest = GUESTS[name]
    with machine(guest, tmp_path) as running:
        assert running.execute("cont").events(len(guest.events)) == list(guest.events)


@pytest.mark.qemu
@pytest.mark.parametrize("name", [name for name, guest in GUESTS.items() if guest.ends])
def test_a_guest_that_ends_makes_no_other_event_and_ends(name: str, tmp_path: Path) -> None:
    guest = GUESTS[name]
    with machine(guest, tmp_path) as running:
        assert running.execute("cont").events(99) == list(guest.events)
        status = 33 if name == "rom-debug-exit" else 0
        assert running.process.wait(PATIENCE) == status


@pytest.mark.qemu
def test_the_button_guest_powers_off_when_asked(tmp_path: Path) -> None:
    with machine(GUESTS["rom-button"], tmp_path) as running:
        assert running.execute("cont").events(1) == ["RTC_CHANGE"]
        assert running.execute("system_powerdown").events(99) == ["POWERDOWN", "SHUTDOWN"]


@pytest.mark.qemu
def test_the_idle_guest_is_deaf_to_the_power_button(tmp_path: Path) -> None:
    with machine(GUESTS["rom-idle"], tmp_path) as running:
        running.execute("cont").execute("system_powerdown").execute("stop").execute("quit")
        assert running.events(99) == ["POWERDOWN", "STOP", "SHUTDOWN"]


@pytest.mark.qemu
def test_the_agent_hears_the_power_button(tmp_path: Path) -> None:
    with agent(tmp_path) as (running, _):
        assert running.execute("system_powerdown").events(99) == ["POWERDOWN", "SHUTDOWN"]


LETTERS: list[tuple[AgentCommand, str, tuple[str, ...]]] = [
    (AgentCommand.POWEROFF, "SHUTDOWN", ()),
    (AgentCommand.SUSPEND_TO_MEMORY, "SUSPEND", ()),
    (AgentCommand.SUSPEND_TO_DISK, "SUSPEND_DISK", ()),
    (AgentCommand.RESET, "RESET", ()),
    (AgentCommand.RESET_BY_KEYBOARD_CONTROLLER, "RESET", ()),
    (AgentCommand.TRIPLE_FAULT, "RESET", ()),
    (AgentCommand.PANIC, "GUEST_PANICKED", GUESTS["rom-panic"].arguments),
    (AgentCommand.CRASH_LOADED, "GUEST_CRASHLOADED", GUESTS["rom-panic"].arguments),
    (AgentCommand.WATCHDOG_AT_ONCE, "WATCHDOG", GUESTS["rom-watchdog"].arguments),
    (AgentCommand.SET_CLOCK, "RTC_CHANGE", ()),
    (AgentCommand.WRITE_DISK, "BLOCK_IO_ERROR", GUESTS["rom-write-disk"].arguments),
    (AgentCommand.READ_DISK, "BLOCK_IO_ERROR", GUESTS["rom-write-disk"].arguments),
]


@pytest.mark.qemu
@pytest.mark.parametrize(("letter", "event", "arguments"), LETTERS)
def test_the_agent_obeys_a_letter(
    letter: AgentCommand, event: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    with agent(tmp_path, *arguments) as (running, line):
        line.sendall(letter.encode())
        assert line.recv(1) == letter.encode()
        assert running.events(1) == [event]


@pytest.mark.qemu
def test_the_agent_reports_the_balloon_that_was_asked_for(tmp_path: Path) -> None:
    device = ("-device", "virtio-balloon-pci,addr=4,disable-modern=on")
    with agent(tmp_path, *device) as (running, line):
        running.execute("balloon", value=4 << 20)
        running.returned()
        line.sendall(AgentCommand.ACK_BALLOON.encode())
        assert running.events(1) == ["BALLOON_CHANGE"]


@pytest.mark.qemu
def test_the_agent_ejects_a_pci_device_that_is_asked_back(tmp_path: Path) -> None:
    device = ("-device", "virtio-balloon-pci,addr=4,id=b")
    with agent(tmp_path, *device) as (running, line):
        running.execute("device_del", id="b")
        running.returned()
        line.sendall(AgentCommand.EJECT_PCI.encode())
        assert running.events(2) == ["DEVICE_DELETED", "DEVICE_DELETED"]


@pytest.mark.qemu
@pytest.mark.parametrize("letter", [AgentCommand.HANG, AgentCommand.SPIN])
def test_a_hung_agent_answers_neither_letters_nor_the_button(
    letter: AgentCommand, tmp_path: Path
) -> None:
    with agent(tmp_path) as (running, line):
        line.sendall(letter.encode())
        assert line.recv(1) == letter.encode()
        line.sendall(AgentCommand.POWEROFF.encode())
        running.execute("system_powerdown").execute("quit")
        assert running.events(99) == ["POWERDOWN", "SHUTDOWN"]
        assert line.recv(1) == b""


@pytest.mark.qemu
def test_the_agent_debug_exit_gives_the_status_and_no_event(tmp_path: Path) -> None:
    with agent(tmp_path, *GUESTS["rom-debug-exit"].arguments) as (running, line):
        line.sendall(AgentCommand.DEBUG_EXIT.encode())
        assert running.events(99) == []
        assert running.process.wait(PATIENCE) == 33


def test_every_letter_differs_and_has_an_action() -> None:
    assert len({command.value for command in AgentCommand}) == len(AgentCommand)
    assert GUESTS["rom-agent"].image.count(b"\x3c") >= len(AgentCommand)


def test_an_image_is_64_kib_and_the_same_every_time() -> None:
    for guest in GUESTS.values():
        assert len(guest.image) == 0x10000
        assert guest.image is guest.image


def test_unknown_label() -> None:
    asm = Assembler()
    asm.jump("nowhere")
    with pytest.raises(ValueError, match="'nowhere' is used but never set"):
        asm.assemble()


def test_label_once() -> None:
    asm = Assembler()
    asm.label("here")
    with pytest.raises(ValueError, match="'here' is set twice"):
        asm.label("here")


def test_short_jump() -> None:
    asm = Assembler()
    asm.short_jump_if("zero", "far")
    asm.emit(bytes(128))
    asm.label("far")
    with pytest.raises(ValueError, match="'far' is 128 bytes away"):
        asm.assemble()
