# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.drivers.qemu.arguments.options import escaped, in_json, in_pairs
from virevents.errors import InternalError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXT, TEXT)
def test_comes_back(value: str, other: str) -> None:
    option, argument = in_json("-device", {"driver": "x", "serial": value, "id": other})
    assert option == "-device"
    assert argument.startswith("{")
    assert read_json(argument) == {"driver": "x", "serial": value, "id": other}
    option, argument = in_pairs("-chardev", "socket", {"path": value, "id": other})
    assert option == "-chardev"
    assert read_pairs(argument) == ("socket", {"path": value, "id": other})


@given(TEXT)
def test_comes_back_without_a_key(value: str) -> None:
    if "=" in value:
        with pytest.raises(InternalError, match="without '='"):
            in_pairs("-vnc", value)
        return
    assert read_pairs(in_pairs("-vnc", f"x{value}", {"a": 1})[1]) == (f"x{value}", {"a": "1"})


def test_json_holds_no_newline_that_qemu_would_refuse() -> None:
    assert in_json("-object", {"a": "x\ny\x7fü𝄞"}) == ["-object", '{"a":"x\\ny\x7fü𝄞"}']


def test_what_is_none_is_not_said() -> None:
    assert in_json("-object", {"a": None, "b": 1, "c": False}) == ["-object", '{"b":1,"c":false}']
    assert in_pairs("-rtc", "", {"a": None, "b": 1, "c": False, "d": True}) == [
        "-rtc",
        "b=1,c=off,d=on",
    ]


def test_escaped() -> None:
    assert escaped("a,b,,c") == "a,,b,,,,c"
