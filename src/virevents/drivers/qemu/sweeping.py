# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is cleared away: a run's files once it is over, the beginning of a log that grows.

It stands apart because it waits for the disk: a run ends on the loop thread, which waits for
nothing, and whoever called for its end, if anybody did, need not wait for a removal.

A guest can make its QEMU print, and a hostile one does so until the disk is full. QEMU writes to
its log itself, also while nobody manages it, so the bound is kept by looking: when the driver is
opened, and every so often while it is open. What is too long is cut, and its end is kept.

Locking:
    None of its own; safe from any thread. The pool's one worker clears away, in order.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_sweeping.py``:
    never_here   nothing is removed on the thread that asks
    all_swept    `stop` returns when all is removed, or at its deadline
    bounded      a log that grew too long is cut the next time that it is looked at
"""

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from virevents.dispatch import Pool, Runnable
from virevents.drivers.qemu.status import RunFolder
from virevents.errors import LoopStoppedError
from virevents.loop import Loop
from virevents.sync import Role

__all__ = ["Sweeper", "cut_logs"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_LOOK_EVERY: Final = 60.0
# How long a log may be, and how much of its end is kept when it is longer.
_MOST_BYTES: Final = 4 << 20
_KEPT_BYTES: Final = 1 << 20


class Sweeper:
    """Clears away, one thing after the other.

    Args:
        loop: The driver's.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop: Final = loop
        self._pool: Final = Pool(
            loop.call_later, name="virevents-files", core=1, can_grow=False, role=Role.CALLER
        )
        self._is_stopped = False  # one way: False to True, read without

    def remove(self, folder: RunFolder) -> None:
        """Have *folder* removed soon; from any thread, also the loop thread."""
        self._pool.ready(_Work(f"remove {folder.path}", folder.remove))

    def watch_logs(self, folder: Path) -> None:
        """Cut what is too long in *folder* soon, and look again every so often."""
        if self._is_stopped:
            return
        self._pool.ready(_Work(f"cut the logs in {folder}", partial(cut_logs, folder)))
        try:
            self._loop.call_later(_LOOK_EVERY, partial(self.watch_logs, folder))
        except LoopStoppedError:
            _log.debug("the logs in %s are watched no longer: the loop has stopped", folder)

    def stop(self, timeout: float) -> bool:
        """Wait until all is removed; nothing is taken afterwards. Idempotent.

        Returns:
            Whether all is.
        """
        self._is_stopped = True
        return self._pool.stop().wait(timeout)


class _Work(Runnable):
    """Something to be cleared away."""

    def __init__(self, what: str, do: Callable[[], None]) -> None:
        self._what: Final = what
        self._do: Final = do

    @property
    def name(self) -> str:
        return self._what

    def run(self) -> None:
        try:
            self._do()
        except OSError as error:  # a later look, or the next opening, tries again
            _log.error("could not %s: %s", self._what, error)


def cut_logs(folder: Path) -> None:
    """Cut each log in *folder* that is too long; its end is kept as ``LOG.old``.

    Whoever writes to it appends, and goes on at its new beginning.

    Raises:
        OSError: One could not be cut.
    """
    for log in folder.glob("*.log"):
        length = log.stat().st_size
        if length <= _MOST_BYTES:
            continue
        with log.open("rb") as file:
            file.seek(length - _KEPT_BYTES)
            end = file.read(_KEPT_BYTES)
        old = log.with_name(log.name + ".old")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(old, flags, 0o600), "wb") as file:
            file.write(end)
        os.truncate(log, 0)
        _log.warning("%s had %d bytes and was cut; its end is in %s", log, length, old.name)
