# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enumerations with libvirt's numbers and our words."""

import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.libvirt_table import LIBVIRT, members, shown_names
from virevents import model
from virevents.model import UnknownNumber, WireEnum, WireFlag

ENUMS: list[type[WireEnum]] = [
    item
    for item in (getattr(model, name) for name in model.__all__)
    if isinstance(item, type) and issubclass(item, WireEnum) and item is not WireEnum
]


class Shade(WireEnum):
    LIGHT = 0
    VERY_DARK = 3


class Bits(WireFlag):
    FIRST = 1
    SECOND_ONE = 2


def test_every_enumeration_of_the_table_is_ours_and_the_other_way_round() -> None:
    flags = 1  # virDomainMemoryFailureFlags
    ours_alone = 1  # RequestedBy
    assert len(ENUMS) - ours_alone == len(LIBVIRT["enums"]) - flags


@pytest.mark.parametrize("enum", ENUMS)
def test_one_word(enum: type[WireEnum]) -> None:
    assert [enum.parse(str(member)) for member in enum] == list(enum)
    for member in enum:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", member.word)
        assert enum.from_number(int(member)) is member


def test_word_and_number() -> None:
    assert str(Shade.VERY_DARK) == f"{Shade.VERY_DARK}" == Shade.VERY_DARK.word == "very-dark"
    assert f"{Shade.LIGHT:>8}" == "   light"
    assert int(Shade.VERY_DARK) == 3
    assert copy.deepcopy(Shade.LIGHT) is Shade.LIGHT
    assert pickle.loads(pickle.dumps(Shade.LIGHT)) is Shade.LIGHT


@pytest.mark.parametrize("text", ["LIGHT", "dark", "", "0"])
def test_parse_says_what_it_expected_and_met(text: str) -> None:
    with pytest.raises(ValueError, match=rf"Shade: expected one of light, very-dark; met '{text}'"):
        Shade.parse(text)


@given(st.integers(-(2**31), 2**31 - 1))
def test_no_surprise(number: int) -> None:
    found = Shade.from_number(number)
    assert int(found) == number
    if number not in {0, 3}:
        assert isinstance(found, UnknownNumber)
        assert str(found) == f"{found}" == found.word == f"unknown-{number}"
        assert repr(found) == f"UnknownNumber({number})"
        assert pickle.loads(pickle.dumps(found)) == found


def test_flags_show_their_words_and_keep_unknown_bits() -> None:
    assert Bits(3).words == ("first", "second-one")
    assert f"{Bits(3)}" == str(Bits(3)) == "first,second-one"
    assert Bits(0).words == ()
    assert Bits(14).words == ("second-one", "unknown-12")
    assert int(Bits(14)) == 14


def test_flags_of_memory_failure_are_libvirts() -> None:
    theirs = LIBVIRT["enums"]["virDomainMemoryFailureFlags"]
    assert list(members(model.MemoryFailureFlags).values()) == list(theirs.values())
    assert [name.rpartition("FAILURE_")[2] for name in theirs] == list(
        members(model.MemoryFailureFlags)
    )


def test_the_tables_prefix_is_checked() -> None:
    with pytest.raises(AssertionError):
        shown_names("virDomainState", "VIR_NOTHING_")
