# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions to XML."""

from dataclasses import replace

from hypothesis import given

from tests.definition.samples import LEAST, UUID, definitions
from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.definition.tree import parse_tree


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


@given(definitions())
def test_stable(definition: DomainDefinition) -> None:
    text = to_xml(definition)
    assert to_xml(parse_definition(text)) == text


@given(definitions())
def test_escaped(definition: DomainDefinition) -> None:
    least, root = parse_tree(to_xml(LEAST)), parse_tree(to_xml(definition))
    tags = [child.tag for child in root.children if child.tag != "devices"]
    assert tags == [child.tag for child in least.children]
    assert root.children[0].text == definition.name
