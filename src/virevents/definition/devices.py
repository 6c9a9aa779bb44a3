# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all devices have: a name of the user's, and an address.

It stands apart because every module of devices builds on it.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from dataclasses import dataclass, field
from typing import Final

from virevents.definition.addresses import (
    ADDRESSES,
    DriveAddress,
    IsaAddress,
    PciAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from virevents.definition.facts import Facts, Told, at, part
from virevents.definition.kinds import OWN_ALIAS, WORD

__all__ = ["TOLD_ALIAS", "AnyAddress", "Device"]

AnyAddress = PciAddress | DriveAddress | VirtioSerialAddress | UsbAddress | IsaAddress

TOLD_ALIAS: Final = {"alias@name": Told(WORD, "the device's name while the domain runs")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(Facts):
    """The base of all devices that have a name and an address."""

    alias: str | None = field(
        default=None, metadata=at("alias@name", OWN_ALIAS, "the user's own name for the device")
    )
    address: AnyAddress | None = field(
        default=None,
        metadata=part("address", ADDRESSES, "where it sits; none: a free place", key="@type"),
    )
