# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made up where the author left it out."""

from hypothesis import given
from hypothesis import strategies as st

from tests.definition.samples import UUID, least_xml
from virevents.definition import ControllerKind, DomainDefinition, parse_definition

_CARD = "<interface type='user'/>"
_CONTROLLERS = st.sampled_from(
    [
        "<controller type='usb'/>",
        "<controller type='usb' index='1'/>",
        "<controller type='scsi'/>",
        "<controller type='pci' model='pcie-root-port'/>",
        "<controller type='pci' index='2' model='pcie-root-port'/>",
    ]
)


def _defined(devices: str, uuid: str = UUID) -> DomainDefinition:
    return parse_definition(least_xml(more=f"<devices>{devices}</devices>").replace(UUID, uuid))


def _indexes(devices: str) -> list[tuple[str, int]]:
    return [(str(each.model), each.index) for each in _defined(devices).controllers]


def test_same_again() -> None:
    assert _defined(_CARD * 3) == _defined(_CARD * 3)
    other = _defined(_CARD, UUID.replace("6", "7"))
    assert other.interfaces[0].mac != _defined(_CARD).interfaces[0].mac
    assert other.interfaces[0].mac.startswith("52:54:00:")


def test_a_uuid_is_made_up_at_random() -> None:
    xml = least_xml(more=f"<devices>{_CARD}</devices>").replace(f"<uuid>{UUID}</uuid>", "")
    one, other = parse_definition(xml), parse_definition(xml)
    assert one.uuid != other.uuid


def test_no_clash() -> None:
    first = _defined(_CARD * 2).interfaces
    stated = f"<interface type='user'><mac address='{first[0].mac}'/></interface>"
    macs = [each.mac for each in _defined(_CARD + stated + _CARD).interfaces]
    assert len(set(macs)) == 3
    assert macs[1] == first[0].mac


@given(st.lists(_CONTROLLERS, max_size=6))
def test_no_two_controllers_of_one_index(controllers: list[str]) -> None:
    unique = [each for each in controllers if "index" not in each]
    unique += sorted({each for each in controllers if "index" in each})
    found = [(each.kind, each.index) for each in _defined("".join(unique)).controllers]
    assert len(set(found)) == len(found)


def test_the_root_is_bus_0() -> None:
    port = "<controller type='pci' model='pcie-root-port'/>"
    root = "<controller type='pci' model='pcie-root'/>"
    assert _indexes(port + root + port) == [
        ("pcie-root-port", 1),
        ("pcie-root", 0),
        ("pcie-root-port", 2),
    ]
    assert _defined(port).controllers[0].kind is ControllerKind.PCI


def test_companions_share_the_index_of_theirs() -> None:
    usb = "<controller type='usb' model='ich9-{}'/>"
    devices = "<controller type='usb'/>" + "".join(
        map(usb.format, ["ehci1", "uhci1", "uhci2", "uhci3"])
    )
    assert [index for _, index in _indexes(devices)] == [0, 1, 1, 1, 1]
    assert _indexes(usb.format("uhci1")) == [("ich9-uhci1", 0)]
