# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions to XML text, one way only: equal definitions give equal text.

It stands apart from the reading, whose freedoms (units, order, what may be left out) are not
wanted here. Where each fact stands is what its table says.

Immutable, but for a tree in the making, which is confined to one call; may be called from any
thread, also under a lock.

Invariants, each with a test of its name in ``tests/definition/test_formatting.py``:
    stable       writing, reading and writing again gives the same text
    escaped      no fact can add an element or an attribute
    live         what a running domain tells is shown beside the facts, and reading it back
                 gives the definition
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from html import escape
from typing import Final

from virevents.definition.aliases import aliases
from virevents.definition.devices import Device
from virevents.definition.domain import DomainDefinition
from virevents.definition.facts import Facts, Leaf, Part, facts_of
from virevents.definition.kinds import Memory
from virevents.definition.layout import inline_parts, split_place
from virevents.definition.opaque import Opaque

__all__ = ["LiveFacts", "element_of", "to_xml"]

_INDENT: Final = "  "
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFacts:
    """What only a running domain has: shown in its live XML, no part of its definition.

    Attributes:
        id: Its number.
        told: By a device's name (see ``aliases``) what it tells, by place: for example
            ``{"serial0": {"source@path": "/dev/pts/3"}, "graphics0": {"@port": "5901"}}``.
    """

    id: int
    told: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Node:
    """An element in the making."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    children: list["_Node | str"] = field(default_factory=list)  # text: XML as it is
    is_part: bool = False

    def reach(self, path: list[str]) -> "_Node":
        """The element at the end of *path*, made where it is not there yet."""
        node = self
        for tag in path:
            node = node.child(tag)
        return node

    def child(self, tag: str) -> "_Node":
        """The last element in it of that tag that is no part, made where there is none."""
        found = self.any_child(tag)
        if found is None or found.is_part:
            found = _Node(tag)
            self.children.append(found)
        return found

    def any_child(self, tag: str) -> "_Node | None":
        """The last element in it of that tag."""
        nodes = (each for each in reversed(self.children) if isinstance(each, _Node))
        return next((each for each in nodes if each.tag == tag), None)


def to_xml(
    definition: DomainDefinition, *, id: int | None = None, live: LiveFacts | None = None
) -> str:
    """The XML of *definition*, ending in a newline.

    Args:
        definition: What to write.
        id: The domain's id while it runs, shown as libvirt shows it; it is no part of the
            definition, and reading it back ignores it.
        live: What else to show of a running domain; its id takes the place of *id*. Reading
            that back gives *definition* all the same.
    """
    root = _Node("domain")
    number = id if live is None else live.id
    _write(root, definition, _NOTHING if number is None else {"@id": str(number)}, live)
    return "".join(f"{line}\n" for line in _lines(root))


def element_of(facts: Facts, tag: str) -> str:
    """The XML of one object of facts alone, as an element called *tag*."""
    root = _Node(tag)
    _write(root, facts, _NOTHING)
    return "".join(f"{line}\n" for line in _lines(root))


def _write(
    node: _Node, facts: Facts, told: Mapping[str, str], live: LiveFacts | None = None
) -> None:
    """Put *facts* into *node*, and over them what is told."""
    for name, inline in inline_parts(type(facts)).items():
        chosen: object = getattr(facts, name)
        node.attributes[inline.key[1:]] = _word(inline, chosen)
    names = aliases(facts) if live is not None and isinstance(facts, DomainDefinition) else {}
    for each in fields(facts):
        value: object = getattr(facts, each.name)
        fact = facts_of(type(facts))[each.name]
        if value is None or (value is False and isinstance(fact, Leaf) and fact.kind is None):
            continue
        if isinstance(fact, Leaf):
            _write_leaf(node, fact, value)
        elif fact.is_many or value != each.default:
            _write_part(node, fact, value, _told(live, names.get(each.name, ())))
    for place, text in told.items():
        _tell(node, place, text)


def _tell(node: _Node, place: str, text: str) -> None:
    """Put what is told where it stands, in the facts' own elements where they have one."""
    path, attribute = split_place(place)
    for tag in path:
        node = node.any_child(tag) or node.child(tag)
    if attribute:
        node.attributes[attribute] = text
    else:
        node.text = text


def _told(live: LiveFacts | None, names: tuple[str, ...]) -> list[Mapping[str, str]]:
    """What each device of one kind tells, its name first."""
    if live is None:
        return []
    return [{"alias@name": name, **live.told.get(name, {})} for name in names]


def _write_leaf(node: _Node, fact: Leaf, value: object) -> None:
    if fact.kind is None:
        path, _ = split_place(fact.place)
        node.reach(path)
        return
    if isinstance(fact.kind, Opaque):
        assert isinstance(value, tuple)  # noqa: S101  (the kind checked it)
        if value:
            node.child(fact.place).children += [str(each) for each in value]
        return
    _write_text(node, fact.place, fact.kind.write(value))
    if isinstance(fact.kind, Memory):
        _write_text(node, f"{fact.place}@unit", "KiB")


def _write_text(node: _Node, place: str, text: str) -> None:
    path, attribute = split_place(place)
    target = node.reach(path)
    if attribute:
        target.attributes[attribute] = text
    else:
        target.text = text


def _write_part(node: _Node, fact: Part, value: object, told: list[Mapping[str, str]]) -> None:
    values: tuple[object, ...] = value if isinstance(value, tuple) else (value,)
    path, _ = split_place(fact.place)
    for count, each in enumerate(values):
        assert isinstance(each, Facts)  # noqa: S101  (checked when it was made)
        if fact.place == ".":
            target = node
        else:
            target = _Node(path[-1], is_part=True)
            node.reach(path[:-1]).children.append(target)
        if fact.key:
            target.attributes[fact.key[1:]] = _word(fact, each)
        tells = dict(told[count]) if count < len(told) else {}
        if not isinstance(each, Device):
            tells.pop("alias@name", None)  # libvirt shows none
        _write(target, each, tells)


def _word(fact: Part, value: object) -> str:
    """The word that chooses the class of *value*."""
    return next(word for word, cls in fact.choices.items() if type(value) is cls)


def _lines(node: _Node, indent: str = "") -> Iterator[str]:
    attributes = "".join(f" {name}='{escape(text)}'" for name, text in node.attributes.items())
    start = f"{indent}<{node.tag}{attributes}"
    if not node.children:
        yield f"{start}/>" if node.text is None else f"{start}>{escape(node.text)}</{node.tag}>"
        return
    yield f"{start}>" if node.text is None else f"{start}>{escape(node.text)}"
    for child in node.children:
        if isinstance(child, str):
            yield f"{indent}{_INDENT}{child}"
        else:
            yield from _lines(child, indent + _INDENT)
    yield f"{indent}</{node.tag}>"
