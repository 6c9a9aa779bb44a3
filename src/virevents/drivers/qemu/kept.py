# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that domains have beside their definitions, one a domain: managed saves, autostart marks.

They stand apart because two sorts of them follow one rule: a file by the domain's uuid, so that
a new name changes nothing, and a set of those that are there, so that who looks waits for no disk.

Locking:
    ``_lock`` (DRIVER, an owner) guards the set, which is read without it. The file of one domain
    belongs to whoever holds its turn. What changes files blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_kept.py``:
    durable      what was added is there when the folder is opened again, what was removed is not
    no_leftover  a file that was never finished is gone when the folder is opened again
    foreign      a file that is none of ours is left alone
"""

import logging
import os
from pathlib import Path
from typing import Final

from virevents.drivers.qemu.placing import PARTIAL, sync_folder
from virevents.model import canonical_uuid
from virevents.sync import DRIVER, RankedLock

__all__ = ["KeptFiles"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_PRIVATE: Final = 0o700


class KeptFiles:
    """The files of one sort in their folder, which is made where it is not there.

    Args:
        folder: The folder; nobody else writes to it.
        also: An ending of names, after the uuid, that files may have and that count for nothing.

    Raises:
        OSError: It cannot be made or read.
    """

    def __init__(self, folder: Path, *, also: str = "") -> None:
        self._folder: Final = folder
        self._lock: Final = RankedLock(DRIVER)
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        folder.chmod(_PRIVATE)
        # published: replaced whole under _lock, read without
        self._uuids = frozenset(_uuids_in(folder, also))

    def has(self, uuid: str) -> bool:
        """Tell whether the domain has a file; on any thread, without a look at the disk."""
        return uuid in self._uuids

    def uuids(self) -> frozenset[str]:
        """Return the domains that have a file."""
        return self._uuids

    def path(self, uuid: str) -> Path:
        """Where the domain's file is, or would be."""
        return self._folder / uuid

    def note(self, uuid: str) -> None:
        """Note that the domain's file was written."""
        with self._lock:
            self._uuids |= {uuid}

    def forget(self, uuid: str) -> None:
        """Note that the domain's file is gone."""
        with self._lock:
            self._uuids -= {uuid}

    def mark(self, uuid: str) -> None:
        """Make an empty file for the domain, for good when this returns; idempotent.

        Raises:
            OSError: The disk refused.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(self.path(uuid), flags, 0o600))
        sync_folder(self._folder)
        self.note(uuid)

    def remove(self, uuid: str) -> None:
        """Remove the domain's file for good; idempotent.

        Raises:
            OSError: The disk refused.
        """
        self.path(uuid).unlink(missing_ok=True)
        sync_folder(self._folder)
        self.forget(uuid)


def _uuids_in(folder: Path, also: str) -> list[str]:
    """List the domains that have a file; what a crash left half written is removed."""
    found: list[str] = []
    for path in folder.iterdir():
        if path.name.startswith(".") and path.name.endswith(PARTIAL):
            _log.warning("%s was never finished and is removed", path)
            path.unlink()
        elif _is_uuid(path.name):
            found.append(path.name)
        elif not (also and _is_uuid(path.name.removesuffix(also))):
            _log.error("%s is left alone: its name is no uuid", path)
    return found


def _is_uuid(name: str) -> bool:
    try:
        return canonical_uuid(name) == name
    except ValueError:
        return False
