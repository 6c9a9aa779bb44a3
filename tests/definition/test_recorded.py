# SPDX-License-Identifier: LGPL-2.1-or-later
"""What virt-install wrote and libvirt showed, read: nothing is refused, nothing gets lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.definition.recorded import recorded
from virevents.definition import (
    AddressListen,
    DomainDefinition,
    LiveFacts,
    SpiceGraphics,
    VncGraphics,
    parse_definition,
    to_xml,
)
from virevents.definition.tree import Element, parse_tree

_EACH = pytest.mark.parametrize("path", recorded(), ids=lambda path: path.name)


def _said(element: Element, place: str = "") -> set[tuple[str, str, str]]:
    """Everything that an element says, by place: order of siblings of other names aside."""
    found = {(place, f"@{name}", text) for name, text in element.attributes.items()}
    found.add((place, "", element.text.strip()))
    counts: dict[str, int] = {}
    for child in element.children:
        number = counts[child.tag] = counts.get(child.tag, -1) + 1
        found |= _said(child, f"{place}/{child.tag}[{number}]")
    return found


@_EACH
def test_stable(path: Path) -> None:
    definition = parse_definition(path.read_text())
    xml = to_xml(definition)
    assert parse_definition(xml) == definition
    assert to_xml(parse_definition(xml)) == xml
    assert parse_definition(to_xml(definition, live=LiveFacts(id=1))) == definition


@pytest.mark.parametrize("path", recorded("inactive"), ids=lambda path: path.name)
def test_nothing_is_lost(path: Path) -> None:
    xml = path.read_text()
    lost = _said(parse_tree(xml)) - _said(parse_tree(to_xml(parse_definition(xml))))
    # The address is said in <listen> as well.
    assert {(place, name) for place, name, _ in lost} <= {("/devices[0]/graphics[0]", "@listen")}


def _without_expansions(definition: DomainDefinition) -> DomainDefinition:
    """Leave out what libvirt itself works out at start and shows in the live XML as if stated."""
    screens: list[VncGraphics | SpiceGraphics] = []
    for each in definition.graphics:
        is_default = each.listen == AddressListen(address="127.0.0.1")
        screens.append(replace(each, listen=AddressListen()) if is_default else each)
    plain = replace(definition, cpu=None, graphics=tuple(screens))
    return replace(
        plain,
        firmware=None,
        loader=None,
        loader_readonly=None,
        loader_secure=None,
        loader_type=None,
        nvram=None,
        nvram_template=None,
        features=replace(plain.features, smm=None),
    )


@pytest.mark.parametrize("path", recorded("live"), ids=lambda path: path.name)
def test_what_runs_is_what_was_defined(path: Path) -> None:
    live = parse_definition(path.read_text())
    inactive = parse_definition(path.with_name(path.name.replace("live", "inactive")).read_text())
    assert _without_expansions(live) == _without_expansions(inactive)


@pytest.mark.parametrize("path", recorded("install"), ids=lambda path: path.name)
def test_what_was_installed_is_what_was_defined(path: Path) -> None:
    install = parse_definition(path.read_text())
    inactive = parse_definition(
        path.with_name(path.name.replace("install", "inactive")).read_text()
    )
    same = ("name", "uuid", "memory_kib", "vcpus", "current_vcpus", "clock", "metadata")
    assert [getattr(install, name) for name in same] == [getattr(inactive, name) for name in same]
    # libvirt puts disks in the order of their buses and targets.
    targets = {each.target: each.source for each in install.disks}
    assert targets == {each.target: each.source for each in inactive.disks}
    assert [each.mac for each in install.interfaces] == [each.mac for each in inactive.interfaces]
