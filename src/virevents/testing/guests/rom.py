# SPDX-License-Identifier: LGPL-2.1-or-later
"""The 64 KiB image that QEMU runs in the place of a BIOS: set up the machine, then act.

A guest of this form needs no disk, no kernel and no SeaBIOS: about 30 ms from starting
QEMU to a usable monitor, and about a millisecond from ``cont`` to its first action.

What the firmware would have done and we must (each found by its absence):

- The base of the ACPI ports is not set: both known host bridges are told 0x600.
- The local APIC comes up with LVT0 masked, so no interrupt of the PIC wakes ``hlt``.
- ACPI's interrupt is level triggered: its handler returns with interrupts off, since
  the cause stands until the main loop has read it; otherwise it storms.

Immutable: functions and constants only.
"""

import struct
from collections.abc import Callable
from typing import Final

from virevents.testing.guests import hardware
from virevents.testing.guests.assembler import Assembler

__all__ = ["Body", "build_rom"]

Body = Callable[[Assembler], None]
"""Appends what one guest does; it begins with interrupts off and must never end."""

_SIZE: Final = 0x10000
_RESET_VECTOR: Final = 0xFFF0  # the processor starts at F000:FFF0
_SEGMENT: Final = 0xF000
_PM_BASE: Final = 0x600
_I440FX: Final = 0x12378086  # device and vendor of the host bridge of ``-machine pc``


def build_rom(body: Body) -> bytes:
    """The image of a guest that sets the machine up and then runs *body*."""
    asm = Assembler()
    _set_registers(asm)
    _set_power_management(asm)
    _set_interrupts(asm)
    _unmask_apic(asm)
    body(asm)
    _append_data(asm)
    image = bytearray(b"\xff" * _SIZE)
    code = asm.assemble()
    image[: len(code)] = code
    image[_RESET_VECTOR : _RESET_VECTOR + 5] = b"\xea" + struct.pack("<HH", 0, _SEGMENT)
    return bytes(image)


def _set_registers(asm: Assembler) -> None:
    # Interrupts off, strings upwards, and every data segment at 0.
    asm.emit(0xFA, 0xFC, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xC0, 0x8E, 0xD0)
    asm.load("sp", 0x2000)


def _set_power_management(asm: Assembler) -> None:
    """Map the ACPI ports at the same base on pc (PIIX4) and q35 (ICH9)."""
    hardware.read_pci_id(asm)
    asm.emit(0x66, 0x3D, struct.pack("<I", _I440FX))  # cmp eax, i440fx
    asm.jump_if("not zero", "q35")
    hardware.write_pci(asm, 1, 3, 0x40, _PM_BASE | 1)
    hardware.write_pci(asm, 1, 3, 0x80, 0x01)
    asm.jump("mapped")
    asm.label("q35")
    hardware.write_pci(asm, 0x1F, 0, 0x40, _PM_BASE | 1)
    hardware.write_pci(asm, 0x1F, 0, 0x44, 0x80)
    asm.label("mapped")
    asm.load("bp", _PM_BASE)


def _set_interrupts(asm: Assembler) -> None:
    """Point every vector at one handler, and let serial line 1 and ACPI (IRQ 9) through."""
    asm.emit(0x31, 0xFF)  # di = 0
    asm.load("cx", 256)
    asm.label("vector")
    asm.emit(0xC7, 0x05)  # mov word [di], interrupt
    asm.emit_address("interrupt")
    asm.emit(0xC7, 0x45, 0x02, struct.pack("<H", _SEGMENT))
    asm.emit(0x83, 0xC7, 0x04)
    asm.loop("vector")
    initialisation = ((0x20, 0x11), (0xA0, 0x11), (0x21, 0x08), (0xA1, 0x70))
    cascade = ((0x21, 0x04), (0xA1, 0x02), (0x21, 0x01), (0xA1, 0x01))
    masks = ((0x21, 0xEB), (0xA1, 0xFD))  # open: 2 (cascade), 4 (serial), 9 (ACPI)
    for port, value in (*initialisation, *cascade, *masks):
        asm.write_byte(port, value)
    asm.write_byte(0x4D1, 0x02)  # IRQ 9 is level triggered


def _unmask_apic(asm: Assembler) -> None:
    """Enable the local APIC and let the PIC through it (LVT0 = ExtINT).

    Its registers lie above 1 MiB: a visit to protected mode gives es a flat limit
    ("unreal mode"), which ends when es is loaded again.
    """
    asm.emit(0x2E, 0x0F, 0x01, 0x16)  # lgdt cs:[descriptors]
    asm.emit_address("descriptors")
    asm.emit(0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0)  # cr0 |= 1
    asm.load("bx", 8)
    asm.emit(0x8E, 0xC3, 0x24, 0xFE, 0x0F, 0x22, 0xC0)  # es = 8; cr0 &= ~1
    for address, value in ((0xFEE000F0, 0x1FF), (0xFEE00350, 0x700)):
        asm.emit(0x26, 0x67, 0x66, 0xC7, 0x05, struct.pack("<II", address, value))
    asm.emit(0x31, 0xC0, 0x8E, 0xC0)  # es = 0


def _append_data(asm: Assembler) -> None:
    asm.label("descriptors")
    asm.emit(struct.pack("<HI", 15, (_SEGMENT << 4) + asm.address + 6))
    asm.emit(struct.pack("<QQ", 0, 0x00CF92000000FFFF))
    asm.label("interrupt")
    # Clear IF in the saved flags, then tell both PICs that the interrupt is over.
    asm.emit(0x55, 0x89, 0xE5, 0x81, 0x66, 0x06, 0xFF, 0xFD, 0x5D)
    asm.emit(0x50, 0xB0, 0x20, 0xE6, 0xA0, 0xE6, 0x20, 0x58, 0xCF)
    asm.label("zeros")
    asm.emit(bytes(6))
