# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks, CD-ROMs and floppies.

They stand apart because their words are many, and a wrong one costs data: so the image's format
is never guessed.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import Facts, Told, at, flag, part
from virevents.definition.kinds import NUMBER, PATH, POSITIVE, Only, Pattern, Switch, Words

__all__ = [
    "BlockSource",
    "Disk",
    "DiskBus",
    "DiskCache",
    "DiskDevice",
    "DiskDiscard",
    "DiskErrorPolicy",
    "DiskFormat",
    "DiskIo",
    "DiskReadErrorPolicy",
    "FileSource",
]


class DiskDevice(StrEnum):
    """What the guest sees."""

    DISK = "disk"
    CDROM = "cdrom"
    FLOPPY = "floppy"


class DiskBus(StrEnum):
    """What it is plugged into."""

    IDE = "ide"
    SATA = "sata"
    VIRTIO = "virtio"
    SCSI = "scsi"
    USB = "usb"
    FDC = "fdc"


class DiskFormat(StrEnum):
    """The image's format."""

    RAW = "raw"
    QCOW2 = "qcow2"


class DiskCache(StrEnum):
    """How the host caches the image."""

    DEFAULT = "default"
    NONE = "none"
    WRITETHROUGH = "writethrough"
    WRITEBACK = "writeback"
    DIRECTSYNC = "directsync"
    UNSAFE = "unsafe"


class DiskIo(StrEnum):
    """Which interface of the host's QEMU uses."""

    THREADS = "threads"
    NATIVE = "native"
    IO_URING = "io_uring"


class DiskDiscard(StrEnum):
    """Whether the guest's discards reach the image."""

    UNMAP = "unmap"
    IGNORE = "ignore"


class DiskErrorPolicy(StrEnum):
    """What becomes of the guest after a write (and read) error."""

    STOP = "stop"
    REPORT = "report"
    IGNORE = "ignore"
    ENOSPACE = "enospace"


class DiskReadErrorPolicy(StrEnum):
    """What becomes of the guest after a read error."""

    STOP = "stop"
    REPORT = "report"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource(Facts):
    """An image in a file."""

    TAG: ClassVar[str] = "source"

    path: str | None = field(
        default=None, metadata=at("source@file", PATH, "the image; none: no medium")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSource(Facts):
    """A block device of the host's."""

    TAG: ClassVar[str] = "source"

    path: str | None = field(
        default=None, metadata=at("source@dev", PATH, "the block device; none: no medium")
    )


_TARGET: Final = Pattern("a name as vda, sdb, hdc or fda", "(hd|sd|vd|fd)[a-z]{1,3}")
_BACKINGS_MAX: Final = 8

_BACKING: Final[Mapping[str, Told]] = {
    "/".join(["backingStore"] * depth) + place: told
    for depth in range(1, _BACKINGS_MAX + 1)
    for place, told in {
        "": Told(None, "the images behind it, until an empty one"),
        "@type": Told(Only("file", "block"), "where the image behind it is"),
        "@index": Told(NUMBER, "the number of its node"),
        "/format@type": Told(Words(DiskFormat), "its format"),
        "/source@file": Told(PATH, "its file"),
        "/source@dev": Told(PATH, "its block device"),
    }.items()
}
"""What a running domain's XML tells of the images behind a disk's; QEMU reads it from the images,
so it cannot be set here."""

_SERIAL: Final = Pattern(
    "letters, digits, blanks and '_.+-'", "[A-Za-z0-9_.+-]([A-Za-z0-9_.+ -]{0,62}[A-Za-z0-9_.+-])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk(Device):
    """``<disk>``: one disk, CD-ROM drive or floppy drive."""

    TAG: ClassVar[str] = "disk"
    TOLD: ClassVar[Mapping[str, Told]] = {
        "source@index": Told(NUMBER, "the number of the image's node"),
        **_BACKING,
        "target@tray": Told(Only("open", "closed"), "whether the tray is open"),
    }

    device: DiskDevice = field(
        default=DiskDevice.DISK, metadata=at("@device", Words(DiskDevice), "what the guest sees")
    )
    driver_name: str | None = field(
        default=None, metadata=at("driver@name", Only("qemu"), "who serves it: always QEMU")
    )
    format: DiskFormat = field(
        default=DiskFormat.RAW,
        metadata=at(
            "driver@type", Words(DiskFormat, is_refusal=True), "the image's format; never guessed"
        ),
    )
    cache: DiskCache | None = field(
        default=None, metadata=at("driver@cache", Words(DiskCache), "how the host caches it")
    )
    error_policy: DiskErrorPolicy | None = field(
        default=None,
        metadata=at("driver@error_policy", Words(DiskErrorPolicy), "after a write error"),
    )
    rerror_policy: DiskReadErrorPolicy | None = field(
        default=None,
        metadata=at("driver@rerror_policy", Words(DiskReadErrorPolicy), "after a read error"),
    )
    io: DiskIo | None = field(
        default=None, metadata=at("driver@io", Words(DiskIo), "the host's interface to use")
    )
    discard: DiskDiscard | None = field(
        default=None, metadata=at("driver@discard", Words(DiskDiscard), "the guest's discards")
    )
    source: FileSource | BlockSource = field(
        default=FileSource(),
        metadata=part(".", {"file": FileSource, "block": BlockSource}, "the image", key="@type"),
    )
    target: str = field(metadata=at("target@dev", _TARGET, "orders the disks; see bus"))
    bus: DiskBus | None = field(
        default=None,
        metadata=at("target@bus", Words(DiskBus), "none: by the target's first two letters"),
    )
    removable: bool | None = field(
        default=None,
        metadata=at("target@removable", Switch("on", "off"), "of a USB disk"),
    )
    is_readonly: bool = field(default=False, metadata=flag("readonly", "the guest cannot write"))
    is_shareable: bool = field(
        default=False, metadata=flag("shareable", "other domains may use it at the same time")
    )
    serial: str | None = field(
        default=None, metadata=at("serial", _SERIAL, "the serial number that the guest reads")
    )
    boot_order: int | None = field(
        default=None, metadata=at("boot@order", POSITIVE, "the guest boots from the lowest first")
    )

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """Images behind it that were told have the numbers of their nodes; others were set."""
        del facts
        if "backingStore@type" in told and "backingStore@index" not in told:
            raise ValueError(
                "expected no <backingStore> that is set by hand: which image is behind another is "
                "read from the image itself (qemu-img rebase writes it), met one"
            )

    def cross_check(self) -> None:
        """A disk has an image; a drive may be empty."""
        if self.device is DiskDevice.DISK and self.source.path is None:
            self.wrong("source", "expected the image of the disk, met none")
