# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a directory's QEMUs are seen to be from outside: their processes, their records."""

import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from virevents.definition import DomainDefinition, DomainType, to_xml
from virevents.drivers.qemu.status import RunFolder, Status
from virevents.drivers.qemu.told import Told
from virevents.testing.guests import GUESTS

__all__ = ["Record", "definition_of", "kill", "marked", "records"]

_MARK = b"VIREVENTS_RUN="


def definition_of(root: Path, name: str, guest: str = "rom-idle") -> str:
    """The XML of a domain whose guest is one of the tiny ones."""
    image = root / f"{guest}.bin"
    if not image.exists():
        root.mkdir(parents=True, exist_ok=True)
        GUESTS[guest].write(root)
    return to_xml(
        DomainDefinition(
            name=name,
            uuid=f"6695eb01-f6a4-8304-79aa-{name.encode().hex()[-12:]:0>12}",
            memory_kib=8192,
            current_memory_kib=8192,
            domain_type=DomainType.QEMU,
            loader=str(image),
        )
    )


def marked(root: Path) -> Mapping[int, Path]:
    """The live processes that were started for a run of *root*, and each one's folder.

    A zombie, which nobody may ever reap here, has no environment and is none of them.
    """
    found = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        with suppress(OSError):
            for word in (path / "environ").read_bytes().split(b"\0"):
                folder = Path(os.fsdecode(word.removeprefix(_MARK)))
                if word.startswith(_MARK) and folder.parent == root / "run":
                    found[int(path.name)] = folder
    return found


def kill(pid: int) -> None:
    """Kill a process and return when it is gone, reaped or not."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        wait_for_end(pidfd)
    finally:
        os.close(pidfd)


def wait_for_end(pidfd: int) -> None:
    """Return when the process has ended, child or not."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(30_000), "a killed process did not end"


@dataclass(frozen=True)
class Record:
    """What a run's folder says."""

    folder: RunFolder
    status: Status
    told: Told


def records(root: Path) -> list[Record]:
    """What is on record of the runs of *root*, while nobody has it; half removed ones aside."""
    found = []
    for path in sorted((root / "run").iterdir(), key=lambda path: int(path.name)):
        folder = RunFolder(path)
        status = folder.read()
        if status is not None:
            record = folder.told()
            found.append(Record(folder, status, record.told))
            record.close()
    return found
