# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events that tell about a domain's devices: disks, block jobs, trays, what is plugged.

They stand apart from the events of the guest as a whole only to keep each module readable.
Fields are named for what they are; the order of a kind's own fields is libvirt's.

Immutable.

Invariants, with a test of its name in ``tests/model/test_events.py``:
    every_kind   every kind can be made, compared, copied and encoded
"""

from typing import ClassVar, TypeAlias

from virevents.model.enums import UnknownNumber, WireEnum
from virevents.model.event import DomainEvent, EventId
from virevents.model.identity import DomainIdentity
from virevents.model.value import value_class

__all__ = [
    "BlockJob2Event",
    "BlockJobEvent",
    "BlockJobStatus",
    "BlockJobType",
    "BlockThresholdEvent",
    "DeviceAddedEvent",
    "DeviceRemovalFailedEvent",
    "DeviceRemovedEvent",
    "DiskChangeEvent",
    "DiskChangeReason",
    "IOErrorAction",
    "IOErrorEvent",
    "IOErrorReasonEvent",
    "MemoryDeviceSizeChangeEvent",
    "TrayChangeEvent",
    "TrayChangeReason",
]


class IOErrorAction(WireEnum):
    """What was done about an I/O error (libvirt: virDomainEventIOErrorAction)."""

    NONE = 0
    PAUSE = 1
    REPORT = 2


class BlockJobType(WireEnum):
    """What a block job does (libvirt: virDomainBlockJobType)."""

    UNKNOWN = 0
    PULL = 1
    COPY = 2
    COMMIT = 3
    ACTIVE_COMMIT = 4
    BACKUP = 5


class BlockJobStatus(WireEnum):
    """What became of a block job (libvirt: virConnectDomainEventBlockJobStatus)."""

    COMPLETED = 0
    FAILED = 1
    CANCELED = 2
    READY = 3


class DiskChangeReason(WireEnum):
    """Why a disk's source changed (libvirt: virConnectDomainEventDiskChangeReason)."""

    MISSING_ON_START = 0
    DROP_MISSING_ON_START = 1


class TrayChangeReason(WireEnum):
    """What a removable disk's tray did (libvirt: virDomainEventTrayChangeReason)."""

    OPEN = 0
    CLOSE = 1


IOAction: TypeAlias = IOErrorAction | UnknownNumber


@value_class
class IOErrorEvent(DomainEvent):
    """A disk of the domain had an I/O error.

    Attributes:
        source_path: The file or device on the host, or empty.
        device: The device's alias, for example ``virtio-disk0``.
        action: What was done about it.
    """

    event_id: ClassVar[EventId] = EventId.IO_ERROR

    domain: DomainIdentity
    source_path: str
    device: str
    action: IOAction
    time: float
    sequence: int = 0


@value_class
class IOErrorReasonEvent(DomainEvent):
    """A disk of the domain had an I/O error, and the hypervisor said why.

    Attributes:
        source_path: The file or device on the host, or empty.
        device: The device's alias.
        action: What was done about it.
        reason: The hypervisor's word, for example ``enospc``, or empty.
    """

    event_id: ClassVar[EventId] = EventId.IO_ERROR_REASON

    domain: DomainIdentity
    source_path: str
    device: str
    action: IOAction
    reason: str
    time: float
    sequence: int = 0


@value_class
class BlockJobEvent(DomainEvent):
    """A block job ended or became ready; the disk is named by its source.

    Attributes:
        path: The disk's source on the host.
        job_type: What the job does.
        status: What became of it.
    """

    event_id: ClassVar[EventId] = EventId.BLOCK_JOB

    domain: DomainIdentity
    path: str
    job_type: BlockJobType | UnknownNumber
    status: BlockJobStatus | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class BlockJob2Event(DomainEvent):
    """A block job ended or became ready; the disk is named as the guest sees it.

    Attributes:
        target: The disk's target, for example ``vda``.
        job_type: What the job does.
        status: What became of it.
    """

    event_id: ClassVar[EventId] = EventId.BLOCK_JOB_2

    domain: DomainIdentity
    target: str
    job_type: BlockJobType | UnknownNumber
    status: BlockJobStatus | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class DiskChangeEvent(DomainEvent):
    """The source of a disk was changed by the hypervisor.

    Attributes:
        old_source_path: The source before, or None.
        new_source_path: The source now, or None: the disk was emptied or dropped.
        device: The device's alias.
        reason: Why.
    """

    event_id: ClassVar[EventId] = EventId.DISK_CHANGE

    domain: DomainIdentity
    old_source_path: str | None
    new_source_path: str | None
    device: str
    reason: DiskChangeReason | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class TrayChangeEvent(DomainEvent):
    """The tray of a removable disk opened or closed.

    Attributes:
        device: The device's alias.
        reason: Which of the two.
    """

    event_id: ClassVar[EventId] = EventId.TRAY_CHANGE

    domain: DomainIdentity
    device: str
    reason: TrayChangeReason | UnknownNumber
    time: float
    sequence: int = 0


@value_class
class DeviceAddedEvent(DomainEvent):
    """A device was plugged.

    Attributes:
        device: The device's alias.
    """

    event_id: ClassVar[EventId] = EventId.DEVICE_ADDED

    domain: DomainIdentity
    device: str
    time: float
    sequence: int = 0


@value_class
class DeviceRemovedEvent(DomainEvent):
    """A device is gone.

    Attributes:
        device: The device's alias.
    """

    event_id: ClassVar[EventId] = EventId.DEVICE_REMOVED

    domain: DomainIdentity
    device: str
    time: float
    sequence: int = 0


@value_class
class DeviceRemovalFailedEvent(DomainEvent):
    """The guest refused to let go of a device.

    Attributes:
        device: The device's alias.
    """

    event_id: ClassVar[EventId] = EventId.DEVICE_REMOVAL_FAILED

    domain: DomainIdentity
    device: str
    time: float
    sequence: int = 0


@value_class
class BlockThresholdEvent(DomainEvent):
    """A write went past the threshold that was set for a disk.

    Attributes:
        device: The block device, as the threshold was set for it, for example ``vda[1]``.
        path: Its source on the host, or None.
        threshold_bytes: The threshold; it is unset now.
        excess_bytes: How far past it the write went.
    """

    event_id: ClassVar[EventId] = EventId.BLOCK_THRESHOLD

    domain: DomainIdentity
    device: str
    path: str | None
    threshold_bytes: int
    excess_bytes: int
    time: float
    sequence: int = 0


@value_class
class MemoryDeviceSizeChangeEvent(DomainEvent):
    """The guest accepted or gave back memory of a memory device.

    Attributes:
        device: The device's alias.
        size: The size now, in the unit in which the peer sends it.
    """

    event_id: ClassVar[EventId] = EventId.MEMORY_DEVICE_SIZE_CHANGE

    domain: DomainIdentity
    device: str
    size: int
    time: float
    sequence: int = 0
