# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters: the immutable name-to-value mapping that some events carry.

It stands apart because an event must be hashable and unchangeable, and a dict is neither.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_params.py``:
    read_only   neither the mapping nor the dict it was made from can change it
    by_value    equal mappings are equal and have equal hashes, whatever the order
"""

from collections.abc import Iterator, Mapping
from typing import Final, Self, TypeAlias, final

from virevents.model.overriding import override

__all__ = ["ParamValue", "TypedParams"]

ParamValue: TypeAlias = int | float | bool | str
"""What a typed parameter may hold."""


@final
class TypedParams(Mapping[str, ParamValue]):
    """A mapping of names to numbers, booleans and strings that never changes.

    Args:
        values: Copied, in its order.
    """

    __slots__ = ("__weakref__", "_values")

    def __init__(self, values: Mapping[str, ParamValue]) -> None:
        self._values: Final = dict(values)

    @override
    def __getitem__(self, name: str) -> ParamValue:
        return self._values[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TypedParams):
            return NotImplemented
        return self._values == other._values

    @override
    def __repr__(self) -> str:
        return f"TypedParams({self._values!r})"

    @override
    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, ParamValue]]]:
        return (type(self), (self._values,))
