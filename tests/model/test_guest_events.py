# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of the guest: their fields are those of libvirt's protocol, in its order."""

import pytest

from tests.model.libvirt_table import LIBVIRT, members, shown_names
from tests.model.samples import WIRE_FIELDS, of_kinds
from virevents.model import (
    AgentLifecycleReason,
    AgentLifecycleState,
    DomainEvent,
    GraphicsAddressFamily,
    GraphicsPhase,
    MemoryFailureAction,
    MemoryFailureRecipient,
    MetadataType,
    WatchdogAction,
    WireEnum,
    field_names,
)


@pytest.mark.parametrize("event", of_kinds("guest_events"), ids=lambda event: event.event_id.word)
def test_fields(event: DomainEvent) -> None:
    wire_id = event.event_id.name.replace("PM_", "PM")
    wire = LIBVIRT["event_fields"][f"VIR_DOMAIN_EVENT_ID_{wire_id}"]
    renamed = [WIRE_FIELDS.get(name, name) for name in wire]
    types = {"MetadataChangeEvent": "metadata_type"}
    what = types.get(type(event).__name__, "job_type")
    expected = [what if name == "type" else name for name in renamed]
    assert list(field_names(type(event))) == ["domain", *expected, "time", "sequence"]


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (WatchdogAction, "virDomainEventWatchdogAction", "VIR_DOMAIN_EVENT_WATCHDOG_"),
        (GraphicsPhase, "virDomainEventGraphicsPhase", "VIR_DOMAIN_EVENT_GRAPHICS_"),
        (
            GraphicsAddressFamily,
            "virDomainEventGraphicsAddressType",
            "VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_",
        ),
        (
            AgentLifecycleState,
            "virConnectDomainEventAgentLifecycleState",
            "VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_",
        ),
        (
            AgentLifecycleReason,
            "virConnectDomainEventAgentLifecycleReason",
            "VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_",
        ),
        (MetadataType, "virDomainMetadataType", "VIR_DOMAIN_METADATA_"),
        (
            MemoryFailureRecipient,
            "virDomainMemoryFailureRecipientType",
            "VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_",
        ),
        (
            MemoryFailureAction,
            "virDomainMemoryFailureActionType",
            "VIR_DOMAIN_EVENT_MEMORY_FAILURE_ACTION_",
        ),
    ],
)
def test_enumerations(ours: type[WireEnum], theirs: str, prefix: str) -> None:
    assert members(ours) == shown_names(theirs, prefix)
