# SPDX-License-Identifier: LGPL-2.1-or-later
"""USB: which devices are on it, and how they say so to QEMU.

It stands apart because devices of five kinds may be on USB, and the controllers must know of all.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_usb.py``:
    every_device   each device that is on USB names a bus that there is
"""

from collections.abc import Iterator, Mapping

from virevents.definition import (
    AnyAddress,
    DiskBus,
    DomainDefinition,
    Input,
    InputBus,
    InputKind,
    SerialTarget,
    SoundModel,
    UsbAddress,
    disk_bus,
)
from virevents.drivers.qemu.arguments.pieces import check_address
from virevents.model import Json

__all__ = ["input_bus", "on_usb", "usb_controller", "usb_indexes"]


def usb_controller(index: int) -> str:
    """The id of USB controller *index*; its bus is called so with ".0" behind it."""
    return "usb" if index == 0 else f"usb{index}"


def on_usb(address: AnyAddress | None) -> Mapping[str, Json]:
    """What a device on USB says of its place.

    Raises:
        UnsupportedDefinitionError: Its address is of another kind.
    """
    check_address(address, UsbAddress)
    if not isinstance(address, UsbAddress):
        return {"bus": f"{usb_controller(0)}.0"}
    return {"bus": f"{usb_controller(address.bus)}.0", "port": address.port}


def input_bus(device: Input) -> InputBus:
    """What an input device is plugged into; where nothing says, a tablet is on USB."""
    if device.bus is not None:
        return device.bus
    return InputBus.USB if device.kind is InputKind.TABLET else InputBus.PS2


def usb_indexes(definition: DomainDefinition) -> Iterator[int]:
    """The index of the USB controller of each device that is on USB."""
    for address in _addresses(definition):
        yield address.bus if isinstance(address, UsbAddress) else 0


def _addresses(definition: DomainDefinition) -> Iterator[AnyAddress | None]:
    yield from (disk.address for disk in definition.disks if disk_bus(disk) is DiskBus.USB)
    yield from (device.address for device in definition.inputs if input_bus(device) is InputBus.USB)
    yield from (
        serial.address for serial in definition.serials if serial.target is SerialTarget.USB
    )
    yield from (sound.address for sound in definition.sounds if sound.model is SoundModel.USB)
    yield from (redirection.address for redirection in definition.redirections)
