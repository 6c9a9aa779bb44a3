# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

from tests.drivers.qemu.arguments.qemu_syntax import read_json
from virevents.definition import DriveAddress, IsaAddress, PciAddress, UsbAddress
from virevents.drivers.qemu.arguments.pci import BusKind, Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, check_address, placed
from virevents.errors import DefinitionError, UnsupportedDefinitionError

PC = {0: BusKind.CONVENTIONAL_ROOT}


def device(name: str, stated: PciAddress | None = None) -> PciDevice:
    return PciDevice(properties={"driver": "x", "id": name}, stated=stated, fit=Fit.EXPRESS)


def places(*pieces: PciDevice) -> list[tuple[object, object, object]]:
    made = [read_json(each) for each in placed(pieces, PC)[1::2]]
    return [(each["id"], each["addr"], each.get("multifunction")) for each in made]


def test_stated_first() -> None:
    """The first device comes before the one that states the first free slot, and lets it be."""
    assert places(device("a"), device("b", PciAddress(slot=2))) == [
        ("a", "0x3", None),
        ("b", "0x2", None),
    ]


def test_all_zero_is_anywhere() -> None:
    assert places(device("a", PciAddress())) == [("a", "0x2", None)]


def test_functions() -> None:
    first = PciAddress(slot=5, multifunction=True)
    assert places(device("a", first), device("b", PciAddress(slot=5, function=1))) == [
        ("a", "0x5", True),
        ("b", "0x5.0x1", None),
    ]


def test_arguments_stay_where_they_are() -> None:
    made = placed([["-chardev", "null,id=a"], device("b"), ["-x"]], PC)
    assert made[:2] == ["-chardev", "null,id=a"]
    assert made[-1] == "-x"


def test_never_one_place_for_two() -> None:
    with pytest.raises(DefinitionError, match="Attempted double use of PCI Address"):
        places(device("a", PciAddress(slot=5)), device("b", PciAddress(slot=5)))


@pytest.mark.parametrize("stated", [PciAddress(domain=1, slot=5), UsbAddress(), DriveAddress()])
def test_other_addresses_are_refused(stated: PciAddress) -> None:
    with pytest.raises(UnsupportedDefinitionError, match="expected a PCI address in domain 0"):
        places(device("a", stated))


def test_check_address() -> None:
    check_address(None, UsbAddress)
    check_address(UsbAddress(), UsbAddress)
    with pytest.raises(UnsupportedDefinitionError, match="UsbAddress or IsaAddress, met Pci"):
        check_address(PciAddress(), UsbAddress, IsaAddress)
