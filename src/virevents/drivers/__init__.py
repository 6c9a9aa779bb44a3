# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers: what they have in common is here, each of them is a folder that knows no other.

``DRIVERS`` is the table of those that ``virevents.open`` finds by the scheme of a URI.
"""

from collections.abc import Mapping
from typing import Final

from virevents.drivers.base import (
    Capability,
    CoreDumpMode,
    Driver,
    DriverContext,
    DriverFactory,
    NvramFate,
    SleepMode,
    StartMode,
)
from virevents.drivers.domains import DomainList, DomainObject
from virevents.drivers.qemu import QEMU
from virevents.drivers.test import TEST
from virevents.drivers.uri import ConnectionUri

__all__ = [
    "DRIVERS",
    "Capability",
    "ConnectionUri",
    "CoreDumpMode",
    "DomainList",
    "DomainObject",
    "Driver",
    "DriverContext",
    "DriverFactory",
    "NvramFate",
    "SleepMode",
    "StartMode",
]

DRIVERS: Final[Mapping[str, DriverFactory]] = {one.name: one for one in (TEST, QEMU)}
