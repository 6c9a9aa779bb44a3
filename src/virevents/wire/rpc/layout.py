# SPDX-License-Identifier: LGPL-2.1-or-later
"""The layout of a structure: the text of the protocol's table, read into kinds.

It stands apart so that neither the table nor the code made from it knows the other's form. The
grammar: fields are separated by blanks; a field is a base (``int``, ``uint``, ``hyper``,
``uhyper``, ``double``, ``string<max>``, ``opaque<max>``, ``opaque[size]`` or the name of a class)
and suffixes: ``?`` what may be absent, ``<max>`` up to so many of it, ``[size]`` exactly so many.

Immutable.

Invariants, each with a test of its name in ``tests/wire/rpc/test_layout.py``:
    every_kind   each form of the grammar is read, with the bytes that it takes at least
    no_other     what is no layout is refused
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Array", "Kind", "Opaque", "Optional", "Record", "Scalar", "Text", "parse_layout"]

WORD_BYTES: Final = 4
"""Everything in XDR is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number of fixed size, or opaque bytes of fixed size.

    Attributes:
        code: Its letter for ``struct``.
        least_bytes: How many bytes it takes.
    """

    code: str
    least_bytes: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string: its length, then its bytes, padded."""

    most: int
    least_bytes: int = WORD_BYTES


@dataclass(frozen=True, slots=True)
class Opaque:
    """Bytes: their number, then they, padded."""

    most: int
    least_bytes: int = WORD_BYTES


@dataclass(frozen=True, slots=True)
class Optional:
    """Something that may be absent: any word but zero, and it, or zero."""

    of: "Kind"
    least_bytes: int = WORD_BYTES


@dataclass(frozen=True, slots=True)
class Array:
    """Several of a kind: their number, then they; *is_fixed*: always *most*, and no number."""

    of: "Kind"
    most: int
    is_fixed: bool
    least_bytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """A structure, or a union, of the table."""

    name: str
    least_bytes: int


Kind = Scalar | Text | Opaque | Optional | Array | Record

_SCALARS: Final[Mapping[str, Scalar]] = {
    "int": Scalar("i", 4),
    "uint": Scalar("I", 4),
    "hyper": Scalar("q", 8),
    "uhyper": Scalar("Q", 8),
    "double": Scalar("d", 8),
}
_FIELD: Final = re.compile(
    r"(?P<base>[A-Za-z]\w*)(?P<size>(?:(?<=string)|(?<=opaque))(?:<\d+>|\[\d+\]))?"
    r"(?P<suffixes>(?:\?|<\d+>|\[\d+\])*)"
)
_SUFFIX: Final = re.compile(r"\?|<\d+>|\[\d+\]")


def parse_layout(layout: str, least_bytes: Mapping[str, int]) -> tuple[Kind, ...]:
    """Read *layout*, field by field.

    Args:
        layout: As the table has it.
        least_bytes: The fewest bytes that each structure takes which the layout names.

    Raises:
        ValueError: It is none, or names a structure that is not known.
    """
    return tuple(_parse_field(field, least_bytes) for field in layout.split())


def _parse_field(field: str, least_bytes: Mapping[str, int]) -> Kind:
    match = _FIELD.fullmatch(field)
    if match is None:
        raise ValueError(f"expected a field's layout, met {field!r}")
    kind = _parse_base(match["base"], match["size"], least_bytes)
    for suffix in _SUFFIX.findall(match["suffixes"]):
        kind = Optional(kind) if suffix == "?" else _parse_array(kind, suffix)
    return kind


def _parse_base(base: str, size: str | None, least_bytes: Mapping[str, int]) -> Kind:
    number = int(size[1:-1]) if size else 0
    if base == "string" and size:
        return Text(number)
    if base == "opaque" and size:
        if size.startswith("<"):
            return Opaque(number)
        # A multiple of a word, as all of the protocol's are: no padding.
        return Scalar(f"{number}s", number)
    if base in _SCALARS:
        return _SCALARS[base]
    if base not in least_bytes:
        raise ValueError(f"expected a base type or a known structure, met {base!r}")
    return Record(base, least_bytes[base])


def _parse_array(of: Kind, suffix: str) -> Array:
    number = int(suffix[1:-1])
    is_fixed = suffix.startswith("[")
    return Array(of, number, is_fixed, of.least_bytes * number if is_fixed else WORD_BYTES)
