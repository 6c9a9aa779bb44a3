# SPDX-License-Identifier: LGPL-2.1-or-later
"""The walk that obeys the tables: an element tree to an object of facts.

It stands apart from the tables because it knows none of them: a fact more is a line in a
dataclass, and nothing here. What no table names is an error, because a definition that silently
lost a part of what its author wrote would start another guest than the one that was meant.

Immutable, but for drafts, which are confined to one call.

Invariants, each with a test of its name in ``tests/definition/test_reading.py``:
    names_the_stranger   what no table names is an error with its name and line
    once                 what stands twice and may not is an error
    every_fact           every fact of every class is read from where it stands
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Final, TypeVar

from virevents.definition.facts import Facts, Part, element_at, facts_of
from virevents.definition.kinds import Memory, UnsupportedWordError
from virevents.definition.layout import Layout, Slot, inline_parts, layout_of
from virevents.definition.memory import DEFAULT_UNIT
from virevents.definition.opaque import Opaque
from virevents.definition.tree import Element
from virevents.errors import DefinitionError, UnsupportedDefinitionError

__all__ = ["Draft", "make", "read"]

_Made = TypeVar("_Made", bound=Facts)
_SHOWN: Final = 40  # characters of a wrong text that an error repeats


@dataclass(slots=True, eq=False)
class Draft:
    """An object of facts in the making.

    Attributes:
        cls: The class of what it will be.
        element: Where it stands.
        facts: What was read, by the names of the fields; parts are drafts or lists of them.
        told: What a running domain's XML told, by place.
        lines: Where each element began, by its tag.
    """

    cls: type[Facts]
    element: Element
    facts: dict[str, object] = field(default_factory=dict)
    told: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One class that may own what stands in an element: several share it where one is inline."""

    layout: Layout
    draft: Draft


def read(element: Element, cls: type[Facts], *, prefixes: Mapping[str, str] | None = None) -> Draft:
    """Read *element*, and all in it, as *cls*.

    Args:
        element: Where to begin.
        cls: What it stands for.
        prefixes: Those of namespaces that are declared around it.

    Raises:
        DefinitionError: Something is not accepted, or has a value that is not allowed.
    """
    draft = Draft(cls, element)
    claims = [_Claim(layout_of(cls), draft)]
    keys = set()
    for name, fact in inline_parts(cls).items():
        keys.add(fact.key[1:])
        chosen = _choose(element, fact, _default_choice(cls, name, fact))
        inner = Draft(chosen, element)
        draft.facts[name] = inner
        claims.append(_Claim(layout_of(chosen), inner))
    _walk(element, claims, keys, dict(prefixes or {}))
    return draft


def make(draft: Draft, expected: type[_Made]) -> _Made:
    """The object of a draft, which is one of *expected*; what it refuses is given its line here.

    Raises:
        DefinitionError: A fact is missing or not allowed.
    """
    facts = {name: _made(value) for name, value in draft.facts.items()}
    try:
        draft.cls.settle(facts, draft.told)
        _require(draft, facts)
        made = draft.cls(**facts)
    except DefinitionError as error:
        if error.line is not None or error.element is None:
            raise
        line = _line(draft, error.element.partition("@")[0]) or draft.element.line
        raise type(error)(str(error), element=error.element, line=line) from error
    except ValueError as error:
        draft.element.fail(str(error))
    assert isinstance(made, expected)  # noqa: S101  (the draft was read as that class)
    return made


def _line(draft: Draft, tag: str) -> int | None:
    """Where an element of that tag began: one of the draft's own, or the first in its parts."""
    if tag in draft.lines:
        return draft.lines[tag]
    inner: list[object] = []
    for value in draft.facts.values():
        inner += value if isinstance(value, list) else [value]
    found = (_line(each, tag) for each in inner if isinstance(each, Draft))
    return next((line for line in found if line is not None), None)


def _made(value: object) -> object:
    if isinstance(value, Draft):
        return make(value, Facts)
    if isinstance(value, list):
        return tuple(make(each, Facts) for each in value)
    return value


def _require(draft: Draft, facts: Mapping[str, object]) -> None:
    table = facts_of(draft.cls)
    for each in fields(draft.cls):
        must = each.default is MISSING or each.name in draft.cls.MUST
        if must and each.name not in facts:
            tag = draft.element.tag
            element = element_at(tag, table[each.name].place)
            kind = draft.cls.MISSING.get(each.name, DefinitionError)
            # Where it stands, but says nothing, or where it should stand.
            line = draft.lines.get(element, draft.element.line)
            raise kind(f"<{tag}>: expected <{element}> in it, met none", element=element, line=line)


def _default_choice(cls: type[Facts], name: str, fact: Part) -> str:
    """The word that holds where the attribute that chooses is not there; "" if it must be."""
    default = next(each.default for each in fields(cls) if each.name == name)
    return next((word for word, of in fact.choices.items() if type(default) is of), "")


def _choose(element: Element, fact: Part, otherwise: str) -> type[Facts]:
    if not fact.key:
        return fact.choices[""]
    word = element.attributes.get(fact.key[1:], otherwise)
    if word not in fact.choices:
        expected = f"expected one of {', '.join(fact.choices)}"
        kind = UnsupportedDefinitionError if fact.is_refusal else DefinitionError
        element.fail(f"{expected}; met {word[:_SHOWN]!r}", fact.key[1:], kind)
    return fact.choices[word]


def _walk(element: Element, claims: list[_Claim], keys: set[str], prefixes: dict[str, str]) -> None:
    for claim in claims:
        claim.draft.lines[element.tag] = element.line
    unit = _read_text(element, claims)
    for attribute, text in element.attributes.items():
        if attribute in keys or attribute == unit:
            continue
        owner = next((each for each in claims if attribute in each.layout.attributes), None)
        if owner is None:
            element.fail("unexpected attribute", attribute)
        _put(owner.draft, owner.layout.attributes[attribute], element, text, attribute)
    around = {**prefixes, **element.prefixes}
    met: set[str] = set()
    for child in element.children:
        is_repeated = child.tag in met
        met.add(child.tag)
        _walk_child(element, child, claims, around, is_repeated=is_repeated)


def _read_text(element: Element, claims: list[_Claim]) -> str:
    """Read the text, if there may be one; the name of the attribute that belongs to it, or ""."""
    owner = next((each for each in claims if each.layout.text is not None), None)
    stripped = element.text.strip()
    if owner is None or owner.layout.text is None:
        if stripped:
            element.fail(f"expected elements only, met the text {stripped[:_SHOWN]!r}")
        return ""
    slot = owner.layout.text
    if slot.kind is None and stripped:
        element.fail(f"expected nothing in it, met the text {stripped[:_SHOWN]!r}")
    has_more = owner.layout.attributes and element.attributes
    if stripped or not has_more:  # <model fallback='allow'/> states no model
        _put(owner.draft, slot, element, element.text, None)
    return "unit" if isinstance(slot.kind, Memory) else ""


def _walk_child(
    element: Element,
    child: Element,
    claims: list[_Claim],
    around: dict[str, str],
    *,
    is_repeated: bool,
) -> None:
    holder = next((each for each in claims if child.tag in each.layout.parts), None)
    if holder is not None:
        name, fact = holder.layout.parts[child.tag]
        if is_repeated and not fact.is_many:
            child.fail(f"expected once in <{element.tag}>, met again")
        _read_part(holder.draft, name, fact, child, around)
        return
    inner = [
        _Claim(each.layout.children[child.tag], each.draft)
        for each in claims
        if child.tag in each.layout.children
    ]
    if not inner:
        child.fail(f"unexpected element in <{element.tag}>")
    if is_repeated and not all(each.layout.is_told for each in inner):
        child.fail(f"expected once in <{element.tag}>, met again")
    slot = inner[0].layout.text
    if slot is not None and isinstance(slot.kind, Opaque) and slot.name is not None:
        try:
            inner[0].draft.facts[slot.name] = slot.kind.read_element(child, around)
        except ValueError as error:
            child.fail(str(error))
        return
    _walk(child, inner, set(), around)


def _read_part(draft: Draft, name: str, fact: Part, child: Element, around: dict[str, str]) -> None:
    cls = _choose(child, fact, "")
    if fact.key:
        # What chose the class is no fact of it.
        rest = {key: text for key, text in child.attributes.items() if key != fact.key[1:]}
        child = Element(child.tag, rest, child.line, child.content, child.prefixes)
    inner = read(child, cls, prefixes=around)
    if fact.is_many:
        drafts = draft.facts.setdefault(name, [])
        assert isinstance(drafts, list)  # noqa: S101  (made in the line before)
        drafts.append(inner)
    else:
        draft.facts[name] = inner


def _put(draft: Draft, slot: Slot, element: Element, text: str, attribute: str | None) -> None:
    """Put what *text* states where it belongs; what is as good as not stated is left out."""
    value: object = True
    if slot.kind is not None:
        try:
            if isinstance(slot.kind, Memory):
                value = _memory(slot.kind, element, text)
            else:
                value = slot.kind.read(text)
        except DefinitionError:
            raise
        except UnsupportedWordError as error:
            element.fail(str(error), attribute, UnsupportedDefinitionError)
        except ValueError as error:
            element.fail(str(error), attribute)
    if slot.name is None:
        draft.told[slot.place] = value
    elif value is not None:
        draft.facts[slot.name] = value


def _memory(kind: Memory, element: Element, text: str) -> int:
    kind.read(text)  # what is wrong with the number is no fault of the unit's
    unit = element.attributes.get("unit", DEFAULT_UNIT)
    try:
        return kind.read_with_unit(text, unit)
    except ValueError as error:
        element.fail(str(error), "unit")
