# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an argument list is made of before every device has its place.

It stands apart because each kind of device writes its own part of the list, and only the whole
list can say which places are free: a piece is either arguments as they are, or a device that
still needs a place on a PCI bus.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_pieces.py``:
    stated_first   an address that the definition states is never given to another device
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from virevents.definition import AnyAddress, PciAddress
from virevents.drivers.qemu.arguments.options import in_json
from virevents.drivers.qemu.arguments.pci import BusKind, Fit, Places, Spot
from virevents.errors import UnsupportedDefinitionError
from virevents.model import Json

__all__ = ["PciDevice", "Piece", "check_address", "placed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A device that sits on a PCI bus.

    Attributes:
        properties: The driver, the id, and what else it is told; None is left out.
        stated: Its address, if the definition has one.
        fit: Where it likes to be if not.
        group: Devices of one group share a slot, each with a function of its own.
        function: Which function of that slot.
        is_multifunction: Whether it says that the slot has more functions.
    """

    properties: Mapping[str, Json]
    stated: AnyAddress | None
    fit: Fit
    group: str = ""
    function: int = 0
    is_multifunction: bool = False

    @property
    def spot(self) -> Spot | None:
        """The stated place; None if there is none."""
        if self.stated is None:
            return None
        if not isinstance(self.stated, PciAddress) or self.stated.domain:
            raise UnsupportedDefinitionError(
                f"<address>: expected a PCI address in domain 0 for {self.properties['driver']}",
                element="address",
            )
        # All zero is "anywhere", as libvirt reads it; the host bridge is there anyway.
        spot = Spot(self.stated.bus, self.stated.slot, self.stated.function)
        return None if spot == Spot(0, 0, 0) else spot


Piece = list[str] | PciDevice
"""Arguments as they are, or a device that needs a place."""


def check_address(stated: AnyAddress | None, *kinds: type[AnyAddress]) -> None:
    """Refuse an address of a kind that a device cannot have.

    Raises:
        UnsupportedDefinitionError: It is not one of *kinds*.
    """
    if stated is not None and not isinstance(stated, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds) or "none"
        raise UnsupportedDefinitionError(
            f"<address>: expected {expected}, met {type(stated).__name__}", element="address@type"
        )


def placed(pieces: Iterable[Piece], buses: Mapping[int, BusKind]) -> list[str]:
    """The arguments of all *pieces*, each device in its place.

    Raises:
        DefinitionError: Two devices state one address.
        UnsupportedDefinitionError: An address is on a bus that there is not, or all is full.
    """
    listed = list(pieces)
    stated = [piece.spot for piece in listed if isinstance(piece, PciDevice)]
    places = Places(buses, [spot for spot in stated if spot is not None])
    return [argument for piece in listed for argument in _arguments(piece, places)]


def _arguments(piece: Piece, places: Places) -> Iterator[str]:
    if isinstance(piece, list):
        yield from piece
        return
    spot = piece.spot or places.place(piece.fit, group=piece.group, function=piece.function)
    slot = f"{spot.slot:#x}"
    multifunction = piece.is_multifunction
    if isinstance(piece.stated, PciAddress):
        multifunction = bool(piece.stated.multifunction)
    yield from in_json(
        "-device",
        {
            **piece.properties,
            "bus": places.bus_name(spot.bus),
            "multifunction": multifunction or None,
            "addr": f"{slot}.{spot.function:#x}" if spot.function else slot,
        },
    )
