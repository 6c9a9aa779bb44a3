# SPDX-License-Identifier: LGPL-2.1-or-later
"""Removing a run's files once it is over, on a thread that may wait for the disk.

It stands apart because a run ends on the loop thread, which waits for nothing, and whoever called
for its end, if anybody did, need not wait for a removal.

Locking:
    None of its own; safe from any thread. The pool's one worker removes, in order.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_sweeping.py``:
    never_here   nothing is removed on the thread that asks
    all_swept    `stop` returns when all is removed, or at its deadline
"""

import logging
from typing import Final

from virevents.dispatch import Pool, Runnable
from virevents.drivers.qemu.status import RunFolder
from virevents.loop import Loop
from virevents.sync import Role

__all__ = ["Sweeper"]

_log: Final = logging.getLogger("virevents.drivers.qemu")


class Sweeper:
    """Removes folders of runs, one after the other.

    Args:
        loop: The driver's.
    """

    def __init__(self, loop: Loop) -> None:
        self._pool: Final = Pool(
            loop.call_later, name="virevents-files", core=1, can_grow=False, role=Role.CALLER
        )

    def remove(self, folder: RunFolder) -> None:
        """Have *folder* removed soon; from any thread, also the loop thread."""
        self._pool.ready(_Removal(folder))

    def stop(self, timeout: float) -> bool:
        """Wait until all is removed; nothing is taken afterwards. Idempotent.

        Returns:
            Whether all is.
        """
        return self._pool.stop().wait(timeout)


class _Removal(Runnable):
    """A folder on its way out."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder: Final = folder

    @property
    def name(self) -> str:
        return f"the removal of {self._folder.path}"

    def run(self) -> None:
        try:
            self._folder.remove()
        except OSError as error:  # whoever opens the directory next finds it and tries again
            _log.error("could not remove %s: %s", self._folder.path, error)
