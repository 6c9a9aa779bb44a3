# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of all domain events: which class stands for which event id.

It stands apart because it is the one place that knows every kind.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_events.py``:
    complete     every event id has exactly one class, and the class names the id
    every_kind   every kind can be made, compared, copied and encoded
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from virevents.model.device_events import (
    BlockJob2Event,
    BlockJobEvent,
    BlockThresholdEvent,
    DeviceAddedEvent,
    DeviceRemovalFailedEvent,
    DeviceRemovedEvent,
    DiskChangeEvent,
    IOErrorEvent,
    IOErrorReasonEvent,
    MemoryDeviceSizeChangeEvent,
    TrayChangeEvent,
)
from virevents.model.event import DomainEvent, EventId
from virevents.model.guest_events import (
    AgentLifecycleEvent,
    BalloonChangeEvent,
    ControlErrorEvent,
    GraphicsEvent,
    JobCompletedEvent,
    MemoryFailureEvent,
    MetadataChangeEvent,
    MigrationIterationEvent,
    PMSuspendDiskEvent,
    PMSuspendEvent,
    PMWakeupEvent,
    RebootEvent,
    RTCChangeEvent,
    TunableEvent,
    WatchdogEvent,
)
from virevents.model.lifecycle import LifecycleEvent

__all__ = ["EVENT_CLASSES"]

_KINDS: Final[tuple[type[DomainEvent], ...]] = (
    LifecycleEvent,
    RebootEvent,
    RTCChangeEvent,
    WatchdogEvent,
    IOErrorEvent,
    GraphicsEvent,
    IOErrorReasonEvent,
    ControlErrorEvent,
    BlockJobEvent,
    DiskChangeEvent,
    TrayChangeEvent,
    PMWakeupEvent,
    PMSuspendEvent,
    BalloonChangeEvent,
    PMSuspendDiskEvent,
    DeviceRemovedEvent,
    BlockJob2Event,
    TunableEvent,
    AgentLifecycleEvent,
    DeviceAddedEvent,
    MigrationIterationEvent,
    JobCompletedEvent,
    DeviceRemovalFailedEvent,
    MetadataChangeEvent,
    BlockThresholdEvent,
    MemoryFailureEvent,
    MemoryDeviceSizeChangeEvent,
)

EVENT_CLASSES: Final[Mapping[EventId, type[DomainEvent]]] = MappingProxyType(
    {kind.event_id: kind for kind in _KINDS}
)
"""The class of each event id, in the order of libvirt's numbers."""
