# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of a definition this driver can run, and the program that runs it.

It stands apart because a definition is checked twice, when it is defined and when it is started,
and neither makes an argument list then. Where libvirt's QEMU driver refuses, this refuses with
the same error code.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_support.py``:
    named_refusal   what the driver cannot do is refused by its element's name
    actions         what on_poweroff, on_reboot and on_crash allow is what libvirt allows
    never_guessed   KVM is used for ``type='kvm'`` only, and only where it can be opened
"""

import os
import shutil
from pathlib import Path
from typing import Final

from virevents.definition import (
    CpuMode,
    DomainDefinition,
    DomainType,
    LifecycleAction,
    aliases,
)
from virevents.drivers.qemu.arguments.boot import check_boot
from virevents.drivers.qemu.arguments.characters import check_characters
from virevents.drivers.qemu.arguments.command_line import make_command_line
from virevents.drivers.qemu.arguments.controllers import check_controllers
from virevents.drivers.qemu.arguments.disks import check_disks
from virevents.drivers.qemu.arguments.interfaces import check_interfaces
from virevents.drivers.qemu.arguments.machine import check_machine_facts
from virevents.drivers.qemu.arguments.mainboards import check_machine
from virevents.drivers.qemu.arguments.peripherals import check_peripherals
from virevents.drivers.qemu.arguments.ports import PORT_MIN
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.screens import check_screens
from virevents.errors import HostError, UnsupportedDefinitionError

__all__ = ["check_startable", "check_supported", "find_emulator"]

_ARCH: Final = "x86_64"
_EMULATOR: Final = f"qemu-system-{_ARCH}"
_KVM: Final = Path("/dev/kvm")


def check_supported(definition: DomainDefinition) -> None:
    """Refuse what this driver cannot run.

    Raises:
        DefinitionError: Names the element and what was expected; an UnsupportedDefinitionError
            where another driver, or another host, could run it.
    """
    _check_type(definition)
    if definition.arch not in {None, _ARCH}:
        _refuse("type@arch", f"No emulator found for arch '{definition.arch}'")
    check_machine(definition)
    _check_actions(definition)
    check_machine_facts(definition)
    check_boot(definition)
    check_controllers(definition)
    check_disks(definition)
    check_interfaces(definition)
    check_characters(definition)
    check_screens(definition)
    check_peripherals(definition)
    # What is left is in the addresses, which only the whole list can tell of.
    make_command_line(definition, emulator=_EMULATOR, resources=_imagined(definition))


def _imagined(definition: DomainDefinition) -> Resources:
    """What a start would have made: numbers that stand for taps and ports."""
    names = aliases(definition)
    return Resources(
        monitor_descriptor=0,
        sockets=dict.fromkeys(names["channels"], 0),
        taps=dict.fromkeys(names["interfaces"], 0),
        ports={name: {"port": PORT_MIN, "websocket": PORT_MIN} for name in names["graphics"]},
    )


def check_startable(definition: DomainDefinition) -> None:
    """Refuse what can be defined but not started, as libvirt does.

    Raises:
        UnsupportedDefinitionError: It names the element.
    """
    _check_type(definition)
    cpu = definition.cpu
    is_emulated = definition.domain_type is DomainType.QEMU
    if cpu is not None and cpu.mode is CpuMode.HOST_PASSTHROUGH and is_emulated:
        _refuse(
            "cpu@mode",
            f"CPU mode '{cpu.mode}' for {_ARCH} qemu domain on {_ARCH} host is not supported by"
            " hypervisor: only type='kvm' passes the host's processor through",
        )


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(f"<{element}>: {text}", element=element)


def _check_type(definition: DomainDefinition) -> None:
    """KVM has to be asked for, and has to be there."""
    kind = definition.domain_type
    if kind not in {DomainType.QEMU, DomainType.KVM}:
        _refuse("domain@type", f"the qemu driver expected qemu or kvm, met {kind}")
    if kind is DomainType.KVM and not os.access(_KVM, os.R_OK | os.W_OK):
        _refuse(
            "domain@type",
            f"the emulator does not support virt type 'kvm' here: {_KVM} cannot be opened;"
            " type='qemu' emulates",
        )


def _check_actions(definition: DomainDefinition) -> None:
    """What becomes of a guest that ends: libvirt's QEMU driver has no other, nor has this."""
    ends = {
        "on_poweroff": definition.on_poweroff,
        "on_reboot": definition.on_reboot,
        "on_crash": definition.on_crash,
    }
    for element, action in ends.items():
        if action is LifecycleAction.RENAME_RESTART:
            _refuse(
                element,
                f"qemu driver doesn't support the '{action}' action for"
                " 'on_reboot'/'on_poweroff'/'on_crash'",
            )
        if action is LifecycleAction.PRESERVE and element != "on_crash":
            _refuse(
                element,
                f"qemu driver doesn't support the '{action}' action for 'on_reboot'/'on_poweroff'",
            )
    restarts = definition.on_poweroff is LifecycleAction.RESTART
    if restarts and definition.on_reboot is LifecycleAction.DESTROY:
        _refuse(
            "on_poweroff",
            "qemu driver doesn't support on_reboot 'destroy' together with on_poweroff 'restart'",
        )


def find_emulator(definition: DomainDefinition) -> str:
    """Return the path of the program that runs *definition*.

    Raises:
        HostError: There is no such program, or it cannot be executed.
    """
    wanted = definition.emulator or _EMULATOR
    found = shutil.which(wanted)
    if found is None or not Path(found).is_absolute():
        raise HostError(f"Cannot check QEMU binary {wanted}: No such file or directory")
    return found
