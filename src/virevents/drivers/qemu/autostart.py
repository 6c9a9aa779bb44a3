# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starting the domains that are marked for it, at the first opening since the host's boot.

It stands apart because nobody calls for it and nobody waits for it: who opens the driver has it
at once, and the starts, one after the other, are on a thread of their own. One that fails is
logged and the next is tried.

Locking:
    The thread takes turns as a caller does; who waits for it, waits at a gate.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_autostart.py``:
    once_a_boot   a second opening during one boot of the host starts nothing
    goes_on       a domain that cannot be started keeps no other one from being
    no_holdup     the opening does not wait for it, and closing ends it
"""

import logging
from collections.abc import Callable
from typing import Final

from virevents.drivers.qemu.estate import Estate
from virevents.drivers.qemu.kept import KeptFiles
from virevents.errors import ClosedError, LoopStoppedError, VireventsError
from virevents.sync import Gate, primitives

__all__ = ["Autostart"]

_log: Final = logging.getLogger("virevents.drivers.qemu")


class Autostart:
    """Starts marked domains.

    Args:
        estate: Has the domains.
        marks: Which of them.
        start: Starts one, by its uuid.
    """

    def __init__(self, estate: Estate, marks: KeptFiles, start: Callable[[str], None]) -> None:
        self._estate: Final = estate
        self._marks: Final = marks
        self._start: Final = start
        self._ended: Final = Gate("the end of the autostart")
        self._is_begun = False  # one thread at a time: who opens the driver, then who closes it

    def begin(self) -> None:
        """Start, in the order of their names, what is marked and off; returns at once."""
        marked = self._marks.uuids() if self._estate.directory.is_first_since_boot else ()
        domains = [domain for domain in self._estate.domains.snapshot() if not domain.is_active]
        identities = sorted(
            (domain.identity for domain in domains if domain.identity.uuid in marked),
            key=lambda identity: identity.name,
        )
        if identities:
            wanted = [(identity.name, identity.uuid) for identity in identities]
            self._is_begun = True
            primitives().start_thread("virevents-autostart", lambda: self._run(wanted))

    def wait(self, timeout: float) -> bool:
        """Wait for the end of all that was begun; tell whether it came."""
        return not self._is_begun or self._ended.wait(timeout)

    def _run(self, wanted: list[tuple[str, str]]) -> None:
        try:
            for name, uuid in wanted:
                try:
                    self._start(uuid)
                except (ClosedError, LoopStoppedError):
                    _log.info("autostart ends with its driver, at domain %s", name)
                    return
                except VireventsError as error:
                    _log.error("could not autostart domain %s: %s", name, error)
        finally:
            self._ended.open()
