# SPDX-License-Identifier: LGPL-2.1-or-later
"""USB: which devices are on it, and which port each has.

It stands apart because devices of five kinds may be on USB, and each needs a port that none of
the others has: QEMU would give away ports as it goes, also one that a later device states.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_usb.py``:
    every_device   each device that is on USB has a bus that there is, and a port of its own
    stated_first   a port that the definition states is never given to another device
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from virevents.definition import (
    AnyAddress,
    ControllerKind,
    ControllerModel,
    DiskBus,
    DomainDefinition,
    Input,
    InputBus,
    InputKind,
    SerialTarget,
    SoundModel,
    UsbAddress,
    aliases,
    disk_bus,
)
from virevents.drivers.qemu.arguments.mainboards import is_express
from virevents.drivers.qemu.arguments.pieces import check_address
from virevents.model import Json

__all__ = ["default_usb", "input_bus", "on_usb", "usb_controller", "usb_indexes"]

_XHCI_PORTS: Final = 4
_EHCI_PORTS: Final = 6
_UHCI_PORTS: Final = 2
_PORTS: Final[Mapping[ControllerModel, int]] = {
    ControllerModel.QEMU_XHCI: _XHCI_PORTS,
    ControllerModel.NEC_XHCI: _XHCI_PORTS,
    ControllerModel.EHCI: _EHCI_PORTS,
    ControllerModel.ICH9_EHCI1: _EHCI_PORTS,
}


@dataclass(frozen=True, slots=True)
class _UsbDevice:
    alias: str
    address: AnyAddress | None

    @property
    def bus(self) -> int:
        return self.address.bus if isinstance(self.address, UsbAddress) else 0

    @property
    def port(self) -> str | None:
        return self.address.port if isinstance(self.address, UsbAddress) else None


def usb_controller(index: int) -> str:
    """The id of USB controller *index*; its bus is called so with ".0" behind it."""
    return "usb" if index == 0 else f"usb{index}"


def default_usb(*, express: bool) -> ControllerModel:
    """The USB controller of a mainboard where the definition states none."""
    return ControllerModel.QEMU_XHCI if express else ControllerModel.PIIX3_UHCI


def on_usb(definition: DomainDefinition, alias: str, address: AnyAddress | None) -> dict[str, Json]:
    """What the device called *alias* says of its place on USB.

    Raises:
        UnsupportedDefinitionError: Its address is of another kind.
    """
    check_address(address, UsbAddress)
    device = _UsbDevice(alias, address)
    port = device.port or _ports(definition).get(alias)
    return {"bus": f"{usb_controller(device.bus)}.0", "port": port}


def input_bus(device: Input) -> InputBus:
    """What an input device is plugged into; where nothing says, a tablet is on USB."""
    if device.bus is not None:
        return device.bus
    return InputBus.USB if device.kind is InputKind.TABLET else InputBus.PS2


def usb_indexes(definition: DomainDefinition) -> Iterator[int]:
    """The index of the USB controller of each device that is on USB."""
    return (device.bus for device in _devices(definition))


def _ports(definition: DomainDefinition) -> dict[str, str]:
    """The ports of the devices that state none; whoever finds none is left to QEMU's hub."""
    devices = list(_devices(definition))
    taken = {(device.bus, device.port) for device in devices}
    found: dict[str, str] = {}
    for device in devices:
        if device.port is not None:
            continue
        ports = map(str, range(1, _count(definition, device.bus) + 1))
        free = next((port for port in ports if (device.bus, port) not in taken), None)
        if free is not None:
            taken.add((device.bus, free))
            found[device.alias] = free
    return found


def _count(definition: DomainDefinition, index: int) -> int:
    """How many ports of its own a controller has."""
    for each in definition.controllers:
        if each.kind is ControllerKind.USB and each.index == index and each.master_port is None:
            model = each.model or default_usb(express=is_express(definition))
            return each.ports or _PORTS.get(model, _UHCI_PORTS)
    return _PORTS.get(default_usb(express=is_express(definition)), _UHCI_PORTS)


def _devices(definition: DomainDefinition) -> Iterator[_UsbDevice]:
    names = aliases(definition)
    for disk, alias in zip(definition.disks, names["disks"], strict=True):
        if disk_bus(disk) is DiskBus.USB:
            yield _UsbDevice(alias, disk.address)
    for device, alias in zip(definition.inputs, names["inputs"], strict=True):
        if input_bus(device) is InputBus.USB:
            yield _UsbDevice(alias, device.address)
    yield from _lines_and_sounds(definition, names)


def _lines_and_sounds(
    definition: DomainDefinition, names: Mapping[str, tuple[str, ...]]
) -> Iterator[_UsbDevice]:
    for serial, alias in zip(definition.serials, names["serials"], strict=True):
        if serial.target is SerialTarget.USB:
            yield _UsbDevice(alias, serial.address)
    for sound, alias in zip(definition.sounds, names["sounds"], strict=True):
        if sound.model is SoundModel.USB:
            yield _UsbDevice(alias, sound.address)
    for redirection, alias in zip(definition.redirections, names["redirections"], strict=True):
        yield _UsbDevice(alias, redirection.address)
