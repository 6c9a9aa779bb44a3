# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network cards, and what each is connected to.

It stands apart because taps are opened before QEMU starts and passed to it by number.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_interfaces.py``:
    shown_by_qemu    QEMU shows every card with its address and its network
    by_descriptor    a tap is named by its descriptor, never by a name or a script
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    DomainDefinition,
    Interface,
    InterfaceModel,
    LinkState,
    UserNetwork,
    aliases,
)
from virevents.drivers.qemu.arguments.options import in_json
from virevents.drivers.qemu.arguments.pci import Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.errors import InternalError, UnsupportedDefinitionError
from virevents.model import Json

__all__ = ["check_interfaces", "links_down", "make_interfaces", "needs_tap"]

_DRIVER: Final[Mapping[InterfaceModel | None, str]] = {
    None: "rtl8139",
    InterfaceModel.VIRTIO: "virtio-net-pci",
    InterfaceModel.VIRTIO_TRANSITIONAL: "virtio-net-pci-transitional",
    InterfaceModel.VIRTIO_NON_TRANSITIONAL: "virtio-net-pci-non-transitional",
}
"""QEMU's name of each card; the others are called as libvirt calls them."""

_VIRTIO: Final = (
    InterfaceModel.VIRTIO,
    InterfaceModel.VIRTIO_TRANSITIONAL,
    InterfaceModel.VIRTIO_NON_TRANSITIONAL,
)
_EXPRESS: Final = (
    InterfaceModel.VIRTIO,
    InterfaceModel.VIRTIO_NON_TRANSITIONAL,
    InterfaceModel.E1000E,
    InterfaceModel.IGB,
)


def needs_tap(interface: Interface) -> bool:
    """Whether it is connected by a tap: to a bridge, or to whatever the host made of it."""
    return not isinstance(interface.network, UserNetwork)


def check_interfaces(definition: DomainDefinition) -> None:
    """Refuse what a card cannot do.

    Raises:
        UnsupportedDefinitionError: The largest packet is stated of one that has no such property.
    """
    for interface in definition.interfaces:
        if interface.mtu is not None and interface.model not in _VIRTIO:
            raise UnsupportedDefinitionError(
                "<mtu>: setting MTU on interface type"
                f" {interface.model or 'rtl8139'} is not supported: expected model virtio",
                element="mtu@size",
            )


def make_interfaces(
    definition: DomainDefinition, resources: Resources, boot: Mapping[str, int]
) -> Iterator[Piece]:
    """The cards, in the definition's order.

    Args:
        definition: The definition.
        resources: Has a descriptor for each tap.
        boot: The place of each device, by its alias, among those that are booted from.
    """
    names = aliases(definition)["interfaces"]
    for interface, alias in zip(definition.interfaces, names, strict=True):
        backend = f"host{alias}"
        yield in_json("-netdev", {**_network(interface, alias, resources), "id": backend})
        yield PciDevice(
            properties={
                "driver": _DRIVER.get(interface.model) or str(interface.model),
                "netdev": backend,
                "id": alias,
                "mac": interface.mac,
                "host_mtu": interface.mtu,
                "bootindex": boot.get(alias),
            },
            stated=interface.address,
            fit=Fit.EXPRESS if interface.model in _EXPRESS else Fit.CONVENTIONAL,
        )


def _network(interface: Interface, alias: str, resources: Resources) -> dict[str, Json]:
    if not needs_tap(interface):
        return {"type": "user"}
    if alias not in resources.taps:
        raise InternalError(f"no tap was opened for {alias}")
    return {"type": "tap", "fd": str(resources.taps[alias])}


def links_down(definition: DomainDefinition) -> Iterator[str]:
    """The aliases of the cards whose cable is out at start."""
    names = aliases(definition)["interfaces"]
    for interface, alias in zip(definition.interfaces, names, strict=True):
        if interface.link is LinkState.DOWN:
            yield alias
