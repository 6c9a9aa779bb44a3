# SPDX-License-Identifier: LGPL-2.1-or-later
import re
from dataclasses import replace

from hypothesis import given, settings

from tests.definition.strategies import definitions
from tests.drivers.qemu.arguments.emulator import DEFINITION
from virevents.definition import (
    Channel,
    Disk,
    DiskBus,
    DiskDevice,
    DomainDefinition,
    FileSource,
    PtyEnd,
    aliases,
)
from virevents.drivers.qemu.arguments.drives import (
    describe_channel,
    describe_disk,
    format_node,
    storage_node,
)

# QEMU's rule for ids and names of nodes, and how long a node's may be.
WELL_FORMED = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)
NODE_MAX = 31

DISKS = replace(
    DEFINITION,
    disks=(
        Disk(target="vda", source=FileSource(path="/a")),
        Disk(target="sdb", bus=DiskBus.SATA, source=FileSource(path="/b"), alias="ua-mine"),
        Disk(target="hdc", device=DiskDevice.CDROM),
    ),
)


def test_both_ways() -> None:
    for name in ("virtio-disk0", "disk0-format", "disk0-storage"):
        assert describe_disk(DISKS, name) == ("/a", "virtio-disk0")
    for name in ("ua-mine", "/machine/peripheral/ua-mine", "disk1-format"):
        assert describe_disk(DISKS, name) == ("/b", "ua-mine")
    assert describe_disk(DISKS, "/machine/peripheral/virtio-disk0/virtio-backend") == (
        "/a",
        "virtio-disk0",
    )
    assert describe_disk(DISKS, "ide0-1-0") == ("", "ide0-1-0")
    assert describe_disk(DISKS, "sata0-0-1") is None
    assert describe_disk(DISKS, "") is None


@settings(deadline=None, max_examples=50)
@given(definitions())
def test_fit_for_qemu(definition: DomainDefinition) -> None:
    for names in aliases(definition).values():
        assert all(WELL_FORMED.fullmatch(name) for name in names)
    for position in (0, 99_999):
        for node in (storage_node(position), format_node(position)):
            assert WELL_FORMED.fullmatch(node)
            assert len(node) <= NODE_MAX


def test_channels() -> None:
    channels = (Channel(end=PtyEnd(), name="org.x.0"), Channel(end=PtyEnd()))
    definition = replace(DEFINITION, channels=channels)
    assert describe_channel(definition, "channel0") == "org.x.0"
    assert describe_channel(definition, "channel1") == ""
    assert describe_channel(definition, "channel2") is None
