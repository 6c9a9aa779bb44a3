# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events that tell about the guest as a whole: its clock, display, memory, agent, jobs.

They stand apart from the events of its devices only to keep each module readable. Fields are
named for what they are; the order of a kind's own fields is libvirt's.

Immutable.

Invariants, with a test of its name in ``tests/model/test_events.py``:
    every_kind   every kind can be made, compared, copied and encoded
"""

from typing import ClassVar

from virevents.model.enums import UnknownNumber, WireEnum, WireFlag
from virevents.model.event import DomainEvent, EventId
from virevents.model.identity import DomainIdentity
from virevents.model.params import TypedParams
from virevents.model.value import value_class

__all__ = [
    "AgentLifecycleEvent",
    "AgentLifecycleReason",
    "AgentLifecycleState",
    "BalloonChangeEvent",
    "ControlErrorEvent",
    "GraphicsAddress",
    "GraphicsAddressFamily",
    "GraphicsEvent",
    "GraphicsIdentity",
    "GraphicsPhase",
    "JobCompletedEvent",
    "MemoryFailureAction",
    "MemoryFailureEvent",
    "MemoryFailureFlags",
    "MemoryFailureRecipient",
    "MetadataChangeEvent",
    "MetadataType",
    "MigrationIterationEvent",
    "PMSuspendDiskEvent",
    "PMSuspendEvent",
    "PMWakeupEvent",
    "RTCChangeEvent",
    "RebootEvent",
    "TunableEvent",
    "WatchdogAction",
    "WatchdogEvent",
]


class WatchdogAction(WireEnum):
    """What the watchdog did when it fired (libvirt: virDomainEventWatchdogAction)."""

    NONE = 0
    PAUSE = 1
    RESET = 2
    POWEROFF = 3
    SHUTDOWN = 4
    DEBUG = 5
    INJECTNMI = 6


class GraphicsPhase(WireEnum):
    """How far a display's client has come (libvirt: virDomainEventGraphicsPhase)."""

    CONNECT = 0
    INITIALIZE = 1
    DISCONNECT = 2


class GraphicsAddressFamily(WireEnum):
    """Of which kind an address is (libvirt: virDomainEventGraphicsAddressType)."""

    IPV4 = 0
    IPV6 = 1
    UNIX = 2


class AgentLifecycleState(WireEnum):
    """Whether the guest's agent is there (libvirt: ...EventAgentLifecycleState)."""

    CONNECTED = 1
    DISCONNECTED = 2


class AgentLifecycleReason(WireEnum):
    """Why the agent's state changed (libvirt: ...EventAgentLifecycleReason)."""

    UNKNOWN = 0
    DOMAIN_STARTED = 1
    CHANNEL = 2


class MetadataType(WireEnum):
    """Which part of a domain's metadata (libvirt: virDomainMetadataType)."""

    DESCRIPTION = 0
    TITLE = 1
    ELEMENT = 2


class MemoryFailureRecipient(WireEnum):
    """Whose memory failed (libvirt: virDomainMemoryFailureRecipientType)."""

    HYPERVISOR = 0
    GUEST = 1


class MemoryFailureAction(WireEnum):
    """What was done about failed memory (libvirt: virDomainMemoryFailureActionType)."""

    IGNORE = 0
    INJECT = 1
    FATAL = 2
    RESET = 3


class MemoryFailureFlags(WireFlag):
    """More about failed memory (libvirt: virDomainMemoryFailureFlags)."""

    ACTION_REQUIRED = 1
    RECURSIVE = 2


@value_class
class RebootEvent(DomainEvent):
    """The guest rebooted."""

    event_id: ClassVar[EventId] = EventId.REBOOT

    domain: DomainIdentity
    time: float
    sequence: int = 0


@value_class
class RTCChangeEvent(DomainEvent):
    """The guest set its clock.

    Attributes:
        offset: Seconds by which it now differs from the host's.
    """

    event_id: ClassVar[EventId] = EventId.RTC_CHANGE

    domain: DomainIdentity
    offset: int
    time: float
    sequence: int = 0


@value_class
class WatchdogEvent(DomainEvent):
    """The watchdog fired.

    Attributes:
        action: What was done.
    """

    event_id: ClassVar[EventId] = EventId.WATCHDOG

    domain: DomainIdentity
    action: WatchdogAction | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class GraphicsAddress:
    """One end of a display's connection.

    Attributes:
        family: Of which kind it is.
        node: The host's address, or the socket's path.
        service: The port, or empty.
    """

    family: GraphicsAddressFamily | UnknownNumber
    node: str
    service: str


@value_class
class GraphicsIdentity:
    """One name under which a display's client is known.

    Attributes:
        identity_type: What kind of name, for example ``x509dname``.
        name: The name.
    """

    identity_type: str
    name: str


@value_class
class GraphicsEvent(DomainEvent):
    """A client of the domain's display came, was let in, or went.

    Attributes:
        phase: Which of the three.
        local: The display's end.
        remote: The client's end.
        auth_scheme: How the client authenticates, for example ``vnc`` or ``sasl``.
        subject: Who the client is, once that is known.
    """

    event_id: ClassVar[EventId] = EventId.GRAPHICS

    domain: DomainIdentity
    phase: GraphicsPhase | UnknownNumber
    local: GraphicsAddress
    remote: GraphicsAddress
    auth_scheme: str
    subject: tuple[GraphicsIdentity, ...]
    time: float
    sequence: int = 0


@value_class
class ControlErrorEvent(DomainEvent):
    """The hypervisor's channel to the domain broke: it can no longer be controlled."""

    event_id: ClassVar[EventId] = EventId.CONTROL_ERROR

    domain: DomainIdentity
    time: float
    sequence: int = 0


@value_class
class PMWakeupEvent(DomainEvent):
    """The guest woke up.

    Attributes:
        reason: A number for which libvirt has no names yet; it sends 0.
    """

    event_id: ClassVar[EventId] = EventId.PM_WAKEUP

    domain: DomainIdentity
    reason: int
    time: float
    sequence: int = 0


@value_class
class PMSuspendEvent(DomainEvent):
    """The guest went to sleep, its memory kept.

    Attributes:
        reason: A number for which libvirt has no names yet; it sends 0.
    """

    event_id: ClassVar[EventId] = EventId.PM_SUSPEND

    domain: DomainIdentity
    reason: int
    time: float
    sequence: int = 0


@value_class
class PMSuspendDiskEvent(DomainEvent):
    """The guest went to sleep, its memory written to disk.

    Attributes:
        reason: A number for which libvirt has no names yet; it sends 0.
    """

    event_id: ClassVar[EventId] = EventId.PM_SUSPEND_DISK

    domain: DomainIdentity
    reason: int
    time: float
    sequence: int = 0


@value_class
class BalloonChangeEvent(DomainEvent):
    """The guest's memory balloon changed.

    Attributes:
        actual_kib: What memory the guest has now.
    """

    event_id: ClassVar[EventId] = EventId.BALLOON_CHANGE

    domain: DomainIdentity
    actual_kib: int
    time: float
    sequence: int = 0


@value_class
class TunableEvent(DomainEvent):
    """Tunable values of the domain were changed.

    Attributes:
        params: The values, by libvirt's names (``cputune.vcpupin0`` and so on).
    """

    event_id: ClassVar[EventId] = EventId.TUNABLE

    domain: DomainIdentity
    params: TypedParams
    time: float
    sequence: int = 0


@value_class
class AgentLifecycleEvent(DomainEvent):
    """The guest's agent came or went.

    Attributes:
        state: Which of the two.
        reason: Why.
    """

    event_id: ClassVar[EventId] = EventId.AGENT_LIFECYCLE

    domain: DomainIdentity
    state: AgentLifecycleState | UnknownNumber
    reason: AgentLifecycleReason | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class MigrationIterationEvent(DomainEvent):
    """A migration began one more pass over the guest's memory.

    Attributes:
        iteration: The number of the pass.
    """

    event_id: ClassVar[EventId] = EventId.MIGRATION_ITERATION

    domain: DomainIdentity
    iteration: int
    time: float
    sequence: int = 0


@value_class
class JobCompletedEvent(DomainEvent):
    """A job of the domain (a save, a migration, a dump) completed.

    Attributes:
        params: Its statistics, by libvirt's names.
    """

    event_id: ClassVar[EventId] = EventId.JOB_COMPLETED

    domain: DomainIdentity
    params: TypedParams
    time: float
    sequence: int = 0


@value_class
class MetadataChangeEvent(DomainEvent):
    """The domain's metadata was changed.

    Attributes:
        metadata_type: Which part.
        namespace_uri: Of which namespace, for an element; else None.
    """

    event_id: ClassVar[EventId] = EventId.METADATA_CHANGE

    domain: DomainIdentity
    metadata_type: MetadataType | UnknownNumber
    namespace_uri: str | None
    time: float
    sequence: int = 0


@value_class
class MemoryFailureEvent(DomainEvent):
    """Memory of the host failed under the domain.

    Attributes:
        recipient: Whose memory.
        action: What was done.
        flags: More about it.
    """

    event_id: ClassVar[EventId] = EventId.MEMORY_FAILURE

    domain: DomainIdentity
    recipient: MemoryFailureRecipient | UnknownNumber
    action: MemoryFailureAction | UnknownNumber
    flags: MemoryFailureFlags
    time: float
    sequence: int = 0
