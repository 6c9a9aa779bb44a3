# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names of a definition's devices while it runs (libvirt's "aliases").

They stand apart because several must agree on them: the driver calls QEMU's devices so, events
name devices so, and the live XML shows them. The names are libvirt's.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_aliases.py``:
    libvirts    each name is what libvirt calls the same device of the same domain
    own_first   a name that the user gave is the device's name
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from virevents.definition.addresses import DriveAddress
from virevents.definition.characters import Console, ConsoleTarget
from virevents.definition.controllers import Controller, ControllerKind, ControllerModel
from virevents.definition.devices import Device
from virevents.definition.disks import Disk, DiskBus
from virevents.definition.domain import DomainDefinition

__all__ = ["aliases", "disk_bus", "drive_address"]

_BUS_OF: Final[Mapping[str, DiskBus]] = {
    "hd": DiskBus.IDE,
    "sd": DiskBus.SCSI,
    "vd": DiskBus.VIRTIO,
    "fd": DiskBus.FDC,
}
_COUNTED: Final[Mapping[str, str]] = {
    "interfaces": "net",
    "serials": "serial",
    "channels": "channel",
    "inputs": "input",
    "tpms": "tpm",
    "graphics": "graphics",
    "sounds": "sound",
    "audios": "audio",
    "videos": "video",
    "redirections": "redir",
    "watchdogs": "watchdog",
    "rngs": "rng",
    "panics": "panic",
}
_UNITS: Final[Mapping[DiskBus, int]] = {DiskBus.SATA: 6, DiskBus.FDC: 2}
_SCSI_UNITS: Final = 15  # of 16: unit 7 is the controller itself
_SCSI_SELF: Final = 7


def aliases(definition: DomainDefinition) -> Mapping[str, tuple[str, ...]]:
    """The names of the devices, by the field of the definition that holds them, in its order.

    ``aliases(definition)["disks"][0]`` is the name of ``definition.disks[0]``.
    """
    lsilogic = {
        each.index
        for each in definition.controllers
        if each.kind is ControllerKind.SCSI and each.model in _LSILOGIC
    }
    found = {
        "disks": tuple(each.alias or _disk(each, lsilogic) for each in definition.disks),
        "controllers": tuple(
            each.alias or _controller(definition, each) for each in definition.controllers
        ),
        "consoles": _consoles(definition),
        "balloon": () if definition.balloon is None else (definition.balloon.alias or "balloon0",),
    }
    for name, stem in _COUNTED.items():
        devices: Iterable[object] = getattr(definition, name)
        found[name] = tuple(
            (each.alias if isinstance(each, Device) else None) or f"{stem}{count}"
            for count, each in enumerate(devices)
        )
    return found


def disk_bus(disk: Disk) -> DiskBus:
    """The bus of *disk*: as stated, or by the first letters of its target, as libvirt has it."""
    return disk.bus or _BUS_OF[disk.target[:2]]


def drive_address(disk: Disk) -> DriveAddress:
    """Where *disk* sits on a controller: as stated, or by its target, as libvirt has it."""
    if isinstance(disk.address, DriveAddress):
        return disk.address
    number, bus = _number(disk.target), disk_bus(disk)
    if bus is DiskBus.IDE:
        return DriveAddress(controller=number // 4, bus=number % 4 // 2, unit=number % 2)
    if bus is DiskBus.SCSI:
        unit = number % _SCSI_UNITS
        return DriveAddress(
            controller=number // _SCSI_UNITS, unit=unit + 1 if unit >= _SCSI_SELF else unit
        )
    units = _UNITS.get(bus, 1)
    return DriveAddress(controller=number // units, unit=number % units)


def _number(target: str) -> int:
    """0 for vda, 25 for vdz, 26 for vdaa."""
    number = 0
    for letter in target[2:]:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def _disk(disk: Disk, lsilogic: AbstractSet[int]) -> str:
    bus = disk_bus(disk)
    if bus in {DiskBus.VIRTIO, DiskBus.USB}:
        return f"{bus}-disk{_number(disk.target)}"
    at = drive_address(disk)
    if bus is DiskBus.SCSI and at.controller not in lsilogic:
        return f"{bus}{at.controller}-{at.bus}-{at.target}-{at.unit}"
    return f"{bus}{at.controller}-{at.bus}-{at.unit}"


_LSILOGIC: Final = frozenset({None, ControllerModel.LSILOGIC})


def _controller(definition: DomainDefinition, controller: Controller) -> str:
    own = _CONTROLLERS.get(controller.kind)
    name = None if own is None else own(definition, controller)
    return name or f"{controller.kind}{controller.index}"


def _pci(definition: DomainDefinition, controller: Controller) -> str:
    del definition
    if controller.model is ControllerModel.PCIE_ROOT:
        return f"pcie.{controller.index}"
    return f"pci.{controller.index}"


def _usb(definition: DomainDefinition, controller: Controller) -> str | None:
    del definition
    return None if controller.index else "usb"


def _ide(definition: DomainDefinition, controller: Controller) -> str | None:
    """The one that the machine has on its board."""
    is_q35 = "q35" in (definition.machine or "")
    has_it = ControllerKind.SATA if is_q35 else ControllerKind.IDE
    return "ide" if controller.kind is has_it and not controller.index else None


_CONTROLLERS: Final[
    Mapping[ControllerKind, Callable[[DomainDefinition, Controller], str | None]]
] = {
    ControllerKind.PCI: _pci,
    ControllerKind.USB: _usb,
    ControllerKind.IDE: _ide,
    ControllerKind.SATA: _ide,
}


def _consoles(definition: DomainDefinition) -> tuple[str, ...]:
    """The first console on a serial port is that port."""
    serials = definition.serials
    found: list[str] = []
    for count, each in enumerate(definition.consoles):
        name = each.alias
        if name is None and count == 0 and _is_serial(each):
            name = (serials[0].alias if serials else None) or "serial0"
        found.append(name or f"console{count}")
    return tuple(found)


def _is_serial(console: Console) -> bool:
    return console.target in {None, ConsoleTarget.SERIAL}
