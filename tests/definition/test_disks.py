# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks, CD-ROMs and floppies."""

import pytest

from tests.definition.samples import least_xml
from virevents.definition import (
    BlockSource,
    Disk,
    DiskBus,
    DiskDevice,
    DiskFormat,
    FileSource,
    parse_definition,
)
from virevents.errors import DefinitionError

_CHAIN = (
    "<backingStore type='file'{}><format type='qcow2'/><source file='/base'/>"
    "<backingStore/></backingStore>"
)


def _read(xml: str) -> Disk:
    return parse_definition(least_xml(more=f"<devices>\n{xml}\n</devices>")).disks[0]


def test_a_file_of_raw_bytes_is_the_default() -> None:
    disk = _read("<disk><source file='/a b,c'/><target dev='vda'/></disk>")
    assert disk == Disk(target="vda", source=FileSource(path="/a b,c"))
    assert (disk.device, disk.format, disk.bus) == (DiskDevice.DISK, DiskFormat.RAW, None)


def test_a_block_device() -> None:
    disk = _read("<disk type='block'><source dev='/dev/sdx'/><target dev='sdb' bus='scsi'/></disk>")
    assert (disk.source, disk.bus) == (BlockSource(path="/dev/sdx"), DiskBus.SCSI)


@pytest.mark.parametrize("device", ["cdrom", "floppy"])
def test_a_drive_may_be_empty(device: str) -> None:
    assert _read(f"<disk device='{device}'><target dev='sda'/></disk>").source.path is None


def test_a_disk_has_an_image() -> None:
    with pytest.raises(DefinitionError, match="<source>: expected the image of the disk, met none"):
        Disk(target="vda")
    with pytest.raises(DefinitionError, match="line 7: <source>: expected the image"):
        _read("<disk><target dev='vda'/></disk>")


def test_the_images_behind_it_are_told() -> None:
    disk = _read(
        "<disk><source file='/a' index='2'/>"
        + _CHAIN.format(" index='3'")
        + "<target dev='vda' tray='closed'/></disk>"
    )
    assert disk == Disk(target="vda", source=FileSource(path="/a"))


@pytest.mark.parametrize("index", ["", " id='3'"])
def test_the_images_behind_it_are_not_set_here(index: str) -> None:
    with pytest.raises(DefinitionError, match=r"line 7: <.*backingStore"):
        _read(f"<disk><source file='/a'/>{_CHAIN.format(index)}<target dev='vda'/></disk>")


@pytest.mark.parametrize("target", ["vda,x", "xvda", "vd", "vd1", "VDA", "vdaaaa"])
def test_targets(target: str) -> None:
    with pytest.raises(DefinitionError, match="<target@dev>: expected a name as vda"):
        Disk(target=target, source=FileSource(path="/a"))
