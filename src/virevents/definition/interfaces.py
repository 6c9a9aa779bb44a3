# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network interfaces.

They stand apart because each kind of network has facts of its own, and because names that were
given while a domain ran must not become part of its definition.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import Facts, at, part
from virevents.definition.kinds import MAC, POSITIVE, YES_NO, Pattern, Words

__all__ = [
    "BridgeNetwork",
    "Interface",
    "InterfaceModel",
    "LinkState",
    "TapNetwork",
    "UserNetwork",
]

# What Linux lets an interface be called, less what no tool can take.
_DEVICE: Final = Pattern(
    "the name of a network device, at most 15 characters", r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,14}"
)


_GIVEN: Final = re.compile("vnet[0-9]+")


class InterfaceModel(StrEnum):
    """The card that the guest sees."""

    VIRTIO = "virtio"
    VIRTIO_TRANSITIONAL = "virtio-transitional"
    VIRTIO_NON_TRANSITIONAL = "virtio-non-transitional"
    E1000 = "e1000"
    E1000E = "e1000e"
    IGB = "igb"
    RTL8139 = "rtl8139"
    NE2K_PCI = "ne2k_pci"
    PCNET = "pcnet"
    VMXNET3 = "vmxnet3"


class LinkState(StrEnum):
    """Whether the cable is plugged in at start."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNetwork(Facts):
    """QEMU's own network in user space: the guest reaches out, nobody reaches in."""

    TAG: ClassVar[str] = "interface"


def _is_given(device: object) -> bool:
    """The name is of the pattern that libvirt gives while a domain runs."""
    return isinstance(device, str) and _GIVEN.fullmatch(device) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeNetwork(Facts):
    """A bridge of the host's, which the guest's tap device joins."""

    TAG: ClassVar[str] = "interface"

    bridge: str = field(metadata=at("source@bridge", _DEVICE, "the bridge's name"))
    device: str | None = field(
        default=None, metadata=at("target@dev", _DEVICE, "the tap device's name; none: any")
    )

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """A name that was given while the domain ran is no part of the definition."""
        del told
        if _is_given(facts.get("device")):
            del facts["device"]

    def cross_check(self) -> None:
        """A name that looks given would be read back as none."""
        if _is_given(self.device):
            self.wrong(
                "target@dev", f"expected a name other than vnet0, vnet1 ..., met {self.device}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TapNetwork(Facts):
    """A tap device of the host's."""

    TAG: ClassVar[str] = "interface"

    device: str | None = field(
        default=None, metadata=at("target@dev", _DEVICE, "the tap device's name; none: any")
    )
    is_managed: bool | None = field(
        default=None,
        metadata=at("target@managed", YES_NO, "no: the device is there and is left there"),
    )

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """A name that was given while the domain ran is no part of the definition."""
        del told
        if _is_given(facts.get("device")) and facts.get("is_managed") is not False:
            del facts["device"]

    def cross_check(self) -> None:
        """A name that looks given would be read back as none, and one's own device has a name."""
        if self.is_managed is False and self.device is None:
            self.wrong("target@dev", "expected the name of the device that is there, met none")
        if _is_given(self.device) and self.is_managed is not False:
            self.wrong(
                "target@dev", f"expected a name other than vnet0, vnet1 ..., met {self.device}"
            )


NETWORKS: Final[Mapping[str, type[Facts]]] = {
    "user": UserNetwork,
    "bridge": BridgeNetwork,
    "ethernet": TapNetwork,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface(Device):
    """``<interface>``: one network card."""

    TAG: ClassVar[str] = "interface"
    MADE_UP: ClassVar[frozenset[str]] = frozenset({"mac"})

    mac: str = field(metadata=at("mac@address", MAC, "its address; made up where none is stated"))
    network: UserNetwork | BridgeNetwork | TapNetwork = field(
        metadata=part(".", NETWORKS, "what it is connected to", key="@type")
    )
    model: InterfaceModel | None = field(
        default=None,
        metadata=at("model@type", Words(InterfaceModel), "the card; none: the driver's choice"),
    )
    link: LinkState | None = field(
        default=None, metadata=at("link@state", Words(LinkState), "whether the cable is in")
    )
    mtu: int | None = field(default=None, metadata=at("mtu@size", POSITIVE, "the largest packet"))
    boot_order: int | None = field(
        default=None, metadata=at("boot@order", POSITIVE, "the guest boots from the lowest first")
    )
