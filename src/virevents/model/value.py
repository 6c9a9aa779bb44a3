# SPDX-License-Identifier: LGPL-2.1-or-later
"""Immutable value classes that are cheap to make: the decorator ``value_class``.

An event is made inside a domain's critical section, so what it costs is paid under a lock. A
frozen dataclass stores each field through ``object.__setattr__``, which costs four times as much
as the plain slot stores generated here; type checkers see both as the same thing.

Locking:
    None. Immutable: every field is read-only once the object is made (the one exception,
    an event's sequence number, is ``virevents.model.event.number``).

Invariants, each with a test of its name in ``tests/model/test_value.py``:
    read_only   assigning or deleting a field, or a name that is no field, raises AttributeError
    by_value    two values are equal when their classes and all their fields are
    round_trip  copying and pickling give an equal value
    weak        a value can be referenced weakly
"""

from collections.abc import Callable
from operator import attrgetter
from types import FunctionType
from typing import ClassVar, Final, TypeVar, cast, dataclass_transform, get_origin

__all__ = ["field_names", "value_class"]

_C = TypeVar("_C")
_FIELDS: Final = "__value_fields__"
_DEFAULTS: Final = "__value_defaults__"


def field_names(cls: type[object]) -> tuple[str, ...]:
    """The names of the fields of the value class *cls*, in the order of its constructor.

    Raises:
        TypeError: *cls* is not a value class.
    """
    names: tuple[str, ...] | None = getattr(cls, _FIELDS, None)
    if names is None:
        message = f"expected a value class, met {cls.__qualname__}"
        raise TypeError(message)
    return names


@dataclass_transform(frozen_default=True, kw_only_default=False)
def value_class(cls: type[_C]) -> type[_C]:
    """Make *cls* an immutable value whose annotations are its fields.

    The class is made anew, with slots: it must not use ``super()`` without arguments. What is
    generated: a constructor that takes the fields in order (those of a base that is a value class
    first), read-only properties, ``==`` and ``hash`` by class and fields, ``repr``,
    ``__match_args__``, and pickling. A field of the same name as a slotted property of a base
    (slot ``_name``, property ``name``) takes that slot: so a base can offer attributes whose
    place in the constructor each subclass chooses. A ``ClassVar`` is no field.

    Raises:
        TypeError: A field without a default follows one with, an annotation is a string, or
            a base has no slots.
    """
    own = _own_fields(cls)
    defaults: dict[str, object] = dict(getattr(cls, _DEFAULTS, {}))
    defaults.update({name: cls.__dict__[name] for name in own if name in cls.__dict__})
    names = tuple(dict.fromkeys((*getattr(cls, _FIELDS, ()), *own)))
    _check(cls, names, defaults)
    namespace = _namespace(cls, own)
    namespace.update(_methods(cls.__qualname__, names, defaults, cls.__annotations__))
    # Type checkers know from dataclass_transform what is made here.
    metaclass: type[type] = type(cls)
    return cast("type[_C]", metaclass(cls.__name__, cls.__bases__, namespace))


def _own_fields(cls: type[object]) -> tuple[str, ...]:
    annotations: dict[str, object] = cls.__annotations__
    for name, annotation in annotations.items():
        if isinstance(annotation, str):
            message = f"{cls.__qualname__}.{name}: expected a type, met the string {annotation!r}"
            raise TypeError(message)
    return tuple(
        name for name, annotation in annotations.items() if get_origin(annotation) is not ClassVar
    )


def _check(cls: type[object], names: tuple[str, ...], defaults: dict[str, object]) -> None:
    for base in cls.__mro__[1:-1]:
        if "__slots__" not in base.__dict__:
            message = f"{cls.__qualname__}: its base {base.__qualname__} has no __slots__"
            raise TypeError(message)
    first_default = next((i for i, name in enumerate(names) if name in defaults), len(names))
    for name in names[first_default:]:
        if name not in defaults:
            message = f"{cls.__qualname__}.{name}: a field without a default follows one with"
            raise TypeError(message)


def _namespace(cls: type[object], own: tuple[str, ...]) -> dict[str, object]:
    """The body of the class to be made: the old one, its fields now slots with properties."""
    dropped = {"__dict__", "__weakref__", *own}
    namespace = {name: item for name, item in cls.__dict__.items() if name not in dropped}
    inherited = {slot for base in cls.__mro__[1:-1] for slot in base.__dict__["__slots__"]}
    wanted = ["__weakref__", *(f"_{name}" for name in own)]
    namespace["__slots__"] = tuple(slot for slot in wanted if slot not in inherited)
    namespace.update({name: property(attrgetter(f"_{name}")) for name in own})
    return namespace


def _methods(
    qualname: str,
    names: tuple[str, ...],
    defaults: dict[str, object],
    annotations: dict[str, object],
) -> dict[str, object]:
    """Generate the constructor and the special methods for the fields *names*."""
    mine = "".join(f"self._{name}, " for name in names)
    theirs = "".join(f"other._{name}, " for name in names)
    stores = [f" self._{name} = {name}" for name in names]
    source = (
        (f"def __init__(self, {', '.join(names)}):", *(stores or [" pass"])),
        (
            "def __eq__(self, other):",
            " if other.__class__ is not self.__class__: return NotImplemented",
            f" return ({mine}) == ({theirs})",
        ),
        ("def __hash__(self):", f" return hash((self.__class__, {mine}))"),
        ("def __reduce__(self):", f" return (self.__class__, ({mine}))"),
    )
    made: dict[str, FunctionType] = {}
    # Only code written out as text stores a field with one plain instruction; the text holds
    # nothing but field names, which are identifiers of the class's own body.
    exec("\n".join(line for lines in source for line in lines), {}, made)  # noqa: S102
    for name, method in made.items():
        method.__qualname__ = f"{qualname}.{name}"
    init = made["__init__"]
    init.__defaults__ = tuple(defaults[name] for name in names if name in defaults)
    init.__annotations__ = {name: annotations.get(name) for name in names} | {"return": None}
    return {
        **made,
        "__repr__": _repr_of(names),
        "__match_args__": names,
        _FIELDS: names,
        _DEFAULTS: defaults,
    }


def _repr_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def __repr__(self: object) -> str:  # noqa: N807  (it becomes the class's own)
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return __repr__
