# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of the dataclasses, laid out as the XML is: which element may hold what.

It stands apart from the walk because it is made once for each class.

Immutable once made; made under no lock, which is harmless: two threads that lay out one class
at once make equal layouts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from virevents.definition.facts import Facts, Leaf, Part, facts_of
from virevents.definition.kinds import Kind

__all__ = ["Layout", "Slot", "inline_parts", "layout_of", "split_place"]

_STEP: Final = re.compile(r"(?:\{[^}]*\})?[^/@{}]+")  # a namespace may have slashes


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one value goes.

    Attributes:
        place: Where it stands.
        name: The field that it fills; None where it is told by a running domain only.
        kind: What it may be; None for a flag.
    """

    place: str
    name: str | None
    kind: Kind | None


@dataclass(slots=True, eq=False)
class Layout:
    """What one element may have, on behalf of one class.

    Attributes:
        attributes: By name.
        text: Where its text goes, or that it is there; None if it only holds others.
        children: By tag, where its facts are of the same class.
        parts: By tag, with the name of the field, where its facts are objects of their own.
    """

    attributes: dict[str, Slot] = field(default_factory=dict)
    text: Slot | None = None
    children: dict[str, "Layout"] = field(default_factory=dict)
    parts: dict[str, tuple[str, Part]] = field(default_factory=dict)

    @property
    def is_told(self) -> bool:
        """Nothing in it is a fact: there may be several, one by each who tells."""
        slots = [*self.attributes.values(), *([] if self.text is None else [self.text])]
        is_told_here = not self.parts and all(slot.name is None for slot in slots)
        return is_told_here and all(inner.is_told for inner in self.children.values())


def split_place(place: str) -> tuple[list[str], str]:
    """The elements to go through, and the attribute at their end or ""."""
    path, _, attribute = place.rpartition("@") if "@" in place else (place, "", "")
    return [] if path in {"", "."} else _STEP.findall(path), attribute


def layout_of(cls: type[Facts]) -> Layout:
    """The layout of the element that *cls* stands for."""
    key: object = cls
    return _layout(key)


@cache
def _layout(cls: object) -> Layout:
    assert isinstance(cls, type)  # noqa: S101  (a class is hashable, but mypy looks at its objects)
    assert issubclass(cls, Facts)  # noqa: S101
    top = Layout()
    for name, fact in facts_of(cls).items():
        if isinstance(fact, Leaf):
            _put(top, Slot(fact.place, name, fact.kind))
        elif fact.place != ".":
            path, _ = split_place(fact.place)
            _reach(top, path[:-1]).parts[path[-1]] = (name, fact)
    for place, told in cls.TOLD.items():
        _put(top, Slot(place, None, told.kind))
    return top


def _put(top: Layout, slot: Slot) -> None:
    path, attribute = split_place(slot.place)
    layout = _reach(top, path)
    if attribute:
        # What is a fact is not told: a device's own alias stands where a told one would.
        layout.attributes.setdefault(attribute, slot)
    else:
        layout.text = slot


def _reach(top: Layout, path: list[str]) -> Layout:
    layout = top
    for tag in path:
        layout = layout.children.setdefault(tag, Layout())
    return layout


def inline_parts(cls: type[Facts]) -> Mapping[str, Part]:
    """The parts of *cls* that have no element of their own, by the names of their fields."""
    return {
        name: fact
        for name, fact in facts_of(cls).items()
        if isinstance(fact, Part) and fact.place == "."
    }
