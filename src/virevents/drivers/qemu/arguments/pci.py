# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which place on which PCI bus each device of a domain has.

It stands apart because every kind of device asks for one and none may know of the others. QEMU
could choose by itself, but it chooses as it goes, so that a device with an address may find it
taken; and a saved state is only restored into a machine whose devices are at the same places.

Immutable, but for `Places`, which is confined to one making of an argument list.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_pci.py``:
    honoured       an address in the definition is the address in the guest
    never_twice    no two devices have one place
    same_again     the same definition gives the same places
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from virevents.errors import DefinitionError, UnsupportedDefinitionError

__all__ = ["BusKind", "Fit", "Places", "Spot"]

_SLOT_MAX: Final = 31


class BusKind(Enum):
    """What a bus is, which says what may be on it."""

    CONVENTIONAL_ROOT = auto()
    EXPRESS_ROOT = auto()
    EXPRESS_PORT = auto()
    BRIDGE = auto()


class Fit(Enum):
    """Where a device likes to be when its definition does not say."""

    EXPRESS = auto()  # behind a port of its own, where there are ports
    CONVENTIONAL = auto()  # behind a bridge to conventional PCI, where there is one
    INTEGRATED = auto()  # on the root bus


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """One function of one slot of one bus."""

    bus: int
    slot: int
    function: int

    def __str__(self) -> str:
        return f"0000:{self.bus:02x}:{self.slot:02x}.{self.function}"


# The slots that may be given away; the first ones of a root bus are the chipset's own.
_SLOTS: Final[Mapping[BusKind, range]] = {
    BusKind.CONVENTIONAL_ROOT: range(2, _SLOT_MAX + 1),
    BusKind.EXPRESS_ROOT: range(1, _SLOT_MAX),
    BusKind.EXPRESS_PORT: range(1),
    BusKind.BRIDGE: range(1, _SLOT_MAX + 1),
}

# The slots that a definition may state; what the chipset has of them QEMU says.
_STATABLE: Final[Mapping[BusKind, range]] = {
    BusKind.CONVENTIONAL_ROOT: range(1, _SLOT_MAX + 1),
    BusKind.EXPRESS_ROOT: range(1, _SLOT_MAX + 1),
    BusKind.EXPRESS_PORT: range(1),
    BusKind.BRIDGE: range(1, _SLOT_MAX + 1),
}

_ROOTS: Final = (BusKind.CONVENTIONAL_ROOT, BusKind.EXPRESS_ROOT)

# The buses to try for a device, the best first.
_ORDER: Final[Mapping[Fit, tuple[BusKind, ...]]] = {
    Fit.EXPRESS: (BusKind.EXPRESS_PORT, *_ROOTS, BusKind.BRIDGE),
    Fit.CONVENTIONAL: (BusKind.BRIDGE, *_ROOTS),
    Fit.INTEGRATED: (*_ROOTS,),
}
# On a machine without PCI Express the root comes first for everything.
_ORDER_CONVENTIONAL: Final = (BusKind.CONVENTIONAL_ROOT, BusKind.BRIDGE)


class Places:
    """The buses of one machine, and who has which place on them.

    Args:
        buses: The kind of each bus by its number; the root is number 0.
        taken: The places that the definition gives away itself.

    Raises:
        DefinitionError: A place is given away twice, or is none of its bus.
        UnsupportedDefinitionError: A place is on a bus that there is not.
    """

    def __init__(self, buses: Mapping[int, BusKind], taken: Iterable[Spot]) -> None:
        self._buses: Final = dict(buses)
        self._taken: Final[set[Spot]] = set()
        self._groups: Final[dict[str, tuple[int, int]]] = {}
        for spot in taken:
            self._take(spot)

    def bus_name(self, bus: int) -> str:
        """What QEMU calls bus number *bus*."""
        return "pcie.0" if bus == 0 and self._is_express else f"pci.{bus}"

    def place(self, fit: Fit, *, group: str = "", function: int = 0) -> Spot:
        """Give a free place away.

        Args:
            fit: What the device likes.
            group: Devices of one group are functions of one slot; "" for a slot of its own.
            function: Which of them.

        Raises:
            UnsupportedDefinitionError: There is no free slot.
        """
        bus, slot = self._groups.get(group) or self._free_slot(fit)
        if group:
            self._groups[group] = (bus, slot)
        spot = Spot(bus, slot, function)
        self._take(spot)
        return spot

    @property
    def _is_express(self) -> bool:
        return self._buses[0] is BusKind.EXPRESS_ROOT

    def _take(self, spot: Spot) -> None:
        if spot.bus not in self._buses:
            raise UnsupportedDefinitionError(
                f"<address>: expected a PCI bus that a <controller type='pci'> with that index"
                f" makes, met bus {spot.bus}",
                element="address@bus",
            )
        slots = _STATABLE[self._buses[spot.bus]]
        if spot.slot not in slots:
            raise DefinitionError(
                f"Invalid PCI address {spot}. slot must be >= {slots[0]} and <= {slots[-1]}",
                element="address@slot",
            )
        if spot in self._taken:
            raise DefinitionError(f"Attempted double use of PCI Address {spot}", element="address")
        self._taken.add(spot)

    def _free_slot(self, fit: Fit) -> tuple[int, int]:
        full = {(spot.bus, spot.slot) for spot in self._taken}
        order = _ORDER[fit] if self._is_express else _ORDER_CONVENTIONAL
        for kind in order:
            for bus in sorted(number for number, it in self._buses.items() if it is kind):
                for slot in _SLOTS[kind]:
                    if (bus, slot) not in full:
                        return bus, slot
        raise UnsupportedDefinitionError(
            "No more available PCI slots: expected another PCI bridge or root port",
            element="controller",
        )
