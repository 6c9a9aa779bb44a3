# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest can do to its machine: one function for each thing QEMU reports.

Each function appends instructions to an `Assembler`. It stands apart from the images
so that each action can be a guest of its own and a letter of the agent as well. All
of them expect ``bp`` to hold the base of the ACPI power management ports and may use
every other register.

Where the numbers come from: the datasheets of the 82371AB (PIIX4), the ICH9 and the
16550 UART; ATA-1; the virtio 0.9.5 draft (legacy interface); QEMU's own
``docs/specs/pvpanic.rst`` and ``docs/specs/acpi_pci_hotplug.rst``. Each action was
seen to give the QMP event that its docstring names with QEMU 7.2.

Immutable: functions and constants only.
"""

from typing import Final

from virevents.testing.guests.assembler import Assembler

__all__ = [
    "ack_balloon",
    "arm_power_button",
    "crash_loaded",
    "debug_exit",
    "eject_pci",
    "hang",
    "panic",
    "poweroff",
    "read_disk",
    "reset_by_keyboard_controller",
    "reset_by_port_cf9",
    "select_pm",
    "set_clock",
    "spin",
    "suspend_to_disk",
    "suspend_to_memory",
    "triple_fault",
    "watchdog_at_once",
    "watchdog_in_two_seconds",
    "write_disk",
    "write_pci",
]

# Offsets of the ACPI power management block (ACPI 1.0, section 4.7.3).
PM1_STATUS: Final = 0
PM1_ENABLE: Final = 2
PM1_CONTROL: Final = 4
POWER_BUTTON: Final = 0x0100  # bit 8 of both PM1_STATUS and PM1_ENABLE

# SLP_EN (bit 13) with SLP_TYP (bits 10 to 12), whose meaning is the machine's: QEMU's.
_SLEEP_S5: Final = 0x2000
_SLEEP_S3: Final = 0x2400
_SLEEP_S4: Final = 0x2800

_PCI_ADDRESS: Final = 0xCF8
_PCI_DATA: Final = 0xCFC

_PVPANIC: Final = 0x505
_IB700_ENABLE: Final = 0x443
_DEBUG_EXIT: Final = 0x501  # the harness gives isa-debug-exit,iobase=0x501
_RTC_INDEX, _RTC_DATA = 0x70, 0x71
_HOTPLUG_EJECT_REQUESTED, _HOTPLUG_EJECT, _HOTPLUG_BUS = 0xAE04, 0xAE08, 0xAE10

_BALLOON_SLOT: Final = 4  # the harness gives virtio-balloon-pci,addr=4
_BALLOON_PORTS: Final = 0xC000  # where this guest maps it; nothing else is mapped
# The device configuration begins at 0x14 while MSI-X is off.
_BALLOON_WANTED, _BALLOON_ACTUAL = _BALLOON_PORTS + 0x14, _BALLOON_PORTS + 0x18

_ATA_DATA, _ATA_STATUS = 0x1F0, 0x1F7
_ATA_READ, _ATA_WRITE = 0x20, 0x30
_ATA_ERROR, _ATA_READY = 0x01, 0x08
_SECTOR_WORDS: Final = 256
_SECTOR_BUFFER: Final = 0x3000


def select_pm(asm: Assembler, offset: int) -> None:
    """Let dx be the port *offset* in the power management block."""
    asm.emit(0x89, 0xEA)  # mov dx, bp
    if offset:
        asm.emit(0x83, 0xC2, offset)  # add dx, offset


def _write_pm(asm: Assembler, offset: int, value: int) -> None:
    select_pm(asm, offset)
    asm.load("ax", value)
    asm.emit(0xEF)


def select_pci(asm: Assembler, slot: int, function: int, register: int) -> None:
    """Point the PCI configuration data ports at a register of a device on bus 0."""
    asm.write_dword(_PCI_ADDRESS, 0x80000000 | slot << 11 | function << 8 | register & 0xFC)


def read_pci_id(asm: Assembler) -> None:
    """Read vendor and device of the host bridge into eax."""
    select_pci(asm, 0, 0, 0)
    asm.read_dword(_PCI_DATA)


def write_pci(asm: Assembler, slot: int, function: int, register: int, value: int) -> None:
    """Write 32 bits into the configuration of a PCI device on bus 0."""
    select_pci(asm, slot, function, register)
    asm.write_dword(_PCI_DATA, value)


def poweroff(asm: Assembler) -> None:
    """Enter S5: SHUTDOWN (guest-shutdown)."""
    _write_pm(asm, PM1_CONTROL, _SLEEP_S5)


def suspend_to_memory(asm: Assembler) -> None:
    """Enter S3: SUSPEND."""
    _write_pm(asm, PM1_CONTROL, _SLEEP_S3)


def suspend_to_disk(asm: Assembler) -> None:
    """Enter S4: SUSPEND_DISK, SHUTDOWN (guest-shutdown)."""
    _write_pm(asm, PM1_CONTROL, _SLEEP_S4)


def arm_power_button(asm: Assembler) -> None:
    """Make the power button set its status bit.

    The stale status goes first: QEMU's ``system_wakeup`` sets the very same bit. Without
    the enable bit QEMU drops the press, though it sends POWERDOWN all the same.
    """
    _write_pm(asm, PM1_STATUS, 0xFFFF)
    _write_pm(asm, PM1_ENABLE, POWER_BUTTON)


def reset_by_port_cf9(asm: Assembler) -> None:
    """Reset by the chipset's reset control register: RESET (guest-reset)."""
    asm.write_byte(0xCF9, 0x02)
    asm.write_byte(0xCF9, 0x06)


def reset_by_keyboard_controller(asm: Assembler) -> None:
    """Reset by pulsing the processor's reset line: RESET (guest-reset)."""
    asm.write_byte(0x64, 0xFE)


def triple_fault(asm: Assembler) -> None:
    """Fault with an empty interrupt table: RESET (guest-reset)."""
    asm.emit(0x2E, 0x0F, 0x01, 0x1E)  # lidt cs:[zeros]: limit 0
    asm.emit_address("zeros")
    asm.emit(0xCC)  # int3


def panic(asm: Assembler) -> None:
    """Tell pvpanic that the guest has panicked: GUEST_PANICKED. Needs ``-device pvpanic``."""
    asm.write_byte(_PVPANIC, 1)


def crash_loaded(asm: Assembler) -> None:
    """Tell pvpanic that a crash kernel took over: GUEST_CRASHLOADED. Needs pvpanic."""
    asm.write_byte(_PVPANIC, 2)


def watchdog_at_once(asm: Assembler) -> None:
    """Arm the ib700 watchdog with no time at all: WATCHDOG. Needs ``-device ib700``."""
    asm.write_byte(_IB700_ENABLE, 0x0F)


def watchdog_in_two_seconds(asm: Assembler) -> None:
    """Arm the ib700 watchdog with two seconds: WATCHDOG. Needs ``-device ib700``."""
    asm.write_byte(_IB700_ENABLE, 0x0E)


def set_clock(asm: Assembler) -> None:
    """Set the year register of the clock: RTC_CHANGE."""
    asm.write_byte(_RTC_INDEX, 0x09)
    asm.write_byte(_RTC_DATA, 0x30)


def debug_exit(asm: Assembler) -> None:
    """End QEMU with status 33 and no event. Needs ``isa-debug-exit,iobase=0x501``."""
    asm.write_byte(_DEBUG_EXIT, 0x10)


def hang(asm: Assembler) -> None:
    """Stay halted with interrupts off, deaf to the power button: no event."""
    asm.halt_for_good()


def spin(asm: Assembler) -> None:
    """Run for ever with interrupts off: no event, a whole host processor."""
    asm.spin_for_good()


def _access_disk(asm: Assembler, command: int) -> None:
    """Address sector 8 of the primary master and wait for data or an error.

    The wait is bounded by cx, so a drive that is missing does not hang the guest.
    """
    name = f"ata{asm.address}"
    settings = ((0x3F6, 2), (0x1F6, 0xE0), (0x1F2, 1), (0x1F3, 8), (0x1F4, 0), (0x1F5, 0))
    for port, value in (*settings, (_ATA_STATUS, command)):
        asm.write_byte(port, value)
    asm.load("cx", 0xFFFF)
    asm.label(name)
    asm.read_byte(_ATA_STATUS)
    asm.emit(0xA8, _ATA_ERROR)  # test al, ERR
    asm.short_jump_if("not zero", name + "over")
    asm.emit(0xA8, _ATA_READY)  # test al, DRQ
    asm.short_jump_if("not zero", name + "data")
    asm.loop(name)
    asm.label(name + "data")
    asm.load("dx", _ATA_DATA)
    asm.load("cx", _SECTOR_WORDS)
    if command == _ATA_WRITE:
        asm.emit(0x31, 0xF6, 0xFC, 0xF3, 0x6F)  # xor si, si; cld; rep outsw
    else:
        asm.load("di", _SECTOR_BUFFER)
        asm.emit(0x31, 0xC0, 0x8E, 0xC0, 0xFC, 0xF3, 0x6D)  # es = 0; cld; rep insw
    asm.label(name + "over")


def write_disk(asm: Assembler) -> None:
    """Write one sector of the first IDE disk: BLOCK_IO_ERROR where blkdebug says so."""
    _access_disk(asm, _ATA_WRITE)


def read_disk(asm: Assembler) -> None:
    """Read one sector of the first IDE disk: BLOCK_IO_ERROR where blkdebug says so."""
    _access_disk(asm, _ATA_READ)


def ack_balloon(asm: Assembler) -> None:
    """Report the wanted balloon size as reached: BALLOON_CHANGE.

    Needs ``virtio-balloon-pci,addr=4,disable-modern=on``.
    """
    write_pci(asm, _BALLOON_SLOT, 0, 0x10, _BALLOON_PORTS)
    write_pci(asm, _BALLOON_SLOT, 0, 0x04, 1)  # decode port accesses
    asm.read_dword(_BALLOON_WANTED)
    asm.load("dx", _BALLOON_ACTUAL)
    asm.write_eax()


def eject_pci(asm: Assembler) -> None:
    """Let go of every PCI device that the host asked back: DEVICE_DELETED."""
    asm.write_dword(_HOTPLUG_BUS, 0)
    asm.read_dword(_HOTPLUG_EJECT_REQUESTED)
    asm.load("dx", _HOTPLUG_EJECT)
    asm.write_eax()
