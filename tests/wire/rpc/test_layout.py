# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layouts, read into kinds."""

import pytest

from virevents.wire.rpc.layout import (
    Array,
    Kind,
    Opaque,
    Optional,
    Record,
    Scalar,
    Text,
    parse_layout,
)

_KINDS: list[tuple[str, Kind]] = [
    ("int", Scalar("i", 4)),
    ("uint", Scalar("I", 4)),
    ("hyper", Scalar("q", 8)),
    ("uhyper", Scalar("Q", 8)),
    ("double", Scalar("d", 8)),
    ("string<9>", Text(9)),
    ("opaque<9>", Opaque(9)),
    ("opaque[16]", Scalar("16s", 16)),
    ("string<9>?", Optional(Text(9))),
    ("int<5>", Array(Scalar("i", 4), 5, is_fixed=False, least_bytes=4)),
    ("int[5]", Array(Scalar("i", 4), 5, is_fixed=True, least_bytes=20)),
    ("string<9><5>", Array(Text(9), 5, is_fixed=False, least_bytes=4)),
    ("Known", Record("Known", 12)),
    ("Known?", Optional(Record("Known", 12))),
    ("Known[2]", Array(Record("Known", 12), 2, is_fixed=True, least_bytes=24)),
]


@pytest.mark.parametrize(("layout", "kind"), _KINDS, ids=[layout for layout, _ in _KINDS])
def test_every_kind(layout: str, kind: Kind) -> None:
    assert parse_layout(layout, {"Known": 12}) == (kind,)


def test_fields_are_read_in_order() -> None:
    assert parse_layout("int hyper", {}) == (Scalar("i", 4), Scalar("q", 8))
    assert parse_layout("", {}) == ()


@pytest.mark.parametrize("layout", ["string", "opaque", "Unknown", "int<>", "int(3)", "3", "int?x"])
def test_no_other(layout: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_layout(layout, {})
