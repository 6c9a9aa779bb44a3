# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QMP event of a guest's device means: domain events of disks, trays, memory, jobs.

It stands apart from the events of the guest's life because none of these changes a state, but
for the I/O error that pauses.

Immutable: functions without state; the caller holds the domain's lock.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_device_events.py``:
    facts_are_taken_over   what QEMU says of a device is what the event says
    robust                 any data gives an effect, never an exception
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from virevents.drivers.qemu.scene import NOTHING, Effect, Scene
from virevents.drivers.qemu.transitions import Happening
from virevents.model import (
    AgentLifecycleEvent,
    AgentLifecycleReason,
    AgentLifecycleState,
    BalloonChangeEvent,
    BlockJobEvent,
    BlockJobStatus,
    BlockJobType,
    BlockThresholdEvent,
    DeviceRemovalFailedEvent,
    DeviceRemovedEvent,
    IOErrorAction,
    IOErrorEvent,
    IOErrorReasonEvent,
    MemoryDeviceSizeChangeEvent,
    MemoryFailureAction,
    MemoryFailureEvent,
    MemoryFailureFlags,
    MemoryFailureRecipient,
    MigrationIterationEvent,
    RTCChangeEvent,
    TrayChangeEvent,
    TrayChangeReason,
)

__all__ = ["DEVICE_HANDLERS", "Data"]

Data = Mapping[str, object]

_BYTES_IN_KIB: Final = 1024
_AGENT_CHANNEL: Final = "org.qemu.guest_agent.0"
_PERIPHERAL: Final = re.compile(r"/machine/peripheral/([^/]+)")


def _number(data: Data, key: str) -> int | None:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(data: Data, key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _alias(data: Data) -> str:
    """The device's alias: its id, or the last resort, its place in QEMU's tree."""
    found = _PERIPHERAL.match(_word(data, "qom-path"))
    return _word(data, "device") or _word(data, "id") or (found[1] if found else "")


def _on_block_io_error(data: Data, scene: Scene) -> Effect:
    """Two events for the one error, as libvirt's; then the pause, if that is the policy."""
    action = _IO_ACTIONS.get(_word(data, "action"))
    if action is None:
        return NOTHING
    disk = scene.describe_disk(_alias(data) or _word(data, "node-name"))
    reason = "enospc" if data.get("nospace") is True else ""
    path, alias = disk
    told = (
        IOErrorEvent(scene.domain, path, alias, action, scene.time),
        IOErrorReasonEvent(scene.domain, path, alias, action, reason, scene.time),
    )
    if action is not IOErrorAction.PAUSE:
        return Effect(events=told)
    paused = scene.happen(Happening.IO_ERROR)
    return Effect(state=paused.state, events=(*told, *paused.events), cause=paused.cause)


def _on_rtc_change(data: Data, scene: Scene) -> Effect:
    offset = _number(data, "offset")
    if offset is None:
        return NOTHING
    return Effect(events=(RTCChangeEvent(scene.domain, offset, scene.time),))


def _on_balloon_change(data: Data, scene: Scene) -> Effect:
    actual = _number(data, "actual")
    if actual is None:
        return NOTHING
    return Effect(events=(BalloonChangeEvent(scene.domain, actual // _BYTES_IN_KIB, scene.time),))


def _on_tray_moved(data: Data, scene: Scene) -> Effect:
    device, is_open = _alias(data), data.get("tray-open")
    if not device or not isinstance(is_open, bool):
        return NOTHING
    reason = TrayChangeReason.OPEN if is_open else TrayChangeReason.CLOSE
    return Effect(events=(TrayChangeEvent(scene.domain, device, reason, scene.time),))


def _on_device_deleted(data: Data, scene: Scene) -> Effect:
    """Told only of devices that have a name; their parts go as well."""
    device = _word(data, "device")
    if not device:
        return NOTHING
    return Effect(events=(DeviceRemovedEvent(scene.domain, device, scene.time),))


def _on_removal_failed(data: Data, scene: Scene) -> Effect:
    device = _word(data, "device")
    if not device:
        return NOTHING
    return Effect(events=(DeviceRemovalFailedEvent(scene.domain, device, scene.time),))


def _on_write_threshold(data: Data, scene: Scene) -> Effect:
    node = _word(data, "node-name")
    excess, threshold = _number(data, "amount-exceeded"), _number(data, "write-threshold")
    if not node or excess is None or threshold is None:
        return NOTHING
    path, alias = scene.describe_disk(node)
    event = BlockThresholdEvent(scene.domain, alias, path or None, threshold, excess, scene.time)
    return Effect(events=(event,))


def _on_job_end(data: Data, scene: Scene, status: BlockJobStatus) -> Effect:
    device = _word(data, "device")
    if not device:
        return NOTHING
    if status is BlockJobStatus.COMPLETED and "error" in data:
        status = BlockJobStatus.FAILED
    kind = _JOB_TYPES.get(_word(data, "type"), BlockJobType.UNKNOWN)
    path = scene.describe_disk(device).source_path
    return Effect(events=(BlockJobEvent(scene.domain, path, kind, status, scene.time),))


def _on_job_completed(data: Data, scene: Scene) -> Effect:
    return _on_job_end(data, scene, BlockJobStatus.COMPLETED)


def _on_job_cancelled(data: Data, scene: Scene) -> Effect:
    return _on_job_end(data, scene, BlockJobStatus.CANCELED)


def _on_job_ready(data: Data, scene: Scene) -> Effect:
    return _on_job_end(data, scene, BlockJobStatus.READY)


def _on_port_change(data: Data, scene: Scene) -> Effect:
    """A channel of the guest was opened or closed; only the agent's has an event."""
    is_open = data.get("open")
    name = scene.describe_channel(_word(data, "id"))
    if name != _AGENT_CHANNEL or not isinstance(is_open, bool):
        return NOTHING
    state = AgentLifecycleState.CONNECTED if is_open else AgentLifecycleState.DISCONNECTED
    reason = AgentLifecycleReason.CHANNEL
    return Effect(events=(AgentLifecycleEvent(scene.domain, state, reason, scene.time),))


def _on_memory_failure(data: Data, scene: Scene) -> Effect:
    recipient = _RECIPIENTS.get(_word(data, "recipient"))
    action = _MEMORY_ACTIONS.get(_word(data, "action"))
    told = data.get("flags")
    if recipient is None or action is None:
        return NOTHING
    facts = told if isinstance(told, dict) else {}
    flags = MemoryFailureFlags(0)
    if facts.get("action-required") is True:
        flags |= MemoryFailureFlags.ACTION_REQUIRED
    if facts.get("recursive") is True:
        flags |= MemoryFailureFlags.RECURSIVE
    return Effect(events=(MemoryFailureEvent(scene.domain, recipient, action, flags, scene.time),))


def _on_memory_size(data: Data, scene: Scene) -> Effect:
    device, size = _word(data, "id"), _number(data, "size")
    if not device or size is None:
        return NOTHING
    kib = size // _BYTES_IN_KIB
    return Effect(events=(MemoryDeviceSizeChangeEvent(scene.domain, device, kib, scene.time),))


def _on_migration_pass(data: Data, scene: Scene) -> Effect:
    """A save is a migration into a file; what nobody here began is not told."""
    number = _number(data, "pass")
    if number is None or not scene.has_job:
        return NOTHING
    return Effect(events=(MigrationIterationEvent(scene.domain, number, scene.time),))


_IO_ACTIONS: Final[Mapping[str, IOErrorAction]] = {
    "ignore": IOErrorAction.NONE,
    "stop": IOErrorAction.PAUSE,
    "report": IOErrorAction.REPORT,
}

_JOB_TYPES: Final[Mapping[str, BlockJobType]] = {
    "stream": BlockJobType.PULL,
    "mirror": BlockJobType.COPY,
    "commit": BlockJobType.COMMIT,
    "backup": BlockJobType.BACKUP,
}

_RECIPIENTS: Final[Mapping[str, MemoryFailureRecipient]] = {
    "hypervisor": MemoryFailureRecipient.HYPERVISOR,
    "guest": MemoryFailureRecipient.GUEST,
}

_MEMORY_ACTIONS: Final[Mapping[str, MemoryFailureAction]] = {
    str(action): action for action in MemoryFailureAction
}

DEVICE_HANDLERS: Final[Mapping[str, Callable[[Data, Scene], Effect]]] = {
    "BALLOON_CHANGE": _on_balloon_change,
    "BLOCK_IO_ERROR": _on_block_io_error,
    "BLOCK_JOB_CANCELLED": _on_job_cancelled,
    "BLOCK_JOB_COMPLETED": _on_job_completed,
    "BLOCK_JOB_READY": _on_job_ready,
    "BLOCK_WRITE_THRESHOLD": _on_write_threshold,
    "DEVICE_DELETED": _on_device_deleted,
    "DEVICE_TRAY_MOVED": _on_tray_moved,
    "DEVICE_UNPLUG_GUEST_ERROR": _on_removal_failed,
    "MEMORY_DEVICE_SIZE_CHANGE": _on_memory_size,
    "MEMORY_FAILURE": _on_memory_failure,
    "MEM_UNPLUG_ERROR": _on_removal_failed,
    "MIGRATION_PASS": _on_migration_pass,
    "RTC_CHANGE": _on_rtc_change,
    "VSERPORT_CHANGE": _on_port_change,
}
"""What each event of a device means."""
