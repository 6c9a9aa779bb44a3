# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers.qemu.arguments.pci import BusKind, Fit, Places, Spot
from virevents.errors import DefinitionError, UnsupportedDefinitionError

PC = {0: BusKind.CONVENTIONAL_ROOT}
Q35 = {
    0: BusKind.EXPRESS_ROOT,
    1: BusKind.EXPRESS_PORT,
    2: BusKind.EXPRESS_PORT,
    3: BusKind.BRIDGE,
}
SPOTS = st.builds(Spot, st.just(0), st.integers(2, 30), st.integers(0, 7))


def test_honoured() -> None:
    places = Places(PC, [Spot(0, 2, 0), Spot(0, 3, 1)])
    assert places.place(Fit.EXPRESS) == Spot(0, 4, 0)


@given(st.sets(SPOTS, max_size=20), st.lists(st.sampled_from(Fit), max_size=9))
def test_never_twice(taken: set[Spot], fits: list[Fit]) -> None:
    places = Places(Q35, taken)
    made = [places.place(fit) for fit in fits]
    assert len({*made, *taken}) == len(made) + len(taken)


def test_never_twice_in_the_definition() -> None:
    with pytest.raises(
        DefinitionError, match=r"Attempted double use of PCI Address 0000:00:1a\.3"
    ) as caught:
        Places(PC, [Spot(0, 26, 3), Spot(0, 26, 3)])
    assert caught.value.code == 27


@given(st.sets(SPOTS, max_size=20), st.lists(st.sampled_from(Fit), max_size=9))
def test_same_again(taken: set[Spot], fits: list[Fit]) -> None:
    first, second = Places(Q35, taken), Places(Q35, sorted(taken))
    assert [first.place(fit) for fit in fits] == [second.place(fit) for fit in fits]


def test_each_where_it_likes_to_be() -> None:
    places = Places(Q35, [])
    assert places.place(Fit.EXPRESS) == Spot(1, 0, 0)
    assert places.place(Fit.EXPRESS) == Spot(2, 0, 0)
    assert places.place(Fit.EXPRESS) == Spot(0, 1, 0)
    assert places.place(Fit.CONVENTIONAL) == Spot(3, 1, 0)
    assert places.place(Fit.INTEGRATED) == Spot(0, 2, 0)
    assert Places({0: BusKind.EXPRESS_ROOT}, []).place(Fit.CONVENTIONAL) == Spot(0, 1, 0)


def test_the_root_of_conventional_pci_comes_first() -> None:
    places = Places({**PC, 1: BusKind.BRIDGE}, [])
    assert {places.place(fit).bus for fit in Fit} == {0}


def test_a_group_has_one_slot() -> None:
    places = Places(PC, [])
    assert places.place(Fit.CONVENTIONAL, group="usb", function=7) == Spot(0, 2, 7)
    assert places.place(Fit.CONVENTIONAL) == Spot(0, 3, 0)
    assert places.place(Fit.CONVENTIONAL, group="usb", function=0) == Spot(0, 2, 0)


def test_the_names_of_buses() -> None:
    assert Places(PC, []).bus_name(0) == "pci.0"
    assert Places(Q35, []).bus_name(0) == "pcie.0"
    assert Places(Q35, []).bus_name(2) == "pci.2"


def test_a_bus_that_there_is_not() -> None:
    with pytest.raises(UnsupportedDefinitionError, match="met bus 4"):
        Places(Q35, [Spot(4, 0, 0)])


@pytest.mark.parametrize(
    "spot", [Spot(0, 0, 1), Spot(1, 1, 0), Spot(3, 0, 0)], ids=["root", "port", "bridge"]
)
def test_no_slot_that_the_bus_has_not(spot: Spot) -> None:
    with pytest.raises(DefinitionError, match="Invalid PCI address"):
        Places(Q35, [spot])


def test_no_more_room() -> None:
    places = Places(PC, [])
    for _ in range(30):
        places.place(Fit.EXPRESS)
    with pytest.raises(UnsupportedDefinitionError, match="No more available PCI slots"):
        places.place(Fit.EXPRESS)
