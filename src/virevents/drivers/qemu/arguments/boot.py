# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the guest is booted: firmware, kernel, and the order of the devices.

It stands apart because the order is one for all kinds of devices, and because the firmware's
variables are a file that must be there before QEMU is.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_boot.py``:
    in_order       the devices are booted from in the order that the definition states
    shown_by_qemu  QEMU has the flash memory, the kernel and the arguments that are stated
    named_refusal  what contradicts itself is refused by its element's name
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    BootDevice,
    DiskDevice,
    DomainDefinition,
    Firmware,
    LoaderType,
    aliases,
)
from virevents.drivers.qemu.arguments.options import in_json, in_pairs
from virevents.errors import UnsupportedDefinitionError

__all__ = ["boot_order", "check_boot", "make_boot", "make_firmware", "pflash_options"]

_CODE: Final = "pflash0"
_VARIABLES: Final = "pflash1"

_DISK_OF: Final[Mapping[BootDevice, DiskDevice]] = {
    BootDevice.DISK: DiskDevice.DISK,
    BootDevice.CDROM: DiskDevice.CDROM,
    BootDevice.FLOPPY: DiskDevice.FLOPPY,
}


def boot_order(definition: DomainDefinition) -> dict[str, int]:
    """The place in the order of each device that is booted from, by its alias.

    Devices that state a place have it. Where none does, the kinds of ``<os>`` are taken in
    order, and the first device of each.
    """
    stated = dict(_stated(definition))
    if stated:
        return stated
    kinds = [boot.device for boot in definition.boot] or [BootDevice.DISK]
    found = [_first(definition, kind) for kind in dict.fromkeys(kinds)]
    return {alias: place for place, alias in enumerate(filter(None, found), 1)}


def _stated(definition: DomainDefinition) -> Iterator[tuple[str, int]]:
    names = aliases(definition)
    for disk, name in zip(definition.disks, names["disks"], strict=True):
        if disk.boot_order is not None:
            yield name, disk.boot_order
    for interface, name in zip(definition.interfaces, names["interfaces"], strict=True):
        if interface.boot_order is not None:
            yield name, interface.boot_order
    for redirection, name in zip(definition.redirections, names["redirections"], strict=True):
        if redirection.boot_order is not None:
            yield name, redirection.boot_order


def _first(definition: DomainDefinition, kind: BootDevice) -> str | None:
    names = aliases(definition)
    if kind is BootDevice.NETWORK:
        return next(iter(names["interfaces"]), None)
    disks = zip(definition.disks, names["disks"], strict=True)
    return next((name for disk, name in disks if disk.device is _DISK_OF[kind]), None)


def check_boot(definition: DomainDefinition) -> None:
    """Refuse what cannot be booted.

    Raises:
        UnsupportedDefinitionError: UEFI without ACPI.
    """
    is_uefi = _is_flash(definition) or definition.firmware is Firmware.EFI
    if is_uefi and not definition.features.acpi:
        _refuse("loader", "UEFI requires ACPI on this architecture")


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(text, element=element)


def _is_flash(definition: DomainDefinition) -> bool:
    return definition.loader is not None and definition.loader_type is LoaderType.PFLASH


def pflash_options(definition: DomainDefinition) -> dict[str, str]:
    """What the machine is told of its flash memory."""
    if not _is_flash(definition):
        return {}
    told = {_CODE: f"{_CODE}-format"}
    return told | ({_VARIABLES: f"{_VARIABLES}-format"} if definition.nvram is not None else {})


def make_firmware(definition: DomainDefinition) -> Iterator[str]:
    """The firmware's files; before the machine, which names their nodes."""
    if definition.loader is not None and not _is_flash(definition):
        # Not escaped: QEMU takes the whole of it as the path.
        yield from ("-bios", definition.loader)
    if _is_flash(definition):
        readonly = definition.loader_readonly is not False
        yield from _flash(_CODE, str(definition.loader), readonly=readonly)
        if definition.nvram is not None:
            yield from _flash(_VARIABLES, definition.nvram, readonly=False)
    if definition.loader_secure:
        told = {"driver": "cfi.pflash01", "property": "secure", "value": "on"}
        yield from in_pairs("-global", "", told)


def _flash(name: str, path: str, *, readonly: bool) -> Iterator[str]:
    storage, content = f"{name}-storage", f"{name}-format"
    yield from in_json(
        "-blockdev",
        {"driver": "file", "filename": path, "node-name": storage, "read-only": readonly},
    )
    yield from in_json(
        "-blockdev",
        {"driver": "raw", "node-name": content, "file": storage, "read-only": readonly},
    )


def make_boot(definition: DomainDefinition) -> Iterator[str]:
    """The menu, the order's strictness, and a kernel of the definition's own."""
    menu = definition.boot_menu
    yield from in_pairs(
        "-boot",
        "",
        {
            "menu": menu,
            "reboot-timeout": definition.reboot_timeout_ms,
            "splash-time": definition.boot_menu_timeout_ms if menu else None,
            "strict": True,
        },
    )
    # Each an argument of its own, which QEMU takes whole.
    if definition.kernel is not None:
        yield from ("-kernel", definition.kernel)
    if definition.initrd is not None:
        yield from ("-initrd", definition.initrd)
    if definition.cmdline is not None:
        yield from ("-append", definition.cmdline)
