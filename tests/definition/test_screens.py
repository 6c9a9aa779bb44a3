# SPDX-License-Identifier: LGPL-2.1-or-later
"""Graphics: ports and where they listen."""

import pytest

from tests.definition.samples import least_xml
from virevents.definition import (
    AddressListen,
    NoListen,
    SpiceGraphics,
    VncGraphics,
    parse_definition,
)
from virevents.errors import DefinitionError


def _read(xml: str) -> VncGraphics | SpiceGraphics:
    return parse_definition(least_xml(more=f"<devices>\n{xml}\n</devices>")).graphics[0]


@pytest.mark.parametrize(
    ("stated", "port"),
    [
        ("", -1),
        ("port='-1'", -1),
        ("autoport='yes'", -1),
        ("port='5903' autoport='yes'", -1),
        ("port='5903'", 5903),
        ("port='5903' autoport='no'", 5903),
    ],
)
def test_ports(stated: str, port: int) -> None:
    assert _read(f"<graphics type='vnc' {stated}/>") == VncGraphics(
        port=port, is_autoport=port == -1
    )


def test_no_port_at_all() -> None:
    with pytest.raises(DefinitionError, match="line 7: <graphics@port>: expected a port or"):
        _read("<graphics type='spice' autoport='no'/>")
    with pytest.raises(DefinitionError, match="<graphics@port>: expected a port or autoport"):
        SpiceGraphics(port=5900)


@pytest.mark.parametrize(
    "xml",
    [
        "<graphics type='vnc' listen='::1'/>",
        "<graphics type='vnc' listen='::1'><listen type='address'/></graphics>",
        "<graphics type='vnc'><listen type='address' address='::1'/></graphics>",
        "<graphics type='vnc' listen='::1'><listen type='address' address='::1'/></graphics>",
    ],
)
def test_an_address_said_once_or_twice(xml: str) -> None:
    assert _read(xml).listen == AddressListen(address="::1")


@pytest.mark.parametrize("listen", ["type='address' address='::2'", "type='none'"])
def test_two_addresses(listen: str) -> None:
    with pytest.raises(DefinitionError, match="line 7: <graphics>: expected the address of") as met:
        _read(f"<graphics type='vnc' listen='::1'><listen {listen}/></graphics>")
    assert met.value.element == "graphics"
    assert _read("<graphics type='vnc'><listen type='none'/></graphics>").listen == NoListen()
