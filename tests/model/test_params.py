# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.model import ParamValue, TypedParams

_VALUES = st.one_of(
    st.integers(), st.booleans(), st.text(), st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.dictionaries(st.text(), _VALUES))
def test_by_value(values: dict[str, ParamValue]) -> None:
    params = TypedParams(values)
    turned = TypedParams(dict(reversed(values.items())))
    assert params == turned
    assert hash(params) == hash(turned)
    assert dict(params) == values
    assert len(params) == len(values)
    assert copy.deepcopy(params) == params
    assert pickle.loads(pickle.dumps(params)) == params
    assert params != TypedParams({**values, "one more": 1})
    assert params != values


def test_read_only() -> None:
    values: dict[str, ParamValue] = {"a": 1}
    params = TypedParams(values)
    values["a"] = 2
    assert params["a"] == 1
    with pytest.raises(TypeError):
        params["a"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        params.more = 2  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        params["b"]


def test_shown_by_its_values() -> None:
    assert repr(TypedParams({"a": 1})) == "TypedParams({'a': 1})"
