# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a guest is booted: the words of ``<os>``.

They stand apart so that the definition itself stays one table that can be read at once.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from virevents.definition.facts import Facts, at
from virevents.definition.kinds import YES_NO, Words

__all__ = ["Boot", "BootDevice", "Firmware", "FirmwareFeature", "FirmwareFeatureName", "LoaderType"]


class BootDevice(StrEnum):
    """A kind of device to boot from."""

    FLOPPY = "fd"
    DISK = "hd"
    CDROM = "cdrom"
    NETWORK = "network"


class Firmware(StrEnum):
    """A kind of firmware, of which the driver finds a file that fits."""

    BIOS = "bios"
    EFI = "efi"


class FirmwareFeatureName(StrEnum):
    """What a firmware that is to be found must have."""

    ENROLLED_KEYS = "enrolled-keys"
    SECURE_BOOT = "secure-boot"


class LoaderType(StrEnum):
    """How the firmware's file is put into the guest."""

    ROM = "rom"
    PFLASH = "pflash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot(Facts):
    """``<boot>`` of ``<os>``."""

    TAG: ClassVar[str] = "boot"

    device: BootDevice = field(metadata=at("@dev", Words(BootDevice), "the kind of device"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareFeature(Facts):
    """``<feature>`` of ``<os><firmware>``."""

    TAG: ClassVar[str] = "feature"

    is_enabled: bool = field(metadata=at("@enabled", YES_NO, "whether it must have it or not"))
    name: FirmwareFeatureName = field(
        metadata=at("@name", Words(FirmwareFeatureName), "what it is about")
    )
