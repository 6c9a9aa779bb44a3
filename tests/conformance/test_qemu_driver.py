# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver passes the conformance kit, on real QEMUs."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from virevents.connection import Domain
from virevents.drivers.qemu.driver import QemuDriver
from virevents.testing.conformance import Profile
from virevents.testing.conformance.suite import ConformanceSuite
from virevents.testing.guests import GUESTS, AgentCommand, AgentLine

pytestmark = pytest.mark.qemu

_STARTED: Final = ("resumed unpaused", "started booted")
_DESTROYED: Final = ("shutdown host", "stopped destroyed")
_SAVED: Final = ("suspended paused", "stopped saved")
_RESTORED: Final = ("started restored", "resumed from-snapshot")

# The guests' serial lines, by their domains' names; the test's own, closed at its end.
_lines: Final[dict[str, AgentLine]] = {}


def _xml(folder: Path, name: str, uuid: str) -> str:
    if name not in _lines:
        _lines[name] = AgentLine(folder / f"{name}.line", patience=20)
    guest = GUESTS["rom-agent"]
    image = folder / f"{guest.name}.bin"
    if not image.exists():
        guest.write(folder)
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid>"
        "<memory unit='MiB'>8</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type>"
        f"<loader type='rom'>{image}</loader></os><features><acpi/></features>"
        "<pm><suspend-to-mem enabled='yes'/></pm>"
        f"<devices><emulator>{shutil.which('qemu-system-x86_64')}</emulator>"
        "<controller type='usb' model='none'/><memballoon model='none'/>"
        f"{_lines[name].device}</devices></domain>"
    )


def _qemus(folder: Path) -> list[int]:
    """The processes of the QEMUs whose guest's image is in *folder*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has gone
        if f"{folder}/rom-agent.bin".encode() in arguments:
            found.append(int(process.name))
    return found


def _kill(domain: Domain) -> None:
    (pid,) = _qemus(_lines[domain.name].path.parent)
    os.kill(pid, signal.SIGKILL)


def _ready(domain: Domain) -> None:
    _lines[domain.name].wait_ready()


def _sleep(domain: Domain) -> None:
    _lines[domain.name].tell(AgentCommand.SUSPEND_TO_MEMORY)


def _deaf(domain: Domain) -> None:
    _lines[domain.name].tell(AgentCommand.HANG)


class TestQemuDriver(ConformanceSuite):
    profile = Profile(
        "qemu",
        uri=lambda folder: f"qemu:///embed?root={folder / 'root'}",
        xml=_xml,
        capabilities=QemuDriver.capabilities,
        events={
            "create": _STARTED,
            "create_autodestroy": (*_STARTED, *_DESTROYED),
            "start": _STARTED,
            "start_again": _STARTED,
            "start_autodestroy": (*_STARTED, *_DESTROYED),
            "start_force_boot": _STARTED,
            "shutdown": ("shutdown guest", "stopped shutdown"),
            "shutdown_wait": ("shutdown guest", "stopped shutdown"),
            "shutdown_force": _DESTROYED,
            "destroy": _DESTROYED,
            "destroy_paused": _DESTROYED,
            "destroy_graceful": _DESTROYED,
            "destroy_transient": _DESTROYED,
            "destroy_asleep": _DESTROYED,
            "save": _SAVED,
            "save_paused": _SAVED,
            "restore": _RESTORED,
            "restore_running": _RESTORED,
            "managed_save": _SAVED,
            "managed_save_paused": _SAVED,
            "start_managed_save": _RESTORED,
            # QEMU stops the processors by itself, as libvirt's does.
            "core_dump_live": ("suspended paused", "resumed unpaused"),
            "core_dump": ("suspended paused", "resumed unpaused"),
            "core_dump_crash": ("suspended paused", "stopped crashed"),
            "core_dump_reset": ("suspended paused", "resumed unpaused"),
        },
        kill=_kill,
        cues={"ready": _ready, "sleep": _sleep, "deaf": _deaf},
        unplayed={"pm_suspend": "64 KiB have no agent"},
    )

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path: Path) -> Iterator[None]:
        """Close the lines; see that the suite has ended each QEMU of the test's."""
        yield
        while _lines:
            _lines.popitem()[1].close()
        left = _qemus(tmp_path)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == []
