# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of the dataclasses, and the check of every fact."""

from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.classes import CLASSES
from tests.definition.strategies import facts
from virevents.definition import UnixEnd, UnixMode
from virevents.definition.facts import Facts, Leaf, element_at, facts_of
from virevents.definition.layout import split_place
from virevents.errors import DefinitionError, UnsupportedDefinitionError

EACH = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


@EACH
@settings(max_examples=2)
@given(data=st.data())
def test_always_valid(cls: type[Facts], data: st.DataObject) -> None:
    made = data.draw(facts(cls))
    wrong = object()
    for name, fact in facts_of(cls).items():
        with pytest.raises(DefinitionError, match=r"^<.*>: expected .*, met|; met") as caught:
            replace(made, **{name: wrong})
        assert caught.value.element == element_at(cls.TAG, fact.place)


@EACH
def test_none_is_for_what_may_be_left_out(cls: type[Facts]) -> None:
    for each in fields(cls):
        if each.default is not None:
            with pytest.raises((DefinitionError, TypeError)):
                cls(**{each.name: None})


@EACH
def test_one_place(cls: type[Facts]) -> None:
    places = Counter(fact.place for fact in facts_of(cls).values() if fact.place != ".")
    assert [place for place, count in places.items() if count > 1] == []


@EACH
def test_every_fact_and_class_says_what_it_is_for(cls: type[Facts]) -> None:
    assert cls.__doc__
    for name, fact in facts_of(cls).items():
        assert fact.says, name
        assert isinstance(fact, Leaf) or fact.choices
        assert split_place(fact.place) != ([], "") or fact.place == "."


def test_a_wrong_part() -> None:
    with pytest.raises(DefinitionError, match="<source@mode>: expected one of bind, connect"):
        UnixEnd(mode="bind")  # type: ignore[arg-type]
    assert UnixEnd(mode=UnixMode.BIND) == UnixEnd()


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(UnsupportedDefinitionError, match=r"^<source@mode>: expected x, met y$"):
        UnixEnd.refuse("source@mode", "expected x, met y")


@pytest.mark.parametrize(
    ("place", "element"),
    [("@type", "disk@type"), (".", "disk"), ("a/b@c", "b@c"), ("a/b", "b"), ("os", "os")],
)
def test_how_errors_call_a_place(place: str, element: str) -> None:
    assert element_at("disk", place) == element
