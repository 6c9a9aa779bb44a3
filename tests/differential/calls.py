# SPDX-License-Identifier: LGPL-2.1-or-later
"""Steps as calls: a step in the words of the stock client, and a call done on our connection.

It stands apart from the sides because both arms, the test drivers and real QEMU, call alike.

Immutable: functions and tables only.
"""
# mypy: disable-error-code="explicit-any"
# The operations have different arguments; they come from a story.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import virevents
from tests.differential.story import Step
from tests.interop.libvirtd.stock_client import Json
from virevents.model import DomainEvent, LifecycleEvent, WireEnum
from virevents.model.value import field_names

__all__ = ["LOOKS", "Call", "World", "call_of", "event_values", "run"]


LOOKS: Final = frozenset({"define", "create", "lookup", "lookup_uuid", "is_autostarted"})
"""The verbs whose results are compared: what they name or found."""


class World(Protocol):
    """What a step's words stand for on one side."""

    def xml(self, step: Step) -> str:
        """Return the definition that *step* asks for."""
        ...

    def path(self, letter: str) -> str:
        """Return the file of that letter."""
        ...

    def uuid(self, number: str) -> str:
        """Return the uuid of that number."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call in the words of the stock client (``tests/interop/libvirtd/client.py``)."""

    verb: str
    arguments: tuple[Json, ...]
    flags: tuple[str, ...]


def call_of(step: Step, world: World) -> Call:
    """Say which call a step is."""
    flags = tuple(flag for flag in step.flags() if flag != "garbage")
    if step.verb in _ARGUMENTS:
        return Call(step.verb, _ARGUMENTS[step.verb](step, world), flags)
    return Call(step.verb, (step.name,), flags)


_Arguments = Callable[[Step, World], tuple[Json, ...]]

# What a call takes, where that is not the domain's name alone.
_ARGUMENTS: Final[Mapping[str, _Arguments]] = {
    "define": lambda step, world: (world.xml(step),),
    "create": lambda step, world: (world.xml(step),),
    "restore": lambda step, world: (world.path(step.get("file")),),
    "save": lambda step, world: (step.name, world.path(step.get("file"))),
    "core_dump": lambda step, world: (step.name, world.path(step.get("file"))),
    "rename": lambda step, _: (step.name, step.get("to")),
    "set_autostart": lambda step, _: (step.name, step.get("on") == "yes"),
    "pm_suspend": lambda step, _: (step.name, step.get("target")),
    "lookup_uuid": lambda step, world: (world.uuid(step.get("uuid")),),
    "lookup_id": lambda step, _: (int(step.get("id")),),
}


def run(conn: virevents.Connection, call: Call) -> Json:
    """Do it on our connection; raises what that raises."""
    first, *rest = call.arguments
    named = _NAMED.get(call.verb, _same)(call.flags)
    if call.verb in _ON_CONNECTION:
        return _ON_CONNECTION[call.verb](conn, first, **named)
    domain = conn.lookup(str(first))
    if call.verb == "is_autostarted":
        return domain.is_autostarted
    if call.verb == "set_autostart":
        domain.set_autostart(on=bool(rest[0]))
        return None
    operation: Callable[..., None] = getattr(domain, call.verb)
    operation(*rest, **named)
    return None


def _found_uuid(conn: virevents.Connection, name: Json) -> str:
    return conn.lookup(str(name)).uuid


_ON_CONNECTION: Final[Mapping[str, Callable[..., Json]]] = {
    "define": lambda conn, xml: conn.define(xml).name,
    "create": lambda conn, xml, **named: conn.create(xml, **named).name,
    "restore": lambda conn, path, **named: conn.restore(path, **named) and None,
    "lookup": _found_uuid,
    "lookup_uuid": lambda conn, uuid: conn.lookup_uuid(uuid).name,
    "lookup_id": lambda conn, number: conn.lookup_id(number).name,
}

_Flags = tuple[str, ...]


def _same(flags: _Flags) -> dict[str, Json]:
    return dict.fromkeys(flags, True)


def _mode_of_save(flags: _Flags) -> dict[str, Json]:
    return {"paused": flags[0] == "paused" if flags else None}


def _mode_of_dump(flags: _Flags) -> dict[str, Json]:
    return {"mode": flags[0] if flags else "pause"}


def _fate_of_nvram(flags: _Flags) -> dict[str, Json]:
    fates = {"nvram": "remove", "keep_nvram": "keep"}
    fate = next((fates[flag] for flag in flags if flag in fates), None)
    return {"managed_save": "managed_save" in flags, "nvram": fate}


# The flags of the stock client as our arguments, where they are not the same.
_NAMED: Final[Mapping[str, Callable[[_Flags], dict[str, Json]]]] = {
    "save": _mode_of_save,
    "restore": _mode_of_save,
    "managed_save": _mode_of_save,
    "core_dump": _mode_of_dump,
    "undefine": _fate_of_nvram,
}

_NOT_SAID: Final = {"domain", "time", "sequence", "cause"}


def event_values(event: DomainEvent) -> tuple[Json, ...]:
    """Return what an event says in the numbers and words that libvirt's callbacks get."""
    if isinstance(event, LifecycleEvent):
        return (int(event.event), int(event.detail))
    said = (getattr(event, name) for name in field_names(type(event)) if name not in _NOT_SAID)
    return tuple(_plain(value) for value in said)


def _plain(value: object) -> Json:
    if isinstance(value, WireEnum):
        return int(value)
    return value if isinstance(value, int | str | float) else None
