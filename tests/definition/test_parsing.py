# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML to definitions."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.samples import LEAST, least_xml
from tests.definition.strategies import definitions
from virevents.definition import (
    DomainDefinition,
    NodeDomain,
    parse_definition,
    parse_node,
    to_xml,
)
from virevents.errors import DefinitionError
from virevents.model import DomainState, canonical_uuid

_CUTS = st.tuples(
    st.integers(0, 400), st.integers(0, 40), st.sampled_from(["", "<", "&", "'", "0"])
)


def _no_file(path: str) -> str:
    raise AssertionError(path)


def test_least() -> None:
    assert parse_definition(least_xml()) == LEAST
    assert parse_definition(least_xml().encode()) == LEAST


@settings(max_examples=15)
@given(definitions(), st.none() | st.integers(1, 10**6))
def test_round_trip(definition: DomainDefinition, running_id: int | None) -> None:
    assert parse_definition(to_xml(definition, id=running_id)) == definition


@settings(max_examples=15)
@given(definitions(), _CUTS)
def test_two_ends(definition: DomainDefinition, cut: tuple[int, int, str]) -> None:
    xml = to_xml(definition)
    at, length, put_in = cut
    try:
        found = parse_definition(xml[:at] + put_in + xml[at + length :])
    except DefinitionError as error:
        assert error.line is not None  # noqa: PT017  (one of two ends)
    else:
        assert parse_definition(to_xml(found)) == found


@pytest.mark.parametrize(
    ("xml", "element", "line"),
    [
        (least_xml(name=""), "name", 2),
        (least_xml(name="a/b"), "name", 2),
        (least_xml(name="a\nb"), "name", 2),
        (least_xml(memory="<memory>0</memory>"), "memory", 4),
        (least_xml(memory="<memory unit='EiB'>99</memory>"), "memory", 4),
        (least_xml(memory=""), "memory", 1),
        (least_xml(more="<vcpu>0</vcpu>"), "vcpu", 6),
        (least_xml(more="<devices>\n<emulator>qemu</emulator></devices>"), "emulator", 7),
        (least_xml(more="<devices>\n<emulator/></devices>"), "emulator", 7),
        (least_xml(more="<on_reboot>coredump-destroy</on_reboot>"), "on_reboot", 6),
        (least_xml().replace("<type>", "<type machine='pc,accel=kvm'>"), "type@machine", 5),
        (least_xml().replace("<type>hvm</type>", ""), "type", 1),
        (least_xml().replace("<name>web1</name>", ""), "name", 1),
        ("<domain/>", "domain@type", 1),
        ("\n<domains/>", "domains", 2),
        (least_xml().replace(" type='test'", ""), "domain@type", 1),
    ],
)
def test_names_it(xml: str, element: str, line: int) -> None:
    with pytest.raises(DefinitionError, match=f"^line {line}: <") as caught:
        parse_definition(xml)
    assert (caught.value.element, caught.value.line) == (element, line)
    assert str(caught.value).count("line ") == 1


def test_a_uuid_is_made_up_where_none_is_stated() -> None:
    xml = least_xml().replace(f"<uuid>{LEAST.uuid}</uuid>", "")
    one, other = parse_definition(xml), parse_definition(xml)
    assert one.uuid != other.uuid
    assert canonical_uuid(one.uuid) == one.uuid
    assert replace(one, uuid=LEAST.uuid) == LEAST


@pytest.mark.parametrize(
    ("stated", "kib"), [("", 1024), ("0", 1024), ("1", 1), ("1024", 1024), ("2000", 1024)]
)
def test_current_memory_is_never_more_than_memory(stated: str, kib: int) -> None:
    more = f"<currentMemory>{stated}</currentMemory>" if stated else ""
    assert parse_definition(least_xml(more=more)).current_memory_kib == kib


class TestNode:
    def test_domains_written_out_and_named(self) -> None:
        paused = least_xml(
            name="paused",
            more="<test:runstate xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>3"
            "</test:runstate>",
        )
        files: dict[str, str | bytes] = {"web.xml": least_xml().encode()}
        node = (
            f"<node>{paused}<domain file='web.xml'/>"
            "<cpu><mhz>6000</mhz></cpu><memory>32000000</memory></node>"
        )
        assert parse_node(node, files.__getitem__) == (
            NodeDomain(replace(LEAST, name="paused"), DomainState.PAUSED),
            NodeDomain(LEAST, DomainState.RUNNING),
        )

    def test_nothing_in_it(self) -> None:
        assert parse_node("<node/>", _no_file) == ()

    @pytest.mark.parametrize(
        ("xml", "element", "line"),
        [
            (least_xml(), "domain", 1),
            ("<node>\n<network/></node>", "network", 2),
            ("<node x='1'/>", "node@x", 1),
            ("<node>text</node>", "node", 1),
            ("<node>\n<domain file='a' type='test'/></node>", "domain@file", 2),
            ("<node>\n<domain file='a'><name/></domain></node>", "domain@file", 2),
            ("<node>\n<domain file='a'>b</domain></node>", "domain@file", 2),
            ("<node>\n<domain type='test'>\n<memtune/></domain></node>", "memtune", 3),
            (f"<node>\n{least_xml(name='a/b')}</node>", "name", 3),
        ],
    )
    def test_names_it(self, xml: str, element: str, line: int) -> None:
        with pytest.raises(DefinitionError) as caught:
            parse_node(xml, _no_file)
        assert (caught.value.element, caught.value.line) == (element, line)

    def test_an_error_in_a_named_file_names_both_places(self) -> None:
        with pytest.raises(
            DefinitionError, match=r"^line 2: in a\.xml: line 6: <memtune>: unexpected element"
        ) as caught:
            parse_node(
                "<node>\n<domain file='a.xml'/></node>", lambda _: least_xml(more="<memtune/>")
            )
        assert (caught.value.element, caught.value.line) == ("memtune", 2)

    def test_what_cannot_be_read_is_not_hidden(self) -> None:
        def read(path: str) -> str:
            raise FileNotFoundError(path)

        with pytest.raises(FileNotFoundError, match=r"a\.xml"):
            parse_node("<node><domain file='a.xml'/></node>", read)
