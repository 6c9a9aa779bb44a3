# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver's domain, and the states it can be in.

It stands apart from the driver, which is the operations.

Locking: see ``DomainObject``; everything here is guarded by the domain's lock.
"""

from typing import Final

from virevents.definition import DomainDefinition
from virevents.drivers.domains import DomainObject
from virevents.model import (
    DomainState,
    PausedReason,
    RunningReason,
    ShutoffReason,
    StateAndReason,
)

__all__ = [
    "PAUSED_BY_USER",
    "RUNNING_BOOTED",
    "RUNNING_RESTORED",
    "RUNNING_UNPAUSED",
    "SHUTOFF_CRASHED",
    "SHUTOFF_DESTROYED",
    "SHUTOFF_SAVED",
    "SHUTOFF_SHUTDOWN",
    "SHUTOFF_UNKNOWN",
    "TestDomain",
]

RUNNING_BOOTED: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
RUNNING_UNPAUSED: Final = StateAndReason(DomainState.RUNNING, RunningReason.UNPAUSED)
RUNNING_RESTORED: Final = StateAndReason(DomainState.RUNNING, RunningReason.RESTORED)
PAUSED_BY_USER: Final = StateAndReason(DomainState.PAUSED, PausedReason.USER)
SHUTOFF_UNKNOWN: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
SHUTOFF_SHUTDOWN: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)
SHUTOFF_DESTROYED: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.DESTROYED)
SHUTOFF_CRASHED: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.CRASHED)
SHUTOFF_SAVED: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.SAVED)


class TestDomain(DomainObject):
    """A domain in memory."""

    __test__ = False  # its name makes pytest look for tests in it

    def __init__(self, definition: DomainDefinition, *, is_persistent: bool) -> None:
        super().__init__(definition, SHUTOFF_UNKNOWN, is_persistent=is_persistent)
        self.next_definition: DomainDefinition | None = None  # guarded by lock
        self.has_managed_save = False  # guarded by lock
        self.is_autostarted = False  # guarded by lock
