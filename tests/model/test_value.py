# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decorator that makes values: what its products can and cannot do."""

import copy
import gc
import inspect
import pickle
import weakref
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.model import field_names, value_class


@value_class
class Point:
    """A value with a default and a class variable."""

    dimensions: ClassVar[int] = 2

    x: int
    y: int = 5

    def norm(self) -> int:
        return abs(self.x) + abs(self.y)


@value_class
class Labelled(Point):
    """A value that inherits fields."""

    label: str = ""


@value_class
class Other:
    """The fields of ``Point`` in another class."""

    x: int
    y: int = 5


@value_class
class Nothing:
    """A value without fields."""


class Offered:
    """A base whose attributes are fields of its subclasses, wherever they put them."""

    __slots__ = ("_tag",)

    _tag: str

    @property
    def tag(self) -> str:
        return self._tag


@value_class
class Tagged(Offered):
    """A value that takes up what its base offers."""

    number: int
    tag: str


points = st.builds(Labelled, st.integers(), st.integers(), st.text())


@pytest.mark.parametrize("name", ["x", "y", "nonsense"])
def test_read_only(name: str) -> None:
    point = Point(1)
    with pytest.raises(AttributeError):
        setattr(point, name, 2)
    with pytest.raises(AttributeError):
        delattr(point, name)
    assert (point.x, point.y) == (1, 5)
    assert not hasattr(point, "__dict__")


@given(points, points)
def test_by_value(one: Labelled, other: Labelled) -> None:
    same = (one.x, one.y, one.label) == (other.x, other.y, other.label)
    assert (one == other) is same
    assert (one != other) is not same
    assert one == Labelled(one.x, one.y, one.label)
    assert hash(one) == hash(Labelled(one.x, one.y, one.label))


def test_by_value_includes_the_class() -> None:
    others: list[object] = [Other(1), Labelled(1), (1, 5), Point(1, 6)]
    assert all(Point(1) != other for other in others)
    assert len({hash(Point(1)), hash(Other(1)), hash(Labelled(1))}) > 1
    assert Nothing() == Nothing()


@given(points)
def test_round_trip(point: Labelled) -> None:
    assert copy.copy(point) == point
    assert copy.deepcopy(point) == point
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(point, protocol)) == point


def test_weak() -> None:
    point = Labelled(1)
    reference = weakref.ref(point)
    assert reference() is point
    del point
    gc.collect()
    assert reference() is None


def test_constructor_takes_base_fields_first_and_knows_defaults() -> None:
    assert field_names(Labelled) == ("x", "y", "label")
    assert Labelled(1, label="a") == Labelled(1, 5, "a")
    assert str(inspect.signature(Point)) == "(x: int, y: int = 5) -> None"
    with pytest.raises(TypeError, match=r"Point.__init__\(\) missing 1 required.*'x'"):
        Point()  # type: ignore[call-arg]


def test_a_base_can_offer_what_its_subclass_places() -> None:
    tagged = Tagged(1, "a")
    assert field_names(Tagged) == ("number", "tag")
    assert tagged.tag == "a"
    assert vars(Offered)["tag"].fget(tagged) == "a"
    assert "_tag" not in Tagged.__dict__["__slots__"]


def test_methods_class_variables_and_docstring_stay() -> None:
    assert Point(-1, 2).norm() == 3
    assert Point.dimensions == 2
    assert Point.__doc__ == "A value with a default and a class variable."
    assert Point.__qualname__ == "Point"
    assert Point.__module__ == __name__


def test_shown_by_its_fields() -> None:
    assert repr(Labelled(1, 2, "a")) == "Labelled(x=1, y=2, label='a')"
    assert repr(Nothing()) == "Nothing()"


def test_matches_by_position() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_refuses_what_is_no_value_class() -> None:
    with pytest.raises(TypeError, match="expected a value class, met int"):
        field_names(int)


def test_refuses_a_field_without_default_after_one_with() -> None:
    class Bad(Point):
        __slots__ = ()
        z: int

    with pytest.raises(TypeError, match=r"Bad\.z: a field without a default"):
        value_class(Bad)


def test_refuses_a_base_without_slots() -> None:
    class Roomy:
        pass

    class Bad(Roomy):
        x: int

    with pytest.raises(TypeError, match=r"Roomy has no __slots__"):
        value_class(Bad)


def test_refuses_annotations_that_are_text() -> None:
    class Bad:
        x: "int"

    with pytest.raises(TypeError, match=r"Bad\.x: expected a type, met the string 'int'"):
        value_class(Bad)
