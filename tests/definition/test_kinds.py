# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kinds of values: one set of rules, for text and for Python."""

from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.strategies import values
from virevents.definition.kinds import (
    LINES,
    MAC,
    MEMORY_KIB,
    NAME,
    NUMBER,
    ON_OFF,
    OPTIONAL_PATH,
    OWN_ALIAS,
    PATH,
    POSITIVE,
    TEXT,
    TEXT_MAX,
    UUID,
    WORD,
    YES_NO,
    Hexadecimal,
    Kind,
    Number,
    Only,
    Pattern,
    UnsupportedWordError,
    Words,
    check_name,
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


KINDS: dict[str, Kind] = {
    "lines": LINES,
    "mac": MAC,
    "memory": MEMORY_KIB,
    "name": NAME,
    "number": NUMBER,
    "negative": Number(-5, 5),
    "on_off": ON_OFF,
    "optional_path": OPTIONAL_PATH,
    "own_alias": OWN_ALIAS,
    "path": PATH,
    "positive": POSITIVE,
    "text": TEXT,
    "uuid": UUID,
    "word": WORD,
    "yes_no": YES_NO,
    "hexadecimal": Hexadecimal(0xFFFF, 4),
    "only": Only("dac", "none"),
    "pattern": Pattern("an a and a digit", "a[0-9]"),
    "words": Words(Colour),
}
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@EACH
@settings(max_examples=20)
@given(data=st.data())
def test_round_trip(kind: Kind, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    kind.check(value)
    assert kind.read(kind.write(value)) == value


@EACH
@settings(max_examples=20)
@given(text=st.text())
def test_same_rules(kind: Kind, text: str) -> None:
    try:
        value = kind.read(text)
    except ValueError as error:
        assert len(str(error)) < 300  # noqa: PT017  (one of two ends)
    else:
        if value is not None and kind is not MEMORY_KIB:  # 0 is read, and settled later
            kind.check(value)


@EACH
@pytest.mark.parametrize("character", ["\x00", "\x1f", "\x7f", "\x85", "\ud800", "\uffff"])
def test_no_controls(kind: Kind, character: str) -> None:
    for text in (f"/a{character}b", f"a{character}", f"ua-{character}", character):
        try:
            value = kind.read(text)
        except ValueError:
            continue
        assert character not in str(value)  # blanks around words are taken off


@EACH
@pytest.mark.parametrize("value", [object(), 1.5, b"x", [], Colour])
def test_other_types_are_refused(kind: Kind, value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        kind.check(value)


@EACH
def test_each_says_what_it_may_be(kind: Kind) -> None:
    assert kind.says


def test_a_word_alone_is_no_member() -> None:
    Words(Colour).check(Colour.RED)
    with pytest.raises(ValueError, match="expected one of red, green; met 'red'"):
        Words(Colour).check("red")


def test_a_bool_is_no_number() -> None:
    with pytest.raises(ValueError, match="expected a whole number, met True"):
        NUMBER.check(value=True)


def test_a_refusal_is_another_error() -> None:
    with pytest.raises(UnsupportedWordError, match="expected one of red, green; met 'blue'"):
        Words(Colour, is_refusal=True).read("blue")
    with pytest.raises(ValueError, match="met 'blue'") as caught:
        Words(Colour).read("blue")
    assert not isinstance(caught.value, UnsupportedWordError)


@pytest.mark.parametrize(
    ("text", "number"), [("0x1f", 31), (" 0X1F ", 31), ("31", 31), ("0", 0), ("0x00", 0)]
)
def test_hexadecimal(text: str, number: int) -> None:
    assert Hexadecimal(0xFF, 2).read(text) == number
    assert Hexadecimal(0xFF, 2).write(number) == f"0x{number:02x}"


@pytest.mark.parametrize("text", ["010", "0x", "1f", "-1", "0x100", "x", "", "0x1_0", "\u0661"])
def test_no_hexadecimal(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        Hexadecimal(0xFF, 2).read(text)


@pytest.mark.parametrize(("text", "number"), [("-5", -5), ("5", 5), (" 0 ", 0)])
def test_numbers_below_zero(text: str, number: int) -> None:
    assert Number(-5, 5).read(text) == number


@pytest.mark.parametrize("text", ["--5", "-", "6", "-6", "1_0", "1" * 100_000, "+1", "1e3"])
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Number(-5, 5).read(text)


def test_an_alias_that_a_hypervisor_gave_is_none() -> None:
    assert OWN_ALIAS.read("virtio-disk0") is None
    assert OWN_ALIAS.read(" ua-root ") == "ua-root"
    with pytest.raises(ValueError, match="'ua-' and a word"):
        OWN_ALIAS.read("ua-a,b")


def test_a_path_that_may_be_left_out() -> None:
    assert OPTIONAL_PATH.read(" \n") is None
    assert OPTIONAL_PATH.read("/a b") == "/a b"
    with pytest.raises(ValueError, match="expected an absolute path, met 'a'"):
        OPTIONAL_PATH.read("a")


def test_the_address_of_one_card() -> None:
    assert MAC.read(" 52:54:00:AA:bb:0C ") == "52:54:00:aa:bb:0c"
    with pytest.raises(ValueError, match="expected the address of one card"):
        MAC.read("53:54:00:aa:bb:0c")


def test_text_is_bounded() -> None:
    assert TEXT.read("a" * TEXT_MAX) == "a" * TEXT_MAX
    with pytest.raises(ValueError, match=f"at most {TEXT_MAX} characters, met {TEXT_MAX + 1}"):
        TEXT.read("a" * (TEXT_MAX + 1))


def test_lines() -> None:
    assert LINES.read("a\n\tb") == "a\n\tb"
    with pytest.raises(ValueError, match="without control characters"):
        LINES.read("a\rb")


@pytest.mark.parametrize("name", ["a", " a ", "-", "a b", "é", "日本", "...", ".a", "a" * 300])
def test_names_that_may_be(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "\t", "a/b", "/", ".", "..", "a\nb", "a\x7f", "a\x85", "\ud800", "\uffff"]
)
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_name(name)
