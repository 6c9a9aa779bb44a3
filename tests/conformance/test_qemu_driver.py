# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver passes the conformance kit, on real QEMUs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.harness import name_of, qemu_children
from virevents.connection import Domain
from virevents.definition import DomainDefinition, DomainType, to_xml
from virevents.drivers.qemu.driver import QemuDriver
from virevents.testing.conformance import Profile
from virevents.testing.conformance.suite import ConformanceSuite
from virevents.testing.guests import GUESTS

pytestmark = pytest.mark.qemu

# The guest that powers off when its button is pressed; it tells by its clock that it listens.
_GUEST: Final = GUESTS["rom-button"]

_STARTED: Final = ("resumed unpaused", "started booted")
_DESTROYED: Final = ("shutdown host", "stopped destroyed")


def _xml(folder: Path, name: str, uuid: str) -> str:
    image = folder / f"{_GUEST.name}.bin"
    if not image.exists():
        _GUEST.write(folder)
    definition = DomainDefinition(
        name=name,
        uuid=uuid,
        memory_kib=8192,
        current_memory_kib=8192,
        domain_type=DomainType.QEMU,
        loader=str(image),
    )
    return to_xml(definition)


def _kill(domain: Domain) -> None:
    (pid,) = (pid for pid in qemu_children() if name_of(pid) == domain.name)
    os.kill(pid, signal.SIGKILL)


class TestQemuDriver(ConformanceSuite):
    profile = Profile(
        "qemu",
        uri=lambda folder: f"qemu:///embed?root={folder}",
        xml=_xml,
        capabilities=QemuDriver.capabilities,
        events={
            "create": _STARTED,
            "start": _STARTED,
            "start_again": _STARTED,
            "shutdown": ("shutdown guest", "stopped shutdown"),
            "destroy": _DESTROYED,
            "destroy_paused": _DESTROYED,
            "destroy_transient": _DESTROYED,
        },
        ready_event="rtc-change",
        kill=_kill,
    )

    @pytest.fixture(autouse=True)
    def no_process_is_left(self) -> Iterator[None]:
        """See that each test's QEMUs end with its connection."""
        yield
        assert qemu_children() == []
