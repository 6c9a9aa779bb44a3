# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks: two block nodes for each medium, and the device that the guest sees.

It stands apart because this is where QEMU is told which files it may touch: an image's format is
the definition's and never guessed, so that what a guest writes into a raw image is never read as
another format's header.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_disks.py``:
    shown_by_qemu    QEMU shows every disk with its file, format, cache and device
    named_refusal    what cannot be is refused by its element's name, as libvirt does
    readonly         what is read-only is opened so
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    BlockSource,
    Disk,
    DiskBus,
    DiskCache,
    DiskDevice,
    DiskErrorPolicy,
    DiskIo,
    DomainDefinition,
    DriveAddress,
    aliases,
    disk_bus,
    drive_address,
)
from virevents.drivers.qemu.arguments.drives import format_node, has_targets, storage_node
from virevents.drivers.qemu.arguments.mainboards import is_express
from virevents.drivers.qemu.arguments.options import in_json
from virevents.drivers.qemu.arguments.pci import Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece
from virevents.drivers.qemu.arguments.usb import on_usb
from virevents.errors import DefinitionError, UnsupportedDefinitionError
from virevents.model import Json

__all__ = ["check_disks", "make_disks"]

# What a word for the host's cache means: go round the page cache; ignore the guest's flushes;
# let the guest believe that the disk has a write cache.
_CACHE: Final[Mapping[DiskCache, tuple[bool, bool, bool]]] = {
    DiskCache.NONE: (True, False, True),
    DiskCache.WRITETHROUGH: (False, False, False),
    DiskCache.WRITEBACK: (False, False, True),
    DiskCache.DIRECTSYNC: (True, False, False),
    DiskCache.UNSAFE: (False, True, True),
}
_ROUND_THE_CACHE: Final = (DiskCache.NONE, DiskCache.DIRECTSYNC)
_WRITE_ERROR: Final[Mapping[DiskErrorPolicy, str]] = {DiskErrorPolicy.ENOSPACE: "enospc"}
_READ_ERRORS_TOO: Final = (DiskErrorPolicy.STOP, DiskErrorPolicy.REPORT, DiskErrorPolicy.IGNORE)

# How many buses, and units of a bus, a controller has; of lsilogic's units one is its own.
_UNITS: Final[Mapping[DiskBus, tuple[int, int]]] = {
    DiskBus.IDE: (2, 2),
    DiskBus.SATA: (1, 6),
    DiskBus.SCSI: (1, 7),
    DiskBus.FDC: (1, 2),
}
_NEVER_READONLY: Final = (DiskBus.IDE, DiskBus.SATA)
_CDROM_BUSES: Final = (DiskBus.IDE, DiskBus.SATA, DiskBus.SCSI, DiskBus.USB)


def check_disks(definition: DomainDefinition) -> None:
    """Refuse disks that cannot be.

    Raises:
        UnsupportedDefinitionError: Two have one place, or one asks for what does not go together.
        DefinitionError: The same, where it is none for libvirt either.
    """
    places: set[str] = set()
    for disk, alias in zip(definition.disks, aliases(definition)["disks"], strict=True):
        _check(disk)
        _check_unit(definition, disk)
        if alias in places:
            raise UnsupportedDefinitionError(
                f"Found duplicate drive address for disk with target name '{disk.target}'",
                element="address",
            )
        places.add(alias)


def _check(disk: Disk) -> None:
    bus = disk_bus(disk)
    if disk.io is DiskIo.NATIVE and disk.cache not in _ROUND_THE_CACHE:
        _refuse("io", "io='native' needs either no disk cache or directsync cache mode")
    if (disk.device is DiskDevice.FLOPPY) != (bus is DiskBus.FDC):
        _refuse("bus", f"Invalid bus type '{bus}' for {disk.device} disk", of="target")
    if disk.device is DiskDevice.CDROM and bus not in _CDROM_BUSES:
        _refuse(
            "bus", f"disk type of '{disk.target}' does not support ejectable media", of="target"
        )
    has_place = bus in {DiskBus.VIRTIO, DiskBus.USB} or disk.address is None
    if not has_place and not isinstance(disk.address, DriveAddress):
        _refuse("type", f"expected type='drive' for {disk.target}, on bus {bus}", of="address")
    if disk.is_readonly and disk.device is DiskDevice.DISK and bus in _NEVER_READONLY:
        _refuse("readonly", f"readonly {bus} disks are not supported", of="disk")
    if disk.removable is not None and bus is not DiskBus.USB:
        raise DefinitionError("removable is only valid for usb disks", element="target@removable")


def _check_unit(definition: DomainDefinition, disk: Disk) -> None:
    """Which units a simple controller has; the others say it themselves."""
    bus = disk_bus(disk)
    if bus not in _UNITS:
        return
    at = drive_address(disk)
    if bus is DiskBus.SCSI and has_targets(definition, at.controller):
        return
    buses, units = _UNITS[bus]
    if at.bus >= buses or at.target or at.unit >= units:
        _refuse(
            "unit",
            f"expected bus 0 to {buses - 1}, target 0 and unit 0 to {units - 1} of the {bus}"
            f" controller for {disk.target}, met bus {at.bus}, target {at.target}, unit {at.unit}",
            of="address",
        )


def _refuse(attribute: str, text: str, *, of: str = "driver") -> None:
    raise UnsupportedDefinitionError(text, element=f"{of}@{attribute}")


def make_disks(definition: DomainDefinition, boot: Mapping[str, int]) -> Iterator[Piece]:
    """The disks, in the definition's order.

    Args:
        definition: The definition.
        boot: The place of each device, by its alias, among those that are booted from.
    """
    names = aliases(definition)["disks"]
    for position, (disk, alias) in enumerate(zip(definition.disks, names, strict=True)):
        if disk.source.path is not None:
            yield _storage(disk, disk.source.path, position)
            yield _format(disk, position)
        properties = _properties(disk, alias, position, boot.get(alias))
        if disk_bus(disk) is DiskBus.VIRTIO:
            yield PciDevice(
                properties={"driver": "virtio-blk-pci", **properties},
                stated=disk.address,
                fit=Fit.EXPRESS,
            )
        else:
            yield in_json("-device", {**_place(definition, disk, alias), **properties})


def _storage(disk: Disk, path: str, position: int) -> list[str]:
    driver = "host_device" if isinstance(disk.source, BlockSource) else "file"
    if disk.device is DiskDevice.CDROM and driver == "host_device":
        driver = "host_cdrom"
    return in_json(
        "-blockdev",
        {
            "driver": driver,
            "filename": path,
            "node-name": storage_node(position),
            "aio": None if disk.io is None else str(disk.io),
            "cache": _cache(disk),
            "read-only": _is_readonly(disk),
            "discard": "unmap",
        },
    )


def _format(disk: Disk, position: int) -> list[str]:
    return in_json(
        "-blockdev",
        {
            "driver": str(disk.format),
            "node-name": format_node(position),
            "file": storage_node(position),
            "cache": _cache(disk),
            "read-only": _is_readonly(disk),
            "discard": None if disk.discard is None else str(disk.discard),
        },
    )


def _is_readonly(disk: Disk) -> bool:
    return disk.is_readonly or disk.device is DiskDevice.CDROM


def _effective_cache(disk: Disk) -> DiskCache | None:
    if disk.cache is None or disk.cache is DiskCache.DEFAULT:
        # Two hosts that share an image must not each believe their own page cache.
        return DiskCache.NONE if disk.is_shareable else None
    return disk.cache


def _cache(disk: Disk) -> dict[str, Json] | None:
    cache = _effective_cache(disk)
    if cache is None:
        return None
    direct, no_flush, _ = _CACHE[cache]
    return {"direct": direct, "no-flush": no_flush}


def _properties(disk: Disk, alias: str, position: int, boot: int | None) -> dict[str, Json]:
    """What every disk's device is told, whatever it is plugged into."""
    cache = _effective_cache(disk)
    is_disk = disk.device is DiskDevice.DISK
    return {
        "id": alias,
        "drive": None if disk.source.path is None else format_node(position),
        "bootindex": boot,
        "serial": disk.serial,
        "share-rw": disk.is_shareable or None,
        "write-cache": _on_off(_CACHE[cache][2]) if cache is not None and is_disk else None,
        "removable": bool(disk.removable) if disk_bus(disk) is DiskBus.USB else None,
        **_errors(disk),
    }


def _on_off(value: bool) -> str:  # noqa: FBT001  (the value itself)
    return "on" if value else "off"


def _errors(disk: Disk) -> dict[str, Json]:
    write = disk.error_policy
    read: str | None = None if disk.rerror_policy is None else str(disk.rerror_policy)
    if read is None and write in _READ_ERRORS_TOO:
        read = str(write)
    return {
        "werror": None if write is None else _WRITE_ERROR.get(write, str(write)),
        "rerror": read,
    }


def _place(definition: DomainDefinition, disk: Disk, alias: str) -> dict[str, Json]:
    """The driver of a disk that is not on PCI, and its place."""
    kind = "cd" if disk.device is DiskDevice.CDROM else "hd"
    bus = disk_bus(disk)
    if bus is DiskBus.USB:
        return {"driver": "usb-storage", **on_usb(definition, alias, disk.address)}
    at = drive_address(disk)
    if bus is DiskBus.FDC:
        return {"driver": "floppy", "unit": at.unit}
    if bus is DiskBus.IDE:
        return {"driver": f"ide-{kind}", "bus": f"ide.{at.bus}", "unit": at.unit}
    if bus is DiskBus.SATA:
        built_in = is_express(definition) and at.controller == 0
        port = f"ide.{at.unit}" if built_in else f"sata{at.controller}.{at.unit}"
        return {"driver": f"ide-{kind}", "bus": port}
    unit: dict[str, Json] = {"scsi-id": at.unit}
    if has_targets(definition, at.controller):
        unit = {"channel": at.bus, "scsi-id": at.target, "lun": at.unit}
    return {
        "driver": f"scsi-{kind}",
        "bus": f"scsi{at.controller}.0",
        # Without it the guest would see the name of a block node.
        "device_id": disk.serial or f"drive-{alias}",
        **unit,
    }
