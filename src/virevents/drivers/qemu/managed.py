# SPDX-License-Identifier: LGPL-2.1-or-later
"""Managed saves: the states that the next start of a domain restores.

They stand apart from other saves because nobody else looks after their files. A saved state is
good for one thing: to be read by one QEMU, before the guest, and so its disks, went on. A file
that outlives that moment would one day put an old memory before newer disks. So at the two
moments when both a QEMU and a file have the state, the file is set aside, under another name:

- a save writes it aside, notes that QEMU's state counts no more, then puts it in its place;
- a restore sets it aside, lets the guest run, then removes it; if the guest never ran, it is put
  back.

Whoever opens the directory after a crash settles what was left aside (`settle`).

Locking:
    As `KeptFiles`.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_managed.py``:
    one_of_both   after any crash a state is in QEMU or in the file's place, never in both
"""

from pathlib import Path
from typing import Final

from virevents.drivers.qemu.kept import KeptFiles
from virevents.drivers.qemu.placing import sync_folder

__all__ = ["ManagedSaves"]

_ASIDE: Final = ".aside"


class ManagedSaves(KeptFiles):
    """The managed saves of one directory.

    Args:
        folder: Where they are; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, also=_ASIDE)

    def path_aside(self, uuid: str) -> Path:
        """Where a file is set aside."""
        path = self.path(uuid)
        return path.with_name(path.name + _ASIDE)

    def set_aside(self, uuid: str) -> None:
        """Set the domain's file aside: QEMU is about to have its state.

        Raises:
            OSError: The disk refused.
        """
        self.path(uuid).replace(self.path_aside(uuid))
        sync_folder(self.path(uuid).parent)
        self.forget(uuid)

    def put_in_place(self, uuid: str) -> None:
        """Put what is aside in its place: QEMU has the state no more.

        Raises:
            OSError: The disk refused.
        """
        self.path_aside(uuid).replace(self.path(uuid))
        sync_folder(self.path(uuid).parent)
        self.note(uuid)

    def drop_aside(self, uuid: str) -> None:
        """Remove what is aside: QEMU has the state.

        Raises:
            OSError: The disk refused.
        """
        self.path_aside(uuid).unlink(missing_ok=True)
        sync_folder(self.path(uuid).parent)

    def is_aside(self, uuid: str) -> bool:
        """Tell whether something is aside, which only a crash leaves there. Asks the disk."""
        return self.path_aside(uuid).exists()
