# SPDX-License-Identifier: LGPL-2.1-or-later
"""The states of a domain, and for each state the reasons why a domain is in it.

They stand apart from the lifecycle because a state is what holds now and an event what happened;
libvirt numbers them differently too.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_states.py``:
    all_reasons   the enumerations hold libvirt's names and numbers, all of them
    newer_peer    a reason number that we do not know is kept, and shown as ``unknown-N``
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Self, TypeAlias

from virevents.model.enums import UnknownNumber, WireEnum

__all__ = [
    "REASON_ENUMS",
    "BlockedReason",
    "CrashedReason",
    "DomainState",
    "NoStateReason",
    "PMSuspendedReason",
    "PausedReason",
    "Reason",
    "RunningReason",
    "ShutdownReason",
    "ShutoffReason",
    "StateAndReason",
]


class DomainState(WireEnum):
    """What a domain does now (libvirt: virDomainState)."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7


class NoStateReason(WireEnum):
    """Why a domain has no state."""

    UNKNOWN = 0


class RunningReason(WireEnum):
    """Why a domain runs."""

    UNKNOWN = 0
    BOOTED = 1
    MIGRATED = 2
    RESTORED = 3
    FROM_SNAPSHOT = 4
    UNPAUSED = 5
    MIGRATION_CANCELED = 6
    SAVE_CANCELED = 7
    WAKEUP = 8
    CRASHED = 9
    POSTCOPY = 10
    POSTCOPY_FAILED = 11


class BlockedReason(WireEnum):
    """Why a domain is blocked."""

    UNKNOWN = 0


class PausedReason(WireEnum):
    """Why a domain is paused."""

    UNKNOWN = 0
    USER = 1
    MIGRATION = 2
    SAVE = 3
    DUMP = 4
    IOERROR = 5
    WATCHDOG = 6
    FROM_SNAPSHOT = 7
    SHUTTING_DOWN = 8
    SNAPSHOT = 9
    CRASHED = 10
    STARTING_UP = 11
    POSTCOPY = 12
    POSTCOPY_FAILED = 13


class ShutdownReason(WireEnum):
    """Why a domain is shutting down."""

    UNKNOWN = 0
    USER = 1


class ShutoffReason(WireEnum):
    """Why a domain is off."""

    UNKNOWN = 0
    SHUTDOWN = 1
    DESTROYED = 2
    CRASHED = 3
    MIGRATED = 4
    SAVED = 5
    FAILED = 6
    FROM_SNAPSHOT = 7
    DAEMON = 8


class CrashedReason(WireEnum):
    """Why a domain counts as crashed."""

    UNKNOWN = 0
    PANICKED = 1


class PMSuspendedReason(WireEnum):
    """Why a domain sleeps."""

    UNKNOWN = 0


Reason: TypeAlias = (
    NoStateReason
    | RunningReason
    | BlockedReason
    | PausedReason
    | ShutdownReason
    | ShutoffReason
    | CrashedReason
    | PMSuspendedReason
    | UnknownNumber
)
"""Why a domain is in its state: a member of the state's enumeration (``REASON_ENUMS``)."""

_ReasonEnum: TypeAlias = (
    type[NoStateReason]
    | type[RunningReason]
    | type[BlockedReason]
    | type[PausedReason]
    | type[ShutdownReason]
    | type[ShutoffReason]
    | type[CrashedReason]
    | type[PMSuspendedReason]
)

REASON_ENUMS: Final[Mapping[DomainState, _ReasonEnum]] = MappingProxyType(
    {
        DomainState.NOSTATE: NoStateReason,
        DomainState.RUNNING: RunningReason,
        DomainState.BLOCKED: BlockedReason,
        DomainState.PAUSED: PausedReason,
        DomainState.SHUTDOWN: ShutdownReason,
        DomainState.SHUTOFF: ShutoffReason,
        DomainState.CRASHED: CrashedReason,
        DomainState.PMSUSPENDED: PMSuspendedReason,
    }
)
"""The enumeration of each state's reasons."""


class StateAndReason(NamedTuple):
    """A domain's state and why it is in it, as ``state, reason = domain.state()`` takes it."""

    state: DomainState
    reason: Reason

    @classmethod
    def from_numbers(cls, state: int, reason: int) -> Self:
        """Make it from libvirt's numbers; an unknown reason becomes an ``UnknownNumber``.

        Raises:
            ValueError: There is no state with this number.
        """
        known = DomainState(state)
        return cls(known, REASON_ENUMS[known].from_number(reason))
