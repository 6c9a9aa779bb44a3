# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a domain: the nine lifecycle events, their details, and the event that tells them.

It stands apart from the other events because every driver makes these, and because they are the
hot path: ``LifecycleEvent.from_object`` runs inside the domain's critical section.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_lifecycle.py``:
    all_details   the enumerations hold libvirt's names and numbers, all of them
    newer_peer    a detail number that we do not know is kept, and shown as ``unknown-N``
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Self, TypeAlias

from virevents.model.cause import UNKNOWN_CAUSE, Cause
from virevents.model.enums import UnknownNumber, WireEnum
from virevents.model.event import DomainEvent, EventId
from virevents.model.identity import (
    DefinitionSource,
    DomainHandle,
    DomainIdentity,
    LiveDomain,
)
from virevents.model.value import value_class

__all__ = [
    "DETAIL_ENUMS",
    "CrashedDetail",
    "DefinedDetail",
    "Detail",
    "Lifecycle",
    "LifecycleEvent",
    "PMSuspendedDetail",
    "ResumedDetail",
    "ShutdownDetail",
    "StartedDetail",
    "StoppedDetail",
    "SuspendedDetail",
    "UndefinedDetail",
    "detail_from_number",
]


class Lifecycle(WireEnum):
    """What happened to the domain (libvirt: virDomainEventType)."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    SUSPENDED = 3
    RESUMED = 4
    STOPPED = 5
    SHUTDOWN = 6
    PMSUSPENDED = 7
    CRASHED = 8


class DefinedDetail(WireEnum):
    """How the definition came to be."""

    ADDED = 0
    UPDATED = 1
    RENAMED = 2
    FROM_SNAPSHOT = 3


class UndefinedDetail(WireEnum):
    """How the definition went."""

    REMOVED = 0
    RENAMED = 1


class StartedDetail(WireEnum):
    """From what the domain started."""

    BOOTED = 0
    MIGRATED = 1
    RESTORED = 2
    FROM_SNAPSHOT = 3
    WAKEUP = 4


class SuspendedDetail(WireEnum):
    """Why the domain's processors were stopped."""

    PAUSED = 0
    MIGRATED = 1
    IOERROR = 2
    WATCHDOG = 3
    RESTORED = 4
    FROM_SNAPSHOT = 5
    API_ERROR = 6
    POSTCOPY = 7
    POSTCOPY_FAILED = 8


class ResumedDetail(WireEnum):
    """Why the domain's processors run again."""

    UNPAUSED = 0
    MIGRATED = 1
    FROM_SNAPSHOT = 2
    POSTCOPY = 3
    POSTCOPY_FAILED = 4


class StoppedDetail(WireEnum):
    """Why the domain no longer runs."""

    SHUTDOWN = 0
    DESTROYED = 1
    CRASHED = 2
    MIGRATED = 3
    SAVED = 4
    FAILED = 5
    FROM_SNAPSHOT = 6


class ShutdownDetail(WireEnum):
    """On whose wish the guest shut down; its process may still run."""

    FINISHED = 0
    GUEST = 1
    HOST = 2


class PMSuspendedDetail(WireEnum):
    """Where the guest sleeps."""

    MEMORY = 0
    DISK = 1


class CrashedDetail(WireEnum):
    """What became of the guest that crashed."""

    PANICKED = 0
    CRASHLOADED = 1


Detail: TypeAlias = (
    DefinedDetail
    | UndefinedDetail
    | StartedDetail
    | SuspendedDetail
    | ResumedDetail
    | StoppedDetail
    | ShutdownDetail
    | PMSuspendedDetail
    | CrashedDetail
    | UnknownNumber
)
"""Why it happened: a member of the enumeration that belongs to the event (``DETAIL_ENUMS``)."""

_DetailEnum: TypeAlias = (
    type[DefinedDetail]
    | type[UndefinedDetail]
    | type[StartedDetail]
    | type[SuspendedDetail]
    | type[ResumedDetail]
    | type[StoppedDetail]
    | type[ShutdownDetail]
    | type[PMSuspendedDetail]
    | type[CrashedDetail]
)

DETAIL_ENUMS: Final[Mapping[Lifecycle, _DetailEnum]] = MappingProxyType(
    {
        Lifecycle.DEFINED: DefinedDetail,
        Lifecycle.UNDEFINED: UndefinedDetail,
        Lifecycle.STARTED: StartedDetail,
        Lifecycle.SUSPENDED: SuspendedDetail,
        Lifecycle.RESUMED: ResumedDetail,
        Lifecycle.STOPPED: StoppedDetail,
        Lifecycle.SHUTDOWN: ShutdownDetail,
        Lifecycle.PMSUSPENDED: PMSuspendedDetail,
        Lifecycle.CRASHED: CrashedDetail,
    }
)
"""The enumeration of each lifecycle event's details."""


def detail_from_number(event: Lifecycle, detail: int) -> Detail:
    """The detail of *event* with this number; an ``UnknownNumber`` if a newer peer made it up."""
    return DETAIL_ENUMS[event].from_number(detail)


@value_class
class LifecycleEvent(DomainEvent):
    """A step in a domain's life.

    Attributes:
        domain: The domain as it was then.
        event: What happened.
        detail: Why; its enumeration is the one that belongs to *event* (not checked).
        time: Seconds since the epoch, wall clock.
        sequence: Given by the queue's push.
        cause: On whose wish, how, as part of what; libvirt says nothing of it.
    """

    event_id: ClassVar[EventId] = EventId.LIFECYCLE

    domain: DomainIdentity
    event: Lifecycle
    detail: Detail
    time: float
    sequence: int = 0
    cause: Cause = UNKNOWN_CAUSE

    @classmethod
    def from_domain(
        cls,
        handle: DomainHandle,
        event: Lifecycle,
        detail: Detail,
        time: float,
        cause: Cause = UNKNOWN_CAUSE,
    ) -> Self:
        """Make it from a handle (libvirt: virDomainEventLifecycleNewFromDom)."""
        return cls(DomainIdentity.from_domain(handle), event, detail, time, 0, cause)

    @classmethod
    def from_object(
        cls,
        live: LiveDomain,
        event: Lifecycle,
        detail: Detail,
        time: float,
        cause: Cause = UNKNOWN_CAUSE,
    ) -> Self:
        """Make it from a driver's object, under its lock (libvirt: ...NewFromObj)."""
        return cls(live.identity, event, detail, time, 0, cause)

    @classmethod
    def from_definition(
        cls,
        definition: DefinitionSource,
        event: Lifecycle,
        detail: Detail,
        time: float,
        cause: Cause = UNKNOWN_CAUSE,
    ) -> Self:
        """Make it from a definition; the domain's id is then -1 (libvirt: ...NewFromDef)."""
        return cls(DomainIdentity.from_definition(definition), event, detail, time, 0, cause)
