# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of devices. What libvirt calls each is in the live XML that was recorded from it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.definition.recorded import recorded
from tests.definition.samples import LEAST
from virevents.definition import (
    Balloon,
    BalloonModel,
    Console,
    ConsoleTarget,
    Controller,
    ControllerKind,
    ControllerModel,
    Disk,
    DiskBus,
    DriveAddress,
    FileSource,
    Panic,
    Serial,
    aliases,
    disk_bus,
    drive_address,
    parse_definition,
)
from virevents.definition.tree import Element, parse_tree

# libvirt gives none to a panic device that sits on no bus, nor to graphics and audio.
_TAGS: Final = {
    "disks": "disk",
    "controllers": "controller",
    "interfaces": "interface",
    "serials": "serial",
    "consoles": "console",
    "channels": "channel",
    "inputs": "input",
    "sounds": "sound",
    "videos": "video",
    "redirections": "redirdev",
    "watchdogs": "watchdog",
    "balloon": "memballoon",
    "rngs": "rng",
}
_FILE: Final = FileSource(path="/a")


def _told(root: Element, tag: str) -> tuple[str, ...]:
    devices = next(each for each in root.children if each.tag == "devices")
    found: list[str] = []
    for device in devices.children:
        if device.tag == tag:
            found += [each.attributes["name"] for each in device.children if each.tag == "alias"]
    return tuple(found)


def _disk(
    target: str,
    bus: DiskBus | None = None,
    *,
    alias: str | None = None,
    address: DriveAddress | None = None,
) -> Disk:
    return Disk(target=target, bus=bus, source=_FILE, alias=alias, address=address)


@pytest.mark.parametrize("path", recorded("live"), ids=lambda path: path.stem)
def test_libvirts(path: Path) -> None:
    xml = path.read_text()
    names, root = aliases(parse_definition(xml)), parse_tree(xml)
    assert {field: names[field] for field in _TAGS} == {
        field: _told(root, tag) for field, tag in _TAGS.items()
    }


def test_own_first() -> None:
    definition = replace(
        LEAST,
        disks=(_disk("vda", alias="ua-root"), _disk("vdb")),
        balloon=Balloon(model=BalloonModel.VIRTIO, alias="ua-b"),
        serials=(Serial(alias="ua-s"),),
        consoles=(Console(), Console(target=ConsoleTarget.VIRTIO)),
        panics=(Panic(), Panic(alias="ua-p")),
    )
    names = aliases(definition)
    assert names["disks"] == ("ua-root", "virtio-disk1")
    assert (names["balloon"], names["serials"]) == (("ua-b",), ("ua-s",))
    assert names["consoles"] == ("ua-s", "console1")
    assert names["panics"] == ("panic0", "ua-p")


def test_there_is_a_name_for_each_device() -> None:
    assert all(names == () for names in aliases(LEAST).values())
    counted: Iterable[str] = aliases(LEAST)
    fields = {name for name in LEAST.__slots__ if isinstance(getattr(LEAST, name), tuple)}
    assert fields - set(counted) == {"metadata", "firmware_features", "boot"}


@pytest.mark.parametrize(
    ("disk", "bus", "address"),
    [
        (_disk("hda"), DiskBus.IDE, (0, 0, 0)),
        (_disk("hdd"), DiskBus.IDE, (0, 1, 1)),
        (_disk("sdg"), DiskBus.SCSI, (0, 0, 6)),
        (_disk("sdh"), DiskBus.SCSI, (0, 0, 8)),
        (_disk("sdp"), DiskBus.SCSI, (1, 0, 0)),
        (_disk("sdg", DiskBus.SATA), DiskBus.SATA, (1, 0, 0)),
        (_disk("fdb"), DiskBus.FDC, (0, 0, 1)),
        (_disk("sda", DiskBus.SATA, address=DriveAddress(unit=5)), DiskBus.SATA, (0, 0, 5)),
    ],
)
def test_where_drives_sit(disk: Disk, bus: DiskBus, address: tuple[int, int, int]) -> None:
    at = drive_address(disk)
    assert (disk_bus(disk), at.controller, at.bus, at.unit) == (bus, *address)


@pytest.mark.parametrize(
    ("disk", "name"),
    [
        (_disk("vdaa"), "virtio-disk26"),
        (_disk("sdb", DiskBus.USB), "usb-disk1"),
        (_disk("sdc", DiskBus.SCSI), "scsi0-0-0-2"),
        (_disk("sdp", DiskBus.SCSI), "scsi1-0-0"),
        (_disk("fda"), "fdc0-0-0"),
    ],
)
def test_disks(disk: Disk, name: str) -> None:
    def scsi(index: int, model: ControllerModel | None) -> Controller:
        return Controller(kind=ControllerKind.SCSI, index=index, model=model)

    controllers = (scsi(0, ControllerModel.VIRTIO_SCSI), scsi(1, ControllerModel.LSILOGIC))
    assert aliases(replace(LEAST, disks=(disk,), controllers=controllers))["disks"] == (name,)


@pytest.mark.parametrize(
    ("kind", "machine", "names"),
    [
        (ControllerKind.IDE, "pc", ("ide", "ide1")),
        (ControllerKind.IDE, "q35", ("ide0", "ide1")),
        (ControllerKind.SATA, "pc-q35-7.2", ("ide", "sata1")),
        (ControllerKind.SATA, None, ("sata0", "sata1")),
        (ControllerKind.USB, None, ("usb", "usb1")),
        (ControllerKind.PCI, None, ("pci.0", "pci.1")),
        (ControllerKind.FDC, None, ("fdc0", "fdc1")),
    ],
)
def test_controllers(kind: ControllerKind, machine: str | None, names: tuple[str, str]) -> None:
    controllers = tuple(Controller(kind=kind, index=index) for index in (0, 1))
    definition = replace(LEAST, machine=machine, controllers=controllers)
    assert aliases(definition)["controllers"] == names
