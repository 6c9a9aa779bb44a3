# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole operating system as guest: what it does of itself, and what it is told to do.

Long: the first run downloads a kernel, and each boot takes seconds.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import pytest

import virevents
from tests.linux.image import COMMAND_LINE, MEMORY_MIB, LinuxGuest, build, missing_programs
from virevents import Domain, DomainEvent, LifecycleEvent

pytestmark = [pytest.mark.long, pytest.mark.qemu, pytest.mark.timeout(180)]

_PATIENCE: Final = 60.0
_CACHE: Final = Path(__file__).parents[2] / "build" / "linux"
_KINDS: Final = ("lifecycle", "reboot", "pm-suspend", "pm-wakeup")
_START: Final = ["resumed unpaused", "started booted"]


@pytest.fixture(scope="module")
def guest() -> LinuxGuest:
    missing = missing_programs()
    if missing:
        pytest.skip(f"no {', '.join(missing)}: the kernel cannot be had")
    return build(_CACHE)


class _Told:
    """What is told of the domain, lifecycle and other events, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._words: list[str] = []
        self._seen = 0

    def take(self, event: DomainEvent) -> None:
        with self._changed:
            if isinstance(event, LifecycleEvent):
                self._words.append(f"{event.event} {event.detail}")
            else:
                self._words.append(str(event.event_id))
            self._changed.notify_all()

    def wait_for(self, *words: str) -> None:
        """Wait for exactly these words next; repeated "reboot" counts as one."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._next()) >= len(words), _PATIENCE), (
                f"{self._words}, waiting for {words}"
            )
            assert self._next()[: len(words)] == [*words]
            for word in words:
                self._skip(word)

    def nothing_more(self) -> bool:
        """Whether nothing else came; firmware that boots may reset the machine again."""
        with self._changed:
            return set(self._next()) <= {"reboot"}

    def _next(self) -> list[str]:
        """What was not waited for yet, a run of reboots as one."""
        words: list[str] = []
        for word in self._words[self._seen :]:
            if word != "reboot" or words[-1:] != ["reboot"]:
                words.append(word)
        return words

    def _skip(self, word: str) -> None:
        self._seen += 1
        while word == "reboot" and self._words[self._seen : self._seen + 1] == ["reboot"]:
            self._seen += 1


class _Guest:
    """A running Linux guest: its domain, what is told of it, and its serial line.

    The line is read all the time: a guest that writes to one that nobody reads soon stands still.
    """

    def __init__(self, domain: Domain, told: _Told, serial: socket.socket) -> None:
        self.domain: Final = domain
        self.told: Final = told
        self._serial: Final = serial
        self._changed = threading.Condition()
        self._received = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, word: str) -> None:
        """Wait until the guest writes *word*, after what was waited for before."""
        wanted = word.encode()
        with self._changed:
            assert self._changed.wait_for(lambda: wanted in self._received, _PATIENCE), word
            self._received = self._received.partition(wanted)[2]

    def do(self, word: str) -> None:
        self._serial.sendall(word.encode() + b"\n")

    def close(self) -> None:
        self._serial.shutdown(socket.SHUT_RDWR)
        self._reader.join()

    def _read(self) -> None:
        while data := self._serial.recv(4096):
            with self._changed:
                self._received += data
                self._changed.notify_all()


def _xml(guest: LinuxGuest, serial: Path, *, panic: int, devices: str, on_crash: str) -> str:
    return f"""
    <domain type='qemu'>
      <name>linux</name>
      <memory unit='MiB'>{MEMORY_MIB}</memory>
      <os>
        <type arch='x86_64' machine='pc'>hvm</type>
        <kernel>{guest.kernel}</kernel>
        <initrd>{guest.initrd}</initrd>
        <cmdline>{escape(COMMAND_LINE.format(panic=panic))}</cmdline>
      </os>
      <features><acpi/></features>
      <on_crash>{on_crash}</on_crash>
      <devices>
        <serial type='unix'><source mode='bind' path='{serial}'/></serial>
        <memballoon model='none'/>
        {devices}
      </devices>
    </domain>"""


@contextmanager
def _booted(
    guest: LinuxGuest,
    folder: Path,
    *,
    panic: int = 0,
    devices: str = "",
    on_crash: str = "destroy",
) -> Iterator[_Guest]:
    path, told = folder / "serial", _Told()
    xml = _xml(guest, path, panic=panic, devices=devices, on_crash=on_crash)
    with (
        virevents.open(f"qemu:///embed?root={folder / 'root'}") as connection,
        connection.subscribe(told.take, event_id=_KINDS),
        socket.socket(socket.AF_UNIX) as serial,
    ):
        domain = connection.create(xml)
        serial.connect(str(path))
        running = _Guest(domain, told, serial)
        try:
            told.wait_for(*_START)
            running.wait_for("READY")
            yield running
        finally:
            running.close()
            for left in connection.list(active=True):
                left.destroy()


def test_it_obeys_the_power_button(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.domain.shutdown(timeout=_PATIENCE)
        linux.told.wait_for("shutdown guest", "stopped shutdown")


def test_it_powers_itself_off(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.do("poweroff")
        linux.told.wait_for("shutdown guest", "stopped shutdown")


def test_it_reboots_itself(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.do("reboot")
        linux.told.wait_for("reboot")
        linux.wait_for("READY")
        assert str(linux.domain.state().state) == "running"
        assert linux.told.nothing_more()


def test_it_is_rebooted_by_the_power_button(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.domain.reboot()
        linux.wait_for("READY")
        linux.told.wait_for("reboot")
        assert str(linux.domain.state().state) == "running"


def test_it_panics_and_the_device_tells(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path, devices="<panic model='isa'/>") as linux:
        linux.do("panic")
        linux.told.wait_for("crashed panicked", "stopped crashed")


def test_it_panics_and_is_restarted(guest: LinuxGuest, tmp_path: Path) -> None:
    devices = "<panic model='isa'/>"
    with _booted(guest, tmp_path, devices=devices, on_crash="restart") as linux:
        linux.do("panic")
        linux.told.wait_for("crashed panicked")
        linux.wait_for("READY")
        assert str(linux.domain.state().state) == "running"


def test_it_panics_and_nobody_is_told(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.do("panic")
        linux.wait_for("end Kernel panic")
        assert str(linux.domain.state().state) == "running"
        assert linux.told.nothing_more()


def test_it_panics_and_reboots_itself(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path, panic=1) as linux:
        linux.do("panic")
        linux.wait_for("READY")
        linux.told.wait_for("reboot")


def test_it_sleeps_and_is_woken(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        linux.do("suspend")
        linux.told.wait_for("pm-suspend", "pmsuspended memory")
        assert str(linux.domain.state().state) == "pmsuspended"
        linux.domain.pm_wakeup()
        linux.told.wait_for("pm-wakeup", "started wakeup")
        linux.wait_for("AWAKE")
        assert str(linux.domain.state().state) == "running"


def test_it_is_saved_and_goes_on(guest: LinuxGuest, tmp_path: Path) -> None:
    with _booted(guest, tmp_path) as linux:
        image = tmp_path / "image"
        connection = linux.domain.connection
        linux.domain.save(image)
        linux.told.wait_for("suspended paused", "stopped saved")
        domain = connection.restore(image)
        linux.told.wait_for("started restored", "resumed from-snapshot")
        assert str(domain.state().state) == "running"
        domain.destroy()
