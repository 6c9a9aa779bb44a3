# SPDX-License-Identifier: LGPL-2.1-or-later
"""The walk that obeys the tables."""

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.classes import CLASSES
from tests.definition.samples import least_xml
from tests.definition.strategies import facts
from virevents.definition import (
    DeviceRandom,
    FileEnd,
    PciAddress,
    Rng,
    parse_definition,
)
from virevents.definition.facts import Facts
from virevents.definition.formatting import element_of
from virevents.definition.reading import make, read
from virevents.definition.tree import parse_tree
from virevents.errors import DefinitionError, UnsupportedDefinitionError

_STATE = "<t:runstate xmlns:t='http://libvirt.org/schemas/domain/test/1.0'>5</t:runstate>"


def _devices(xml: str) -> str:
    return least_xml(more=f"<devices>\n{xml}</devices>")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=8)
@given(data=st.data())
def test_every_fact(cls: type[Facts], data: st.DataObject) -> None:
    made = data.draw(facts(cls))
    draft = read(parse_tree(element_of(made, "top")), cls)
    again = make(draft, cls)
    for each in fields(cls):
        assert getattr(again, each.name) == getattr(made, each.name), each.name


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ("<memtune/>", "memtune"),
        ("<devices>\n<hostdev/></devices>", "hostdev"),
        ("<vcpu cpuset='1'>1</vcpu>", "vcpu@cpuset"),
        ("<vcpu unit='KiB'>1</vcpu>", "vcpu@unit"),
        ("<devices><emulator>/a<b/></emulator></devices>", "b"),
        ("<devices>text</devices>", "devices"),
        ("<features><acpi>on</acpi></features>", "acpi"),
        ("<x:y xmlns:x='urn:z'/>", "{urn:z}y"),
        (
            "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>",
            "{http://libvirt.org/schemas/domain/qemu/1.0}commandline",
        ),
        (_STATE, "{http://libvirt.org/schemas/domain/test/1.0}runstate"),
        (
            "<devices>\n<rng model='virtio'><backend model='random' x='1'/></rng></devices>",
            "backend@x",
        ),
        ("<devices>\n<graphics type='vnc' passwd='secret'/></devices>", "graphics@passwd"),
        ("<devices>\n<interface type='user'><source bridge='b'/></interface></devices>", "source"),
        ("<seclabel type='static'/>", "seclabel@type"),
    ],
)
def test_names_the_stranger(more: str, element: str) -> None:
    with pytest.raises(
        DefinitionError, match=r"unexpected|expected (elements|nothing|one of|`)"
    ) as caught:
        parse_definition(least_xml(more=more))
    assert caught.value.element == element
    assert caught.value.line == 6 + more.count("\n")


@pytest.mark.parametrize(
    "more",
    [
        "<name>web2</name>",
        "<memory>1</memory>",
        "<os/>",
        "<clock offset='utc'/><clock offset='utc'/>",
        "<devices><memballoon model='none'/><memballoon model='none'/></devices>",
        "<devices><disk type='file'><target dev='vda'/><target dev='vdb'/></disk></devices>",
    ],
)
def test_once(more: str) -> None:
    with pytest.raises(DefinitionError, match=r"expected once in <\w+>, met again") as caught:
        parse_definition(least_xml(more=more))
    assert caught.value.line == 6


@pytest.mark.parametrize(
    ("more", "element", "code"),
    [
        ("<vcpu>x</vcpu>", "vcpu", 27),
        ("<vcpu>-1</vcpu>", "vcpu", 27),
        ("<vcpu></vcpu>", "vcpu", 27),
        ("<vcpu>\u0661</vcpu>", "vcpu", 27),
        (f"<vcpu>{'1' * 100_000}</vcpu>", "vcpu", 27),
        ("<vcpu current='2'>1</vcpu>", "vcpu@current", 67),
        ("<currentMemory>1.5</currentMemory>", "currentMemory", 27),
        ("<currentMemory unit='pages'>1</currentMemory>", "currentMemory@unit", 27),
        ("<on_crash>explode</on_crash>", "on_crash", 67),
        ("<cpu mode='foo'/>", "cpu@mode", 67),
        ("<cpu><topology sockets='1'/></cpu>", "topology", 27),
        ("<clock offset='variable'/>", "clock@offset", 67),
        ("<features><smm state='x'/></features>", "smm@state", 27),
        ("<metadata><a/></metadata>", "metadata", 27),
        ("<metadata>text</metadata>", "metadata", 27),
        ("<devices><serial type='tcp'/></devices>", "serial@type", 67),
        ("<devices><disk type='network'/></devices>", "disk@type", 27),
        ("<devices><interface type='network'/></devices>", "interface@type", 27),
        ("<devices><interface type='bridge'/></devices>", "source@bridge", 27),
        ("<devices><audio id='0' type='none'/></devices>", "audio@id", 27),
        ("<devices><audio type='none'/></devices>", "audio@id", 27),
    ],
)
def test_values_that_cannot_be(more: str, element: str, code: int) -> None:
    with pytest.raises(DefinitionError, match=r"line 6: .*expected .* met") as caught:
        parse_definition(least_xml(more=more))
    assert (caught.value.element, caught.value.code) == (element, code)
    assert isinstance(caught.value, UnsupportedDefinitionError) == (code == 67)
    assert len(str(caught.value)) < 300


def test_the_first_line_of_what_stands_twice() -> None:
    disk = "<disk type='file' device='cdrom'>\n<target dev='sda'/>\n</disk>"
    with pytest.raises(DefinitionError, match="each target once, met sda again") as caught:
        parse_definition(_devices(disk + disk))
    assert caught.value.line == 8


@pytest.mark.parametrize("text", ["xen", ""])
def test_type_of_domain(text: str) -> None:
    expected = r"<domain@type>: expected one of test, qemu, kvm; met"
    with pytest.raises(UnsupportedDefinitionError, match=expected):
        parse_definition(f"<domain type='{text}'/>")


def test_what_facts_share_an_element() -> None:
    xml = _devices(
        "<serial type='file'><source path='/a' append='on'/>"
        "<target type='isa-serial' port='1'><model name='isa-serial'/></target>"
        "<alias name='serial0'/></serial>"
        "<rng model='virtio'><backend model='random'>/dev/hwrng</backend>"
        "<address type='pci' bus='0x01' slot='3' multifunction='on'/></rng>"
    )
    definition = parse_definition(xml)
    assert definition.serials[0].end == FileEnd(path="/a", is_append=True)
    assert (definition.serials[0].port, definition.serials[0].alias) == (1, None)
    rng = definition.rngs[0]
    assert isinstance(rng, Rng)
    assert rng.backend == DeviceRandom(path="/dev/hwrng")
    assert rng.address == PciAddress(bus=1, slot=3, multifunction=True)


def test_several_tell_the_same_thing() -> None:
    label = "<seclabel type='dynamic' model='{}'><label>x</label></seclabel>"
    parse_definition(least_xml(more=label.format("dac") + label.format("apparmor")))


def test_a_text_that_is_not_stated() -> None:
    definition = parse_definition(least_xml(more="<cpu><model fallback='allow'/></cpu>"))
    assert definition.cpu is not None
    assert definition.cpu.model is None
