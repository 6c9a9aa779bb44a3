# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a dataclass of facts says where each fact stands in the XML, and checks them all.

The dataclasses of this room are the table of what a definition may have: each field names its
place, its kind and what it is for, and reading, writing, checking and the manual's table follow
from that alone. What no field names is not accepted.

A place is a path from the element of the class: ``os/type@arch`` is an attribute, ``os/cmdline``
an element's text, ``@type`` an attribute of the element itself, and ``.`` the element itself.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_facts.py``:
    always_valid   no object can be made, or replaced, with a fact that is not allowed
    one_place      no two facts of a class stand at one place
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Final, NoReturn

from virevents.definition.kinds import Kind
from virevents.errors import DefinitionError, UnsupportedDefinitionError

__all__ = ["Fact", "Facts", "Leaf", "Part", "Told", "at", "facts_of", "flag", "part", "parts"]

_KEY: Final = "virevents.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A fact that is one value.

    Attributes:
        place: Where it stands.
        kind: What it may be; None for a flag, which is an element that is there or not.
        says: What it is for, for the manual.
    """

    place: str
    kind: Kind | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A fact that is an object, or a tuple of objects, of other facts.

    Attributes:
        place: Its element; ``.`` if it has none of its own and its facts stand in this one.
        choices: The classes that there are, by the word that chooses; "" where there is one.
        key: The attribute that chooses; "" where there is one class.
        is_many: The element may stand several times.
        is_refusal: Another word asks for what there is not (67) and is no fault in the XML (27).
        says: What it is for, for the manual.
    """

    place: str
    choices: Mapping[str, type["Facts"]]
    key: str
    is_many: bool
    says: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What only a running domain's XML tells: read and checked, and no part of a definition.

    Attributes:
        kind: What it may be; None for an element that is only there.
        says: What it tells, for the manual.
    """

    kind: Kind | None
    says: str


Fact = Leaf | Part


def at(place: str, kind: Kind, says: str) -> Mapping[str, Fact]:
    """The metadata of a field that is one value."""
    return {_KEY: Leaf(place=place, kind=kind, says=says)}


def flag(place: str, says: str) -> Mapping[str, Fact]:
    """The metadata of a bool that is true where an empty element stands."""
    return {_KEY: Leaf(place=place, kind=None, says=says)}


def part(
    place: str, of: "type[Facts] | Mapping[str, type[Facts]]", says: str, *, key: str = ""
) -> Mapping[str, Fact]:
    """The metadata of a field that is one object of facts, or None."""
    return {_KEY: _part(place, of, says, key, is_many=False)}


def parts(
    place: str, of: "type[Facts] | Mapping[str, type[Facts]]", says: str, *, key: str = ""
) -> Mapping[str, Fact]:
    """The metadata of a field that is a tuple of objects of facts."""
    return {_KEY: _part(place, of, says, key, is_many=True)}


def _part(
    place: str, of: "type[Facts] | Mapping[str, type[Facts]]", says: str, key: str, *, is_many: bool
) -> Part:
    choices = of if isinstance(of, Mapping) else {"": of}
    is_refusal = any(cls.IS_REFUSAL for cls in choices.values())
    return Part(
        place=place, choices=choices, key=key, is_many=is_many, says=says, is_refusal=is_refusal
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The base of every class of facts.

    Class attributes:
        TAG: The name of the element that errors name; "" where the element has several names.
        IS_REFUSAL: Of a choice among such classes, another word is refused as unsupported (67).
        MADE_UP: Fields that need not be stated in the XML, though they must be made with a value.
        MUST: Fields that must be stated in the XML, though they have a default.
        MISSING: What to raise, by the name of the field, where a fact that must be is not.
        TOLD: What a running domain's XML may have beside the facts, by place.

    Raises:
        DefinitionError: On making one: a fact is not allowed; ``element`` is where it stands.
    """

    TAG: ClassVar[str] = ""
    IS_REFUSAL: ClassVar[bool] = False
    MADE_UP: ClassVar[frozenset[str]] = frozenset()
    MUST: ClassVar[frozenset[str]] = frozenset()
    MISSING: ClassVar[Mapping[str, type[DefinitionError]]] = {}
    TOLD: ClassVar[Mapping[str, Told]] = {}

    def __post_init__(self) -> None:
        """Check each fact, then what they must be together."""
        cls: object = type(self)
        for name, fact in _table(cls).items():
            value: object = getattr(self, name)
            if value is None and name in _optional(cls):
                continue
            try:
                _check(fact, value)
            except ValueError as error:
                self.wrong(fact.place, str(error))
        self.cross_check()

    def cross_check(self) -> None:
        """Check what one fact asks of another; `wrong` tells of it."""

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """Settle, in *facts* as they were read, what the XML may leave out or say twice.

        Args:
            facts: By the name of the field; what was not stated is not in it.
            told: What a running domain's XML told, by place.

        Raises:
            ValueError: The XML contradicts itself.
        """
        del facts, told

    @classmethod
    def wrong(cls, place: str, text: str) -> NoReturn:
        """Say that the fact at *place* cannot be.

        Raises:
            DefinitionError: Always.
        """
        element = element_at(cls.TAG, place)
        raise DefinitionError(f"<{element}>: {text}", element=element)

    @classmethod
    def refuse(cls, place: str, text: str) -> NoReturn:
        """Say that the fact at *place* asks for what there is not.

        Raises:
            UnsupportedDefinitionError: Always.
        """
        element = element_at(cls.TAG, place)
        raise UnsupportedDefinitionError(f"<{element}>: {text}", element=element)


def element_at(tag: str, place: str) -> str:
    """The name that errors give to *place* in an element called *tag*."""
    path, at_sign, attribute = place.partition("@")
    last = path.rpartition("/")[2]
    return f"{last if last not in {'', '.'} else tag}{at_sign}{attribute}"


def facts_of(cls: type[Facts]) -> Mapping[str, Fact]:
    """The facts of a class by the names of its fields, in the order of the XML."""
    key: object = cls
    return _table(key)


@cache
def _table(cls: object) -> Mapping[str, Fact]:
    assert isinstance(cls, type)  # noqa: S101  (a class is hashable, but mypy looks at its objects)
    assert issubclass(cls, Facts)  # noqa: S101
    found: dict[str, Fact] = {}
    for each in fields(cls):
        fact: object = each.metadata[_KEY]
        assert isinstance(fact, Leaf | Part)  # noqa: S101  (a field of facts without a place)
        found[each.name] = fact
    return found


@cache
def _optional(cls: object) -> frozenset[str]:
    assert isinstance(cls, type)  # noqa: S101
    assert issubclass(cls, Facts)  # noqa: S101
    return frozenset(each.name for each in fields(cls) if each.default is None)


def _check(fact: Fact, value: object) -> None:
    if isinstance(fact, Part):
        _check_part(fact, value)
    elif fact.kind is None:
        if not isinstance(value, bool):
            raise ValueError(f"expected True or False, met {value!r}")  # noqa: TRY004
    else:
        fact.kind.check(value)


def _check_part(fact: Part, value: object) -> None:
    objects: tuple[object, ...] = (value,)
    if fact.is_many:
        if not isinstance(value, tuple):
            raise ValueError(f"expected a tuple, met {value!r}")
        objects = value
    for each in objects:
        if type(each) not in fact.choices.values():
            expected = " or ".join(cls.__name__ for cls in fact.choices.values())
            raise ValueError(f"expected {expected}, met {each!r}")
