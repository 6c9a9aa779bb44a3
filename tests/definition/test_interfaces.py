# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network interfaces."""

import pytest

from tests.definition.samples import least_xml
from virevents.definition import (
    BridgeNetwork,
    Interface,
    TapNetwork,
    UserNetwork,
    parse_definition,
)
from virevents.errors import DefinitionError

_MAC = "52:54:00:00:00:01"


def _read(xml: str) -> Interface:
    return parse_definition(least_xml(more=f"<devices>\n{xml}\n</devices>")).interfaces[0]


def test_user() -> None:
    card = _read(f"<interface type='user'><mac address='{_MAC}'/></interface>")
    assert card == Interface(mac=_MAC, network=UserNetwork())


@pytest.mark.parametrize("device", ["", "<target dev='vnet0'/>"])
def test_a_name_that_was_given_is_none(device: str) -> None:
    card = _read(f"<interface type='bridge'><source bridge='br0'/>{device}</interface>")
    assert card.network == BridgeNetwork(bridge="br0")
    assert _read(f"<interface type='ethernet'>{device}</interface>").network == TapNetwork()


def test_a_name_of_ones_own() -> None:
    card = _read(
        "<interface type='bridge'><source bridge='br0'/><target dev='web-tap'/></interface>"
    )
    assert card.network == BridgeNetwork(bridge="br0", device="web-tap")
    card = _read("<interface type='ethernet'><target dev='vnet9' managed='no'/></interface>")
    assert card.network == TapNetwork(device="vnet9", is_managed=False)


def test_what_would_not_be_read_back() -> None:
    with pytest.raises(DefinitionError, match="<target@dev>: expected a name other than vnet0"):
        BridgeNetwork(bridge="br0", device="vnet12")
    with pytest.raises(DefinitionError, match="<target@dev>: expected a name other than vnet0"):
        TapNetwork(device="vnet12")


def test_ones_own_device_has_a_name() -> None:
    with pytest.raises(DefinitionError, match="expected the name of the device that is there"):
        TapNetwork(is_managed=False)


@pytest.mark.parametrize("name", ["a" * 16, "", "a b", "a,b", "-a", "a/b", "é"])
def test_names_of_devices(name: str) -> None:
    with pytest.raises(DefinitionError, match="<source@bridge>: expected the name of a network"):
        BridgeNetwork(bridge=name)
