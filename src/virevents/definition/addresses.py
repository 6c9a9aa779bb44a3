# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a device sits: the address elements.

They stand apart because every device may have one. An address that is not stated is not made up
here: the hypervisor finds a free place.

Immutable.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from virevents.definition.facts import Facts, at
from virevents.definition.kinds import NUMBER, ON_OFF, Hexadecimal, Pattern

__all__ = [
    "ADDRESSES",
    "Address",
    "DriveAddress",
    "IsaAddress",
    "PciAddress",
    "UsbAddress",
    "VirtioSerialAddress",
]

_BYTE: Final = Hexadecimal(0xFF, 2)
_WIDE: Final = Hexadecimal(0xFFFF, 4)
_SLOT: Final = Hexadecimal(0x1F, 2)
_FUNCTION: Final = Hexadecimal(7, 1)
_USB_PORT: Final = Pattern("ports as 1 or 1.2", r"[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Facts):
    """The base of all addresses."""

    IS_REFUSAL: ClassVar[bool] = True
    TAG: ClassVar[str] = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class PciAddress(Address):
    """A place on a PCI bus; the bus is the PCI controller of that index."""

    domain: int = field(default=0, metadata=at("@domain", _WIDE, "PCI domain; QEMU has one, 0"))
    bus: int = field(default=0, metadata=at("@bus", _BYTE, "index of the PCI controller"))
    slot: int = field(default=0, metadata=at("@slot", _SLOT, "slot on the bus"))
    function: int = field(default=0, metadata=at("@function", _FUNCTION, "function of the slot"))
    multifunction: bool | None = field(
        default=None,
        metadata=at("@multifunction", ON_OFF, "whether the slot's other functions are used"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveAddress(Address):
    """A disk's place on a disk controller."""

    controller: int = field(
        default=0, metadata=at("@controller", NUMBER, "index of the controller")
    )
    bus: int = field(default=0, metadata=at("@bus", NUMBER, "bus of the controller"))
    target: int = field(default=0, metadata=at("@target", NUMBER, "SCSI target"))
    unit: int = field(default=0, metadata=at("@unit", NUMBER, "unit on the bus"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtioSerialAddress(Address):
    """A channel's or console's place on a virtio-serial controller."""

    controller: int = field(
        default=0, metadata=at("@controller", NUMBER, "index of the controller")
    )
    bus: int = field(default=0, metadata=at("@bus", NUMBER, "bus of the controller"))
    port: int | None = field(
        default=None, metadata=at("@port", NUMBER, "port of the bus; none: the next one")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbAddress(Address):
    """A place on a USB bus."""

    bus: int = field(default=0, metadata=at("@bus", NUMBER, "index of the USB controller"))
    port: str | None = field(
        default=None, metadata=at("@port", _USB_PORT, "ports from the root; none: a free one")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IsaAddress(Address):
    """Ports and interrupt of an ISA device."""

    iobase: int | None = field(default=None, metadata=at("@iobase", _WIDE, "first I/O port"))
    irq: int | None = field(default=None, metadata=at("@irq", _BYTE, "interrupt"))


ADDRESSES: Final = {
    "pci": PciAddress,
    "drive": DriveAddress,
    "virtio-serial": VirtioSerialAddress,
    "usb": UsbAddress,
    "isa": IsaAddress,
}
"""The classes by ``<address type=...>``."""
