# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers.qemu.device_events import DEVICE_HANDLERS
from virevents.drivers.qemu.scene import DiskName, Effect, Scene
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
    DomainEvent,
    DomainIdentity,
    DomainState,
    IOErrorAction,
    IOErrorEvent,
    IOErrorReasonEvent,
    LifecycleEvent,
    MemoryDeviceSizeChangeEvent,
    MemoryFailureAction,
    MemoryFailureEvent,
    MemoryFailureFlags,
    MemoryFailureRecipient,
    MigrationIterationEvent,
    PausedReason,
    RTCChangeEvent,
    RunningReason,
    StateAndReason,
    TrayChangeEvent,
    TrayChangeReason,
)

DOMAIN = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 7)
RUNNING = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
DISKS = {"vda": DiskName("/disk.img", "virtio-disk0")}
CHANNELS = {"channel0": "org.qemu.guest_agent.0", "channel1": "com.example"}


def effect_of(name: str, data: dict[str, object], *, has_job: bool = False) -> Effect:
    scene = Scene(
        DOMAIN,
        RUNNING,
        1.0,
        has_job=has_job,
        describe_disk=lambda device: DISKS.get(device, DiskName("", device)),
        describe_channel=lambda device: CHANNELS.get(device, ""),
    )
    facts = {key.replace("_", "-"): value for key, value in data.items()}
    return DEVICE_HANDLERS[name](facts, scene)


FACTS: list[tuple[str, dict[str, object], DomainEvent]] = [
    ("RTC_CHANGE", {"offset": -3}, RTCChangeEvent(DOMAIN, -3, 1.0)),
    ("BALLOON_CHANGE", {"actual": 2048}, BalloonChangeEvent(DOMAIN, 2, 1.0)),
    (
        "DEVICE_TRAY_MOVED",
        {"device": "", "id": "cd0", "tray_open": True},
        TrayChangeEvent(DOMAIN, "cd0", TrayChangeReason.OPEN, 1.0),
    ),
    (
        "DEVICE_TRAY_MOVED",
        {"device": "cd1", "id": "cd0", "tray_open": False},
        TrayChangeEvent(DOMAIN, "cd1", TrayChangeReason.CLOSE, 1.0),
    ),
    ("DEVICE_DELETED", {"device": "net0"}, DeviceRemovedEvent(DOMAIN, "net0", 1.0)),
    (
        "DEVICE_UNPLUG_GUEST_ERROR",
        {"device": "net0"},
        DeviceRemovalFailedEvent(DOMAIN, "net0", 1.0),
    ),
    ("MEM_UNPLUG_ERROR", {"device": "dimm0"}, DeviceRemovalFailedEvent(DOMAIN, "dimm0", 1.0)),
    (
        "MEMORY_DEVICE_SIZE_CHANGE",
        {"id": "dimm0", "size": 4096},
        MemoryDeviceSizeChangeEvent(DOMAIN, "dimm0", 4, 1.0),
    ),
    (
        "BLOCK_WRITE_THRESHOLD",
        {"node_name": "vda", "amount_exceeded": 5, "write_threshold": 9},
        BlockThresholdEvent(DOMAIN, "virtio-disk0", "/disk.img", 9, 5, 1.0),
    ),
    (
        "BLOCK_JOB_READY",
        {"device": "vda", "type": "mirror"},
        BlockJobEvent(DOMAIN, "/disk.img", BlockJobType.COPY, BlockJobStatus.READY, 1.0),
    ),
    (
        "BLOCK_JOB_COMPLETED",
        {"device": "vda", "type": "stream"},
        BlockJobEvent(DOMAIN, "/disk.img", BlockJobType.PULL, BlockJobStatus.COMPLETED, 1.0),
    ),
    (
        "BLOCK_JOB_COMPLETED",
        {"device": "vda", "type": "backup", "error": "Input/output error"},
        BlockJobEvent(DOMAIN, "/disk.img", BlockJobType.BACKUP, BlockJobStatus.FAILED, 1.0),
    ),
    (
        "BLOCK_JOB_CANCELLED",
        {"device": "vda", "type": "new"},
        BlockJobEvent(DOMAIN, "/disk.img", BlockJobType.UNKNOWN, BlockJobStatus.CANCELED, 1.0),
    ),
    (
        "VSERPORT_CHANGE",
        {"id": "channel0", "open": True},
        AgentLifecycleEvent(
            DOMAIN, AgentLifecycleState.CONNECTED, AgentLifecycleReason.CHANNEL, 1.0
        ),
    ),
    (
        "VSERPORT_CHANGE",
        {"id": "channel0", "open": False},
        AgentLifecycleEvent(
            DOMAIN, AgentLifecycleState.DISCONNECTED, AgentLifecycleReason.CHANNEL, 1.0
        ),
    ),
    (
        "MEMORY_FAILURE",
        {
            "recipient": "guest",
            "action": "inject",
            "flags": {"action-required": True, "recursive": True},
        },
        MemoryFailureEvent(
            DOMAIN,
            MemoryFailureRecipient.GUEST,
            MemoryFailureAction.INJECT,
            MemoryFailureFlags.ACTION_REQUIRED | MemoryFailureFlags.RECURSIVE,
            1.0,
        ),
    ),
    (
        "MEMORY_FAILURE",
        {"recipient": "hypervisor", "action": "ignore"},
        MemoryFailureEvent(
            DOMAIN,
            MemoryFailureRecipient.HYPERVISOR,
            MemoryFailureAction.IGNORE,
            MemoryFailureFlags(0),
            1.0,
        ),
    ),
]


@pytest.mark.parametrize(("name", "data", "event"), FACTS)
def test_facts_are_taken_over(name: str, data: dict[str, object], event: DomainEvent) -> None:
    effect = effect_of(name, data)
    assert effect.events == (event,)
    assert effect.state is None


def test_an_io_error_is_two_events_and_perhaps_a_pause() -> None:
    effect = effect_of("BLOCK_IO_ERROR", {"node_name": "vda", "action": "stop", "nospace": True})
    action = IOErrorAction.PAUSE
    path, alias = DISKS["vda"]
    assert effect.events[:2] == (
        IOErrorEvent(DOMAIN, path, alias, action, 1.0),
        IOErrorReasonEvent(DOMAIN, path, alias, action, "enospc", 1.0),
    )
    (paused,) = effect.events[2:]
    assert isinstance(paused, LifecycleEvent)
    assert effect.state == (DomainState.PAUSED, PausedReason.IOERROR)
    reported = effect_of("BLOCK_IO_ERROR", {"device": "vda", "action": "report"})
    assert reported.events == (
        IOErrorEvent(DOMAIN, path, alias, IOErrorAction.REPORT, 1.0),
        IOErrorReasonEvent(DOMAIN, path, alias, IOErrorAction.REPORT, "", 1.0),
    )
    assert reported.state is None
    by_place = effect_of(
        "BLOCK_IO_ERROR", {"qom_path": "/machine/peripheral/vda/x", "action": "ignore"}
    )
    (first, _) = by_place.events
    assert isinstance(first, IOErrorEvent)
    assert first.device == alias


def test_a_migration_nobody_here_began_is_not_told() -> None:
    assert effect_of("MIGRATION_PASS", {"pass": 2}).events == ()
    told = effect_of("MIGRATION_PASS", {"pass": 2}, has_job=True).events
    assert told == (MigrationIterationEvent(DOMAIN, 2, 1.0),)


def test_a_channel_that_is_not_the_agents_is_not_told() -> None:
    assert effect_of("VSERPORT_CHANGE", {"id": "channel1", "open": True}).events == ()


json_values: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just({})
)
keys = st.sampled_from(sorted({key.replace("_", "-") for _, data, _ in FACTS for key in data}))


@given(st.sampled_from(sorted(DEVICE_HANDLERS)), st.dictionaries(keys, json_values))
def test_robust(name: str, data: dict[str, object]) -> None:
    effect = DEVICE_HANDLERS[name](data, Scene(DOMAIN, RUNNING, 1.0, has_job=True))
    assert isinstance(effect, Effect)


@pytest.mark.parametrize("name", sorted(DEVICE_HANDLERS))
def test_an_event_without_its_facts_means_nothing(name: str) -> None:
    assert effect_of(name, {}, has_job=True).events == ()
