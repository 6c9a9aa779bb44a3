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
from virevents.testing.guests import GUESTS

__all__ = ["Act", "Life", "make_qemu_life", "make_test_life"]

NAME: Final = "demo-guest"


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
        return ["defined (added)", *(event for act in self.acts for event in act.events)]


def make_qemu_life(folder: Path, emulator: str) -> Life:
    """Make the life of a real guest: a QEMU with a 64 KiB program of ours, kept in *folder*."""
    loader = GUESTS["rom-idle"].write(folder)
    guest = str(uuid.uuid4())  # another demo may run beside this one
    started = ("resumed (unpaused)", "started (booted)")
    return Life(
        uri=f"qemu:///embed?root={folder / 'qemu'}",
        xml=(
            f"<domain type='qemu'><name>{NAME}</name><uuid>{guest}</uuid>"
            f"<memory unit='MiB'>8</memory><vcpu>1</vcpu>"
            f"<os><type>hvm</type><loader>{loader}</loader></os>"
            f"<devices><emulator>{emulator}</emulator></devices></domain>"
        ),
        acts=(
            Act("start", virevents.Domain.start, started),
            *_PAUSED_AND_RESUMED,
            Act("kill -9", lambda _: _kill_qemu(guest), ("stopped (failed)",)),
            Act("start again", virevents.Domain.start, started),
            Act("destroy", virevents.Domain.destroy, ("shutdown (host)", "stopped (destroyed)")),
            _UNDEFINED,
        ),
    )


def make_test_life(folder: Path) -> Life:
    """Make the life of a domain of the test driver, which crashes where the other is killed."""
    core = str(folder / "core")
    started = ("started (booted)",)
    return Life(
        uri="test:///default",
        xml=(
            f"<domain type='test'><name>{NAME}</name><uuid>{uuid.uuid4()}</uuid>"
            f"<memory unit='MiB'>8</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
        ),
        acts=(
            Act("start", virevents.Domain.start, started),
            *_PAUSED_AND_RESUMED,
            Act("crash", lambda guest: guest.core_dump(core, mode="crash"), ("stopped (crashed)",)),
            Act("start again", virevents.Domain.start, started),
            Act("destroy", virevents.Domain.destroy, ("stopped (destroyed)",)),
            _UNDEFINED,
        ),
    )


_PAUSED_AND_RESUMED: Final = (
    Act("suspend", virevents.Domain.suspend, ("suspended (paused)",)),
    Act("resume", virevents.Domain.resume, ("resumed (unpaused)",)),
)
_UNDEFINED: Final = Act("undefine", virevents.Domain.undefine, ("undefined (removed)",))


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
