# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sizes with units. The expected sizes are what libvirt 9.0.0's test driver made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.definition.memory import DEFAULT_UNIT, UNITS, to_kib

_LIBVIRTS = {
    "b": 2930,
    "byte": 2930,
    "bytes": 2930,
    "Bytes": 2930,
    "B": 2930,
    "k": 3_000_000,
    "kib": 3_000_000,
    "KIB": 3_000_000,
    "KiB": 3_000_000,
    "kb": 2_929_688,
    "KB": 2_929_688,
    "m": 3_072_000_000,
    "M": 3_072_000_000,
    "miB": 3_072_000_000,
    "mb": 2_929_687_500,
    "Mb": 2_929_687_500,
    "T": 3_221_225_472_000_000,
    "tb": 2_929_687_500_000_000,
}


@pytest.mark.parametrize(("unit", "kib"), _LIBVIRTS.items())
def test_libvirts_units(unit: str, kib: int) -> None:
    assert to_kib(3_000_000, unit) == kib


@pytest.mark.parametrize("unit", ["", "x", "kBi", "Ki", "KiBs", " KiB", "iB"])
def test_libvirts_units_only(unit: str) -> None:
    with pytest.raises(ValueError, match="expected a unit"):
        to_kib(1, unit)


@given(st.integers(0, 2**64), st.sampled_from(sorted(UNITS)))
def test_rounds_up(number: int, unit: str) -> None:
    size = number * UNITS[unit]
    assert size <= to_kib(number, unit) * 1024 < size + 1024


def test_default_changes_nothing() -> None:
    assert to_kib(77, DEFAULT_UNIT) == 77
