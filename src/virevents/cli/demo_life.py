# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life that the demo plays: its acts, and the events that each must make.

It stands apart because it is data: on a real QEMU, and on the test driver where there is none.

Immutable.
"""

import os
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import virevents
from virevents.errors import OperationFailedError
from virevents.testing.guests import GUESTS, AgentCommand, AgentLine

__all__ = ["NAME", "Act", "Life", "make_qemu_life", "make_test_life"]

NAME: Final = "demo-guest"

# How long the guest may take to power off, in seconds.
_OFF_MAY_TAKE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Act:
    """One step of the life.

    Attributes:
        name: What is said.
        do: What is done to the guest.
        events: What every subscriber must get of it, in order.
    """

    name: str
    do: Callable[[virevents.Domain], object]
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Life:
    """A guest and what becomes of it; it begins with its definition.

    Attributes:
        uri: The hypervisor.
        xml: The guest's definition.
        acts: What follows the definition.
    """

    uri: str
    xml: str
    acts: tuple[Act, ...]

    @property
    def events(self) -> list[str]:
        """All events of it, in order."""
        return ["defined (added) by call", *(event for act in self.acts for event in act.events)]


def make_qemu_life(folder: Path, emulator: str, line: AgentLine) -> Life:
    """Make the life of a real guest: a QEMU with a 64 KiB program of ours.

    Args:
        folder: Where everything of it is kept.
        emulator: The QEMU.
        line: The guest's serial line, over which it is told what to do.
    """
    guest = str(uuid.uuid4())  # another demo may run beside this one
    return Life(
        uri=f"qemu:///embed?root={folder / 'qemu'}",
        xml=(
            f"<domain type='qemu'><name>{NAME}</name><uuid>{guest}</uuid>"
            "<memory unit='MiB'>8</memory><vcpu>1</vcpu>"
            f"<os><type>hvm</type><loader>{GUESTS['rom-agent'].write(folder)}</loader></os>"
            "<features><acpi/></features><on_crash>restart</on_crash>"
            f"<devices><emulator>{emulator}</emulator>{line.device}"
            "<watchdog model='ib700' action='pause'/><panic model='isa'/></devices></domain>"
        ),
        acts=(*_by_calls(line), *_by_the_guest(line), *_ended(folder, guest, line)),
    )


def _boot(line: AgentLine) -> Callable[[virevents.Domain], None]:
    def do(guest: virevents.Domain) -> None:
        guest.start(autodestroy=True)  # it ends with the demo, however that ends
        line.wait_ready()

    return do


def _tell(
    line: AgentLine, command: AgentCommand, *, boots: bool = False
) -> Callable[[virevents.Domain], None]:
    def do(_: virevents.Domain) -> None:
        line.tell(command)
        if boots:
            line.wait_ready()

    return do


_BOOTED: Final = ("resumed (unpaused) by call", "started (booted) by call")


def _by_calls(line: AgentLine) -> tuple[Act, ...]:
    return (Act("start", _boot(line), _BOOTED), *_PAUSED_AND_RESUMED)


def _by_the_guest(line: AgentLine) -> tuple[Act, ...]:
    """What the guest does of itself: no call asks for it."""
    return (
        Act("the guest resets", _tell(line, AgentCommand.RESET, boots=True), ("reboot",)),
        Act(
            "the guest forgets its watchdog",
            _tell(line, AgentCommand.WATCHDOG_AT_ONCE),
            ('watchdog action="pause"', "suspended (watchdog) by guest"),
        ),
        Act("resume", virevents.Domain.resume, ("resumed (unpaused) by call",)),
        Act(
            "the guest panics, and is to be restarted",
            _tell(line, AgentCommand.PANIC, boots=True),
            (
                "crashed (panicked) by guest, part of a reboot",
                "reboot",
                "resumed (unpaused) by guest, part of a reboot",
            ),
        ),
    )


def _ended(folder: Path, guest: str, line: AgentLine) -> tuple[Act, ...]:
    """Four ways to an end: saved, powered off, killed, destroyed."""
    image = folder / "image"
    return (
        Act(
            "save",
            lambda domain: domain.save(image),
            ("suspended (paused) by call", "stopped (saved) by call"),
        ),
        Act(
            "restore",
            lambda domain: domain.connection.restore(image),
            ("started (restored) by call", "resumed (from-snapshot) by call"),
        ),
        Act(
            "shutdown (ACPI)",
            lambda domain: domain.shutdown(timeout=_OFF_MAY_TAKE),
            ("shutdown (guest) by call", "stopped (shutdown) by call"),
        ),
        Act("start again", _boot(line), _BOOTED),
        Act("kill -9", lambda _: _kill_qemu(guest), ("stopped (failed)",)),
        Act("start again", _boot(line), _BOOTED),
        Act(
            "destroy",
            virevents.Domain.destroy,
            ("shutdown (host) by call", "stopped (destroyed) by call"),
        ),
        _UNDEFINED,
    )


def make_test_life(folder: Path) -> Life:
    """Make the life of a domain of the test driver, which crashes where the other is killed."""
    core, image = folder / "core", folder / "image"
    started = ("started (booted) by call",)
    start = Act("start again", virevents.Domain.start, started)
    return Life(
        uri="test:///default",
        xml=(
            f"<domain type='test'><name>{NAME}</name><uuid>{uuid.uuid4()}</uuid>"
            f"<memory unit='MiB'>8</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
        ),
        acts=(
            Act("start", virevents.Domain.start, started),
            *_PAUSED_AND_RESUMED,
            Act("save", lambda guest: guest.save(image), ("stopped (saved) by call",)),
            Act(
                "restore",
                lambda guest: guest.connection.restore(image),
                ("started (restored) by call",),
            ),
            Act("shutdown", virevents.Domain.shutdown, ("stopped (shutdown) by call",)),
            start,
            Act(
                "crash",
                lambda guest: guest.core_dump(core, mode="crash"),
                ("stopped (crashed) by call",),
            ),
            start,
            Act("destroy", virevents.Domain.destroy, ("stopped (destroyed) by call",)),
            _UNDEFINED,
        ),
    )


_PAUSED_AND_RESUMED: Final = (
    Act("suspend", virevents.Domain.suspend, ("suspended (paused) by call",)),
    Act("resume", virevents.Domain.resume, ("resumed (unpaused) by call",)),
)
_UNDEFINED: Final = Act("undefine", virevents.Domain.undefine, ("undefined (removed) by call",))


def _kill_qemu(guest: str) -> None:
    """Send SIGKILL to the QEMU that runs the domain *guest*, as a crash or an operator would.

    Raises:
        OperationFailedError: There is none.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has gone
        if guest.encode() in arguments:
            os.kill(int(process.name), signal.SIGKILL)
            return
    raise OperationFailedError(f"no process runs the domain {guest}")
