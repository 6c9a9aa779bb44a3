# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test guest by name, with the QEMU arguments it needs and the events it makes.

Most guests do one thing as soon as they run. The agent waits for single letters on the
first serial line and does what the letter says, so one image makes every event on
demand; it says "R" when it is up and echoes each letter before it acts.

Immutable: images are built once, when first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from virevents.testing.guests import hardware
from virevents.testing.guests.assembler import Assembler
from virevents.testing.guests.rom import Body, build_rom

__all__ = ["AGENT_READY", "GUESTS", "AgentCommand", "Guest"]

AGENT_READY: Final = b"R"
"""What the agent says on its serial line when it listens."""

_COM1: Final = 0x3F8
_COM1_INTERRUPTS, _COM1_MODEM, _COM1_STATUS = _COM1 + 1, _COM1 + 4, _COM1 + 5


class AgentCommand(StrEnum):
    """What the guest "rom-agent" does when it reads the letter."""

    POWEROFF = "p"
    SUSPEND_TO_MEMORY = "s"
    SUSPEND_TO_DISK = "d"
    RESET = "r"
    RESET_BY_KEYBOARD_CONTROLLER = "k"
    TRIPLE_FAULT = "t"
    PANIC = "c"
    CRASH_LOADED = "l"
    WATCHDOG_AT_ONCE = "w"
    WATCHDOG_IN_TWO_SECONDS = "v"
    SET_CLOCK = "x"
    WRITE_DISK = "b"
    READ_DISK = "B"
    ACK_BALLOON = "m"
    EJECT_PCI = "e"
    DEBUG_EXIT = "q"
    HANG = "h"
    SPIN = "f"


_ACTIONS: Final[Mapping[AgentCommand, Body]] = {
    AgentCommand.POWEROFF: hardware.poweroff,
    AgentCommand.SUSPEND_TO_MEMORY: hardware.suspend_to_memory,
    AgentCommand.SUSPEND_TO_DISK: hardware.suspend_to_disk,
    AgentCommand.RESET: hardware.reset_by_port_cf9,
    AgentCommand.RESET_BY_KEYBOARD_CONTROLLER: hardware.reset_by_keyboard_controller,
    AgentCommand.TRIPLE_FAULT: hardware.triple_fault,
    AgentCommand.PANIC: hardware.panic,
    AgentCommand.CRASH_LOADED: hardware.crash_loaded,
    AgentCommand.WATCHDOG_AT_ONCE: hardware.watchdog_at_once,
    AgentCommand.WATCHDOG_IN_TWO_SECONDS: hardware.watchdog_in_two_seconds,
    AgentCommand.SET_CLOCK: hardware.set_clock,
    AgentCommand.WRITE_DISK: hardware.write_disk,
    AgentCommand.READ_DISK: hardware.read_disk,
    AgentCommand.ACK_BALLOON: hardware.ack_balloon,
    AgentCommand.EJECT_PCI: hardware.eject_pci,
    AgentCommand.DEBUG_EXIT: hardware.debug_exit,
    AgentCommand.HANG: hardware.hang,
    AgentCommand.SPIN: hardware.spin,
}


@dataclass(frozen=True, slots=True)
class Guest:
    """A test guest: give its `image` to QEMU as ``-bios``, with its `arguments`.

    Attributes:
        name: Its name, "rom-poweroff" for one.
        events: The QMP events it makes by itself after ``cont``, in order.
        arguments: The further QEMU arguments without which it makes none.
        ends: Whether QEMU then exits by itself.
    """

    name: str
    body: Body
    events: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    ends: bool = False

    @property
    def image(self) -> bytes:
        """The 64 KiB image, the same bytes every time."""
        return _build_once(self.body)

    def write(self, directory: Path) -> Path:
        """Write the image into *directory* as NAME.bin and return its path."""
        path = directory / f"{self.name}.bin"
        path.write_bytes(self.image)
        return path


@cache
def _build_once(body: Body) -> bytes:
    return build_rom(body)


def _halting(action: Body) -> Body:
    def body(asm: Assembler) -> None:
        action(asm)
        asm.halt_for_good()

    return body


def _test_power_button(asm: Assembler) -> None:
    """Clear the zero flag if the power button was pressed."""
    hardware.select_pm(asm, hardware.PM1_STATUS)
    asm.emit(0xED)  # in ax, dx
    asm.emit(0xF6, 0xC4, hardware.POWER_BUTTON >> 8)  # test ah, 1


def _button(asm: Assembler) -> None:
    """Sleep until the power button is pressed, then power off.

    It sets the clock once the button is armed: QEMU's RTC_CHANGE tells that the guest is up.
    """
    hardware.arm_power_button(asm)
    hardware.set_clock(asm)
    asm.label("sleep")
    _test_power_button(asm)
    asm.short_jump_if("not zero", "off")
    asm.wait_for_interrupt()
    asm.jump("sleep")
    asm.label("off")
    hardware.poweroff(asm)
    asm.halt_for_good()


def _agent(asm: Assembler) -> None:
    """Obey the letters on COM1 and the power button, whichever comes."""
    asm.write_byte(_COM1_INTERRUPTS, 0)
    asm.write_byte(_COM1_MODEM, 0x0B)  # DTR, RTS and OUT2, which gates the interrupt
    asm.write_byte(_COM1_INTERRUPTS, 1)  # on received data
    hardware.arm_power_button(asm)
    asm.write_byte(_COM1, AGENT_READY[0])
    asm.label("listen")
    _test_power_button(asm)
    asm.jump_if("not zero", "do" + AgentCommand.POWEROFF)
    asm.read_byte(_COM1_STATUS)
    asm.emit(0xA8, 0x01)  # test al, data ready
    asm.short_jump_if("not zero", "received")
    asm.wait_for_interrupt()
    asm.jump("listen")
    asm.label("received")
    asm.read_byte(_COM1)
    asm.emit(0xEE)  # echo: dx is still COM1
    for command in AgentCommand:
        asm.emit(0x3C, ord(command))  # cmp al, letter
        asm.jump_if("zero", "do" + command)
    asm.jump("listen")
    for command, action in _ACTIONS.items():
        asm.label("do" + command)
        action(asm)
        asm.jump("listen")


_PVPANIC: Final = ("-device", "pvpanic")
_IB700: Final = ("-device", "ib700")
_FAILING_DISK: Final = (
    "-blockdev",
    "driver=null-co,node-name=empty,size=1048576",
    "-blockdev",
    "driver=blkdebug,node-name=bad,image=empty,inject-error.0.event=none",
    "-blockdev",
    "driver=raw,node-name=disk,file=bad",
    "-device",
    "ide-hd,drive=disk,bus=ide.0,unit=0,werror=stop,rerror=stop",
)


def _single(
    name: str,
    action: Body,
    *events: str,
    arguments: tuple[str, ...] = (),
    ends: bool = False,
) -> Guest:
    return Guest(f"rom-{name}", _halting(action), events, arguments, ends)


_ALL: Final = (
    Guest("rom-idle", hardware.hang),
    Guest("rom-button", _button, ("RTC_CHANGE",)),
    Guest("rom-agent", _agent),
    Guest("rom-spin", hardware.spin),
    _single("poweroff", hardware.poweroff, "SHUTDOWN", ends=True),
    _single("suspend", hardware.suspend_to_memory, "SUSPEND"),
    _single("suspend-disk", hardware.suspend_to_disk, "SUSPEND_DISK", "SHUTDOWN", ends=True),
    _single("reset", hardware.reset_by_port_cf9, "RESET"),
    _single("reset-keyboard", hardware.reset_by_keyboard_controller, "RESET"),
    _single("triple-fault", hardware.triple_fault, "RESET"),
    _single("panic", hardware.panic, "GUEST_PANICKED", "SHUTDOWN", arguments=_PVPANIC, ends=True),
    _single("crash-loaded", hardware.crash_loaded, "GUEST_CRASHLOADED", arguments=_PVPANIC),
    _single("watchdog", hardware.watchdog_at_once, "WATCHDOG", "RESET", arguments=_IB700),
    _single("write-disk", hardware.write_disk, "BLOCK_IO_ERROR", "STOP", arguments=_FAILING_DISK),
    _single("clock", hardware.set_clock, "RTC_CHANGE"),
    _single(
        "debug-exit",
        hardware.debug_exit,
        arguments=("-device", "isa-debug-exit,iobase=0x501"),
        ends=True,
    ),
)

GUESTS: Final[Mapping[str, Guest]] = MappingProxyType({guest.name: guest for guest in _ALL})
"""Every guest by its name."""
