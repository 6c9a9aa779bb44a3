# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions to XML."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.samples import LEAST, UUID
from tests.definition.strategies import definitions
from virevents.definition import (
    AddressListen,
    Balloon,
    BalloonModel,
    BridgeNetwork,
    Channel,
    DeviceRandom,
    DomainDefinition,
    Interface,
    LiveFacts,
    NullEnd,
    Rng,
    RngModel,
    Serial,
    UnixEnd,
    VncGraphics,
    parse_definition,
    to_xml,
)
from virevents.definition.facts import facts_of
from virevents.definition.tree import Element, parse_tree


def test_least() -> None:
    assert to_xml(LEAST) == (
        "<domain type='test'>\n"
        "  <name>web1</name>\n"
        f"  <uuid>{UUID}</uuid>\n"
        "  <memory unit='KiB'>1024</memory>\n"
        "  <currentMemory unit='KiB'>1024</currentMemory>\n"
        "  <vcpu>1</vcpu>\n"
        "  <os>\n"
        "    <type>hvm</type>\n"
        "  </os>\n"
        "  <on_poweroff>destroy</on_poweroff>\n"
        "  <on_reboot>restart</on_reboot>\n"
        "  <on_crash>destroy</on_crash>\n"
        "</domain>\n"
    )


def test_all() -> None:
    full = replace(LEAST, arch="x86_64", machine="pc", loader="/l", emulator="/e")
    text = to_xml(full, id=7)
    assert text.startswith("<domain type='test' id='7'>\n")
    assert "    <type arch='x86_64' machine='pc'>hvm</type>\n    <loader>/l</loader>\n" in text
    assert "  <devices>\n    <emulator>/e</emulator>\n  </devices>\n</domain>\n" in text


@settings(max_examples=15)
@given(definitions())
def test_stable(definition: DomainDefinition) -> None:
    text = to_xml(definition)
    assert to_xml(parse_definition(text)) == text


@settings(max_examples=15)
@given(definitions())
def test_escaped(definition: DomainDefinition) -> None:
    root = parse_tree(to_xml(definition))
    texts = {child.tag: child.text for child in root.children}
    assert texts["name"] == definition.name
    assert texts.get("title") == definition.title
    assert texts.get("description") == definition.description
    devices = [child for child in root.children if child.tag == "devices"]
    stated = {child.tag for each in devices for child in each.children}
    assert stated <= {each.place.partition("/")[2] for each in facts_of(DomainDefinition).values()}


@settings(max_examples=15)
@given(definitions(), st.integers(1, 10**6))
def test_live(definition: DomainDefinition, number: int) -> None:
    text = to_xml(definition, live=LiveFacts(id=number))
    assert parse_definition(text) == definition
    assert parse_tree(text).attributes["id"] == str(number)


def test_live_facts_of_devices() -> None:
    definition = replace(
        LEAST,
        serials=(Serial(), Serial(alias="ua-log", end=NullEnd())),
        graphics=(VncGraphics(listen=AddressListen()),),
        interfaces=(Interface(mac="52:54:00:00:00:01", network=BridgeNetwork(bridge="br0")),),
        channels=(Channel(end=UnixEnd(), name="agent"),),
        balloon=Balloon(model=BalloonModel.VIRTIO),
    )
    told = {
        "serial0": {"source@path": "/dev/pts/3"},
        "graphics0": {"@port": "5901", "@listen": "127.0.0.1", "listen@address": "127.0.0.1"},
        "net0": {"target@dev": "vnet4"},
        "channel0": {"source@path": "/run/channel/target/agent", "target@state": "connected"},
        "nobody0": {"@x": "1"},
    }
    text = to_xml(definition, live=LiveFacts(id=4, told=told))
    for line in [
        "<source path='/dev/pts/3'/>",
        "<alias name='serial0'/>",
        "<alias name='ua-log'/>",
        "<graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'>",
        "<listen type='address' address='127.0.0.1'/>",
        "<target dev='vnet4'/>",
        "<source mode='bind' path='/run/channel/target/agent'/>",
        "<target type='virtio' name='agent' state='connected'/>",
        "<alias name='balloon0'/>",
    ]:
        assert line in text
    assert "nobody0" not in text
    assert "alias name='graphics0'" not in text
    again = parse_definition(text)
    assert replace(again, graphics=definition.graphics) == definition
    assert again.graphics == (VncGraphics(listen=AddressListen(address="127.0.0.1")),)


def test_what_is_told_as_text() -> None:
    definition = replace(LEAST, rngs=(Rng(model=RngModel.VIRTIO, backend=DeviceRandom()),))
    told = {"rng0": {"backend": "/dev/hwrng"}}
    text = to_xml(definition, live=LiveFacts(id=1, told=told))
    assert "<backend model='random'>/dev/hwrng</backend>" in text


def test_order_is_libvirts() -> None:
    xml = (Path(__file__).parent / "data" / "debian-spice.inactive.xml").read_text()
    written = parse_tree(to_xml(parse_definition(xml)))

    def tags(element: Element) -> list[str]:
        return list(dict.fromkeys(child.tag for child in element.children))

    assert tags(written) == tags(parse_tree(xml))
    assert tags(written.children[-1]) == tags(parse_tree(xml).children[-1])
