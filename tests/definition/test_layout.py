# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables, laid out as the XML is."""

import pytest

from tests.definition.classes import CLASSES
from virevents.definition import Disk, DomainDefinition
from virevents.definition.facts import Facts, Leaf, facts_of
from virevents.definition.layout import Layout, inline_parts, layout_of, split_place


@pytest.mark.parametrize(
    ("place", "path", "attribute"),
    [
        ("@type", [], "type"),
        (".", [], ""),
        ("name", ["name"], ""),
        ("os/type@arch", ["os", "type"], "arch"),
        ("{http://a/b}c/d@e", ["{http://a/b}c", "d"], "e"),
    ],
)
def test_places(place: str, path: list[str], attribute: str) -> None:
    assert split_place(place) == (path, attribute)


def _slots(layout: Layout) -> list[str | None]:
    found = [slot.name for slot in layout.attributes.values()]
    found += [] if layout.text is None else [layout.text.name]
    for inner in layout.children.values():
        found += _slots(inner)
    return found + [name for name, _ in layout.parts.values()]


def _parts(layout: Layout) -> list[str]:
    found = [name for name, _ in layout.parts.values()]
    for inner in layout.children.values():
        found += _parts(inner)
    return found


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_fact_has_its_place(cls: type[Facts]) -> None:
    layout, inline = layout_of(cls), inline_parts(cls)
    assert set(facts_of(cls)) - set(inline) == {name for name in _slots(layout) if name}
    assert {name for name, fact in facts_of(cls).items() if not isinstance(fact, Leaf)} == {
        *_parts(layout),
        *inline,
    }


def test_it_is_laid_out_once() -> None:
    assert layout_of(Disk) is layout_of(Disk)


def test_what_is_told_only() -> None:
    domain = layout_of(DomainDefinition)
    assert domain.children["seclabel"].is_told
    assert not domain.children["os"].is_told
    assert not domain.children["devices"].is_told
    assert layout_of(Disk).children["backingStore"].is_told
    assert not layout_of(Disk).children["source"].children
    assert not layout_of(Disk).children["alias"].is_told
