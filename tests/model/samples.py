# SPDX-License-Identifier: LGPL-2.1-or-later
"""One event of every kind, with what its own fields look like in JSON."""

from typing import Final

from virevents.model import (
    AgentLifecycleEvent,
    AgentLifecycleReason,
    AgentLifecycleState,
    BalloonChangeEvent,
    BlockJob2Event,
    BlockJobEvent,
    BlockJobStatus,
    BlockJobType,
    BlockThresholdEvent,
    ControlErrorEvent,
    DeviceAddedEvent,
    DeviceRemovalFailedEvent,
    DeviceRemovedEvent,
    DiskChangeEvent,
    DiskChangeReason,
    DomainEvent,
    DomainIdentity,
    GraphicsAddress,
    GraphicsAddressFamily,
    GraphicsEvent,
    GraphicsIdentity,
    GraphicsPhase,
    IOErrorAction,
    IOErrorEvent,
    IOErrorReasonEvent,
    JobCompletedEvent,
    Json,
    Lifecycle,
    LifecycleEvent,
    MemoryDeviceSizeChangeEvent,
    MemoryFailureAction,
    MemoryFailureEvent,
    MemoryFailureFlags,
    MemoryFailureRecipient,
    MetadataChangeEvent,
    MetadataType,
    MigrationIterationEvent,
    PMSuspendDiskEvent,
    PMSuspendEvent,
    PMWakeupEvent,
    RebootEvent,
    RTCChangeEvent,
    StoppedDetail,
    TrayChangeEvent,
    TrayChangeReason,
    TunableEvent,
    TypedParams,
    UnknownNumber,
    WatchdogAction,
    WatchdogEvent,
)

__all__ = ["DOMAIN", "SAMPLES", "TIME", "WIRE_FIELDS", "of_kinds"]

DOMAIN: Final = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 7)
TIME: Final = 1_795_426_260.25
_PARAMS: Final = TypedParams({"cputune.vcpu_quota": -1, "ratio": 0.5, "on": True, "name": "a"})
_PARAMS_JSON: Final[Json] = {"cputune.vcpu_quota": -1, "ratio": 0.5, "on": True, "name": "a"}

SAMPLES: Final[tuple[tuple[DomainEvent, dict[str, Json]], ...]] = (
    (
        LifecycleEvent(DOMAIN, Lifecycle.STOPPED, StoppedDetail.FROM_SNAPSHOT, TIME, 3),
        {
            "event": "stopped",
            "detail": "from-snapshot",
            "cause": {
                "requested_by": "unknown",
                "is_graceful": None,
                "is_reboot": False,
                "is_found_at_start": False,
            },
        },
    ),
    (RebootEvent(DOMAIN, TIME), {}),
    (RTCChangeEvent(DOMAIN, -3600, TIME), {"offset": -3600}),
    (WatchdogEvent(DOMAIN, WatchdogAction.INJECTNMI, TIME), {"action": "injectnmi"}),
    (
        IOErrorEvent(DOMAIN, "/a.img", "virtio-disk0", IOErrorAction.PAUSE, TIME),
        {"source_path": "/a.img", "device": "virtio-disk0", "action": "pause"},
    ),
    (
        GraphicsEvent(
            DOMAIN,
            GraphicsPhase.INITIALIZE,
            GraphicsAddress(GraphicsAddressFamily.IPV4, "127.0.0.1", "5900"),
            GraphicsAddress(UnknownNumber(9), "somewhere", ""),
            "sasl",
            (GraphicsIdentity("x509dname", "CN=me"), GraphicsIdentity("saslUsername", "me")),
            TIME,
        ),
        {
            "phase": "initialize",
            "local": {"family": "ipv4", "node": "127.0.0.1", "service": "5900"},
            "remote": {"family": "unknown-9", "node": "somewhere", "service": ""},
            "auth_scheme": "sasl",
            "subject": [
                {"identity_type": "x509dname", "name": "CN=me"},
                {"identity_type": "saslUsername", "name": "me"},
            ],
        },
    ),
    (
        IOErrorReasonEvent(DOMAIN, "/a.img", "ide0-0-0", IOErrorAction.REPORT, "enospc", TIME),
        {"source_path": "/a.img", "device": "ide0-0-0", "action": "report", "reason": "enospc"},
    ),
    (ControlErrorEvent(DOMAIN, TIME), {}),
    (
        BlockJobEvent(DOMAIN, "/a.img", BlockJobType.ACTIVE_COMMIT, BlockJobStatus.READY, TIME),
        {"path": "/a.img", "job_type": "active-commit", "status": "ready"},
    ),
    (
        DiskChangeEvent(DOMAIN, "/cd.iso", None, "ide0-1-0", DiskChangeReason(1), TIME),
        {
            "old_source_path": "/cd.iso",
            "new_source_path": None,
            "device": "ide0-1-0",
            "reason": "drop-missing-on-start",
        },
    ),
    (
        TrayChangeEvent(DOMAIN, "ide0-1-0", TrayChangeReason.CLOSE, TIME),
        {"device": "ide0-1-0", "reason": "close"},
    ),
    (PMWakeupEvent(DOMAIN, 0, TIME), {"reason": 0}),
    (PMSuspendEvent(DOMAIN, 0, TIME), {"reason": 0}),
    (BalloonChangeEvent(DOMAIN, 262_144, TIME), {"actual_kib": 262_144}),
    (PMSuspendDiskEvent(DOMAIN, 0, TIME), {"reason": 0}),
    (DeviceRemovedEvent(DOMAIN, "net0", TIME), {"device": "net0"}),
    (
        BlockJob2Event(DOMAIN, "vda", BlockJobType.PULL, BlockJobStatus.COMPLETED, TIME),
        {"target": "vda", "job_type": "pull", "status": "completed"},
    ),
    (TunableEvent(DOMAIN, _PARAMS, TIME), {"params": _PARAMS_JSON}),
    (
        AgentLifecycleEvent(
            DOMAIN, AgentLifecycleState.CONNECTED, AgentLifecycleReason.CHANNEL, TIME
        ),
        {"state": "connected", "reason": "channel"},
    ),
    (DeviceAddedEvent(DOMAIN, "net0", TIME), {"device": "net0"}),
    (MigrationIterationEvent(DOMAIN, 2, TIME), {"iteration": 2}),
    (JobCompletedEvent(DOMAIN, _PARAMS, TIME), {"params": _PARAMS_JSON}),
    (DeviceRemovalFailedEvent(DOMAIN, "net0", TIME), {"device": "net0"}),
    (
        MetadataChangeEvent(DOMAIN, MetadataType.ELEMENT, "http://example.org/ns", TIME),
        {"metadata_type": "element", "namespace_uri": "http://example.org/ns"},
    ),
    (
        BlockThresholdEvent(DOMAIN, "vda", None, 1024, 512, TIME),
        {"device": "vda", "path": None, "threshold_bytes": 1024, "excess_bytes": 512},
    ),
    (
        MemoryFailureEvent(
            DOMAIN,
            MemoryFailureRecipient.GUEST,
            MemoryFailureAction.INJECT,
            MemoryFailureFlags.ACTION_REQUIRED | MemoryFailureFlags.RECURSIVE,
            TIME,
        ),
        {
            "recipient": "guest",
            "action": "inject",
            "flags": ["action-required", "recursive"],
        },
    ),
    (
        MemoryDeviceSizeChangeEvent(DOMAIN, "virtiomem0", 2**63, TIME),
        {"device": "virtiomem0", "size": 2**63},
    ),
)

WIRE_FIELDS: Final = {
    "actual": "actual_kib",
    "alias": "device",
    "authScheme": "auth_scheme",
    "dev": "device",
    "devAlias": "device",
    "dst": "target",
    "excess": "excess_bytes",
    "newSrcPath": "new_source_path",
    "nsuri": "namespace_uri",
    "oldSrcPath": "old_source_path",
    "srcPath": "source_path",
    "threshold": "threshold_bytes",
}
"""How we call the fields that libvirt's protocol calls otherwise (``type``: see ``of_kinds``)."""


def of_kinds(module: str) -> list[DomainEvent]:
    """The samples whose class is defined in *module* of the model."""
    return [event for event, _ in SAMPLES if type(event).__module__ == f"virevents.model.{module}"]
