# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of one run: by them the next process finds the QEMU that this one leaves behind.

They stand apart because they are written in an order that ``kill -9`` may break off anywhere:

1. the folder ``run/ID/``, by the domain's id, which no other run has had;
2. ``told``, in which nothing is told yet, and ``status`` without a process: *an intent*. From
   now on a QEMU may live that nobody knows; it has the folder's path as its mark, and it never
   ran its guest (``-S``);
3. ``monitor``, the listening socket, which stays; then QEMU is started;
4. ``status`` again, with the process. From now on it is found by its number and start time.

They are removed when the run is over and its end was told: ``status`` first, so that a folder
without one is what a removal left.

Locking:
    A folder is written by who starts the run, under the domain's turn, and removed once by the
    driver's thread for files. Everything here blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_status.py``:
    round_trip    what is written is read
    whole         a status that is read is one that was written, whenever the writer was killed
    hostile       any content is a status or a ``ValueError``
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.drivers.qemu.told import ToldRecord
from virevents.errors import DefinitionError
from virevents.model import Json

__all__ = ["RunFolder", "Status", "this_boot"]

_VERSION: Final = 1
_PRIVATE: Final = 0o700
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# Far more than a definition has; less than what would hurt to read.
_MAX_BYTES: Final = 16 << 20


def this_boot() -> str:
    """Return what tells this boot of the host from any other."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is written of a run.

    Attributes:
        definition: What it runs by, with what the start added to it.
        is_autodestroyed: Whether it ends with the process that started it.
        boot: During which boot of the host it was started.
        pid: QEMU's process id; None in an intent.
        start_time: When the process was started, in ticks since the boot; None in an intent.
    """

    definition: DomainDefinition
    is_autodestroyed: bool = False
    boot: str
    pid: int | None = None
    start_time: int | None = None

    def to_text(self) -> str:
        """Write it as JSON."""
        return json.dumps(
            {
                "version": _VERSION,
                "uuid": self.definition.uuid,
                "name": self.definition.name,
                "pid": self.pid,
                "start_time": self.start_time,
                "boot": self.boot,
                "is_autodestroyed": self.is_autodestroyed,
                "definition": to_xml(self.definition),
            },
            indent=1,
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            facts: Json = json.loads(text)
        except RecursionError as error:
            message = "expected the status of a run, met a nest"
            raise ValueError(message) from error
        if not isinstance(facts, dict) or facts.get("version") != _VERSION:
            message = f"expected the status of a run, version {_VERSION}"
            raise ValueError(message)
        definition, boot = facts.get("definition"), facts.get("boot")
        if not isinstance(definition, str) or not isinstance(boot, str):
            message = "expected a definition and a boot id"
            raise ValueError(message)  # noqa: TRY004  (a wrong content, not a wrong call)
        try:
            parsed = parse_definition(definition)
        except DefinitionError as error:
            raise ValueError(str(error)) from error
        return cls(
            definition=parsed,
            is_autodestroyed=facts.get("is_autodestroyed") is True,
            boot=boot,
            pid=_number(facts.get("pid"), 2**31 - 1),
            start_time=_number(facts.get("start_time"), 2**64 - 1),
        )


def _number(value: Json, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    message = f"expected a number from 1 to {most}, met {value!r}"
    raise ValueError(message)


class RunFolder:
    """The folder of one run.

    Args:
        path: It; its name is the domain's id.

    Attributes:
        monitor: Where QEMU listens for us.
        channels: The folder for the sockets of channels that name no path of their own. A path
            with these two names in it is not taken for the user's wish (libvirt: likewise).
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.domain_id: Final = int(path.name)
        self.monitor: Final = path / "monitor"
        self.channels: Final = path / "channel" / "target"
        self._status: Final = path / "status"
        self._told: Final = path / "told"

    @property
    def mark(self) -> str:
        """By which a process that was started for this run is found."""
        return str(self.path)

    def make(self, intent: Status) -> ToldRecord:
        """Make the folder, with a run in it of which nothing was told and no process is known.

        Raises:
            OSError: The disk refused; nothing is left.
        """
        self.path.mkdir(mode=_PRIVATE)
        try:
            self.channels.parent.mkdir(mode=_PRIVATE)
            self.channels.mkdir(mode=_PRIVATE)
            told = ToldRecord.create(self._told)
            self.write(intent)
        except OSError:
            self.remove()
            raise
        return told

    def write(self, status: Status) -> None:
        """Replace the status: who reads finds the old one or the new one, whole.

        It is not forced to the disk: when the power fails there is no QEMU left to be found.

        Raises:
            OSError: The disk refused.
        """
        temporary = self.path / "status.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(status.to_text())
        temporary.replace(self._status)

    def read(self) -> Status | None:
        """Read the status; None when there is none, which is what a removal left.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no status.
        """
        try:
            with self._status.open("rb") as file:
                text = file.read(_MAX_BYTES).decode()
        except FileNotFoundError:
            return None
        return Status.from_text(text)

    def told(self) -> ToldRecord:
        """Return what was told of the run.

        Raises:
            OSError: It is not there, or cannot be read.
            ValueError: It is no record of ours.
        """
        return ToldRecord.open(self._told)

    def remove(self) -> None:
        """Remove all of it. Idempotent.

        Raises:
            OSError: The disk refused.
        """
        self._status.unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)
