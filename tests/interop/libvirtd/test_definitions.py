# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions, as ours writes them, in a real libvirt: it understands what was meant.

Ours reads what virt-install wrote or libvirt showed and writes it its own way. Of both texts
libvirt makes one definition, to the letter. Faults get one code from both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.definition.recorded import recorded
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd, need_libvirtd
from tests.interop.libvirtd.stock_client import StockClient
from virevents.definition import parse_definition, to_xml
from virevents.errors import DefinitionError

pytestmark = pytest.mark.libvirt

_NEEDED: Final = "<name>web1</name><memory>65536</memory><os><type>hvm</type></os>"


@pytest.fixture(scope="module")
def stock() -> Iterator[StockClient]:
    need_libvirtd()
    with PrivateLibvirtd() as libvirtd, StockClient(libvirtd.uri()) as client:
        yield client


def _defined(stock: StockClient, xml: str) -> str:
    """What libvirt makes of *xml*; it forgets it afterwards."""
    answer = stock.ask("define", xml)
    assert answer.code == 0, answer.text
    shown = stock.ask("xml", answer.result, inactive=True).result
    assert isinstance(shown, str)
    stock.ask("undefine", answer.result, nvram=True)
    return shown


@pytest.mark.parametrize(
    "path", [*recorded("install"), *recorded("inactive")], ids=lambda path: path.name
)
def test_both_texts_are_one_definition(stock: StockClient, path: Path) -> None:
    xml = path.read_text()
    assert _defined(stock, to_xml(parse_definition(xml))) == _defined(stock, xml)


# Of live XML libvirt keeps the image behind another as if it had been set by hand; ours does not.
_SAME = [path for path in recorded("live") if path.name != "overlay.live.xml"]


@pytest.mark.parametrize("path", _SAME, ids=lambda path: path.name)
def test_live_xml_is_the_definition_too(stock: StockClient, path: Path) -> None:
    xml = path.read_text()
    ours = _defined(stock, to_xml(parse_definition(xml)))
    # libvirt takes a few things from live XML that only a running domain tells.
    assert parse_definition(ours) == parse_definition(_defined(stock, xml))


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "no XML",
        "<domain type='qemu'>",
        "<foo/>",
        "<domain type='qemu'><memory>1</memory><os><type>hvm</type></os></domain>",
        f"<domain type='foo'>{_NEEDED}</domain>",
        "<domain type='qemu'><name>web1</name><os><type>hvm</type></os></domain>",
        f"<domain type='qemu'>{_NEEDED.replace('web1', 'a/b')}</domain>",
        *[
            f"<domain type='qemu'>{_NEEDED}{more}</domain>"
            for more in [
                "<vcpu>x</vcpu>",
                "<vcpu current='3'>2</vcpu>",
                "<on_crash>bogus</on_crash>",
                "<on_poweroff>coredump-destroy</on_poweroff>",
                "<cpu mode='foo'/>",
                "<clock offset='foo'/>",
                "<clock offset='utc'><timer name='foo'/></clock>",
                "<features><vmport state='x'/></features>",
                *[
                    f"<devices>{device}</devices>"
                    for device in [
                        "<disk device='foo'><source file='/a'/><target dev='vda'/></disk>",
                        "<disk><source file='/a'/><target dev='xx'/></disk>",
                        "<disk><source file='/a'/><target dev='vda' bus='foo'/></disk>",
                        "<disk><driver type='foo'/><source file='/a'/><target dev='vda'/></disk>",
                        "<disk><source file='/a'/><target dev='vda'/></disk>" * 2,
                        "<interface type='foo'/>",
                        "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>",
                        "<controller type='foo'/>",
                        "<controller type='usb' model='foo'/>",
                        "<graphics type='foo'/>",
                        "<video><model type='foo'/></video>",
                        "<memballoon model='foo'/>",
                        "<watchdog model='foo'/>",
                        "<watchdog model='ib700' action='foo'/>",
                        "<rng model='foo'/>",
                        "<input type='foo'/>",
                        "<serial type='foo'/>",
                        "<panic model='foo'/>",
                        "<sound model='foo'/>",
                        "<input type='tablet'><address type='foo'/></input>",
                        "<interface type='user'><boot order='1'/></interface>" * 2,
                    ]
                ],
            ]
        ],
    ],
)
def test_faults_have_one_code(stock: StockClient, xml: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(xml)
    assert caught.value.code == stock.ask("define", xml).code
