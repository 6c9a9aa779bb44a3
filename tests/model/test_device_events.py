# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of the device: their fields are those of libvirt's protocol, in its order."""

import pytest

from tests.model.libvirt_table import LIBVIRT, members, shown_names
from tests.model.samples import WIRE_FIELDS, of_kinds
from virevents.model import (
    BlockJobStatus,
    BlockJobType,
    DiskChangeReason,
    DomainEvent,
    IOErrorAction,
    TrayChangeReason,
    WireEnum,
    field_names,
)


@pytest.mark.parametrize("event", of_kinds("device_events"), ids=lambda event: event.event_id.word)
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
        (IOErrorAction, "virDomainEventIOErrorAction", "VIR_DOMAIN_EVENT_IO_ERROR_"),
        (BlockJobType, "virDomainBlockJobType", "VIR_DOMAIN_BLOCK_JOB_TYPE_"),
        (BlockJobStatus, "virConnectDomainEventBlockJobStatus", "VIR_DOMAIN_BLOCK_JOB_"),
        (TrayChangeReason, "virDomainEventTrayChangeReason", "VIR_DOMAIN_EVENT_TRAY_CHANGE_"),
    ],
)
def test_enumerations(ours: type[WireEnum], theirs: str, prefix: str) -> None:
    assert members(ours) == shown_names(theirs, prefix)


def test_disk_change_reasons() -> None:
    theirs = shown_names("virConnectDomainEventDiskChangeReason", "VIR_DOMAIN_EVENT_DISK_")
    assert members(DiskChangeReason) == {
        name.removeprefix("CHANGE_"): number for name, number in theirs.items()
    }
