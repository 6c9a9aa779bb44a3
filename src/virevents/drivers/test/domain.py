# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver's domain, the states it can be in, and how a wrong one is refused.

It stands apart from the driver, which is the operations.

Locking: see ``DomainObject``; everything here is guarded by the domain's lock.
"""

from typing import ClassVar, Final

from virevents.definition import DomainDefinition
from virevents.drivers.domains import DomainObject
from virevents.errors import StateError
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
    "invalid",
    "not_in_that_state",
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


class _InternalStateError(StateError):
    """A wrong state that libvirt's test driver calls an internal error."""

    code: ClassVar[int] = 1


def not_in_that_state(domain: TestDomain, text: str, required: str) -> StateError:
    """Make the error for a state that libvirt's test driver calls an internal error."""
    return _InternalStateError(
        f"internal error: {text}", state=str(domain.state.state), required=required
    )


def invalid(domain: TestDomain, text: str, required: str) -> StateError:
    """Make the error for an operation that the state does not allow."""
    return StateError(
        f"Requested operation is not valid: {text}",
        state=str(domain.state.state),
        required=required,
    )
