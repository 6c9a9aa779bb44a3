# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays scenarios on this project's own QEMU driver, through what a user holds.

Time decides nothing here: after each step it waits for what the recording says that the step leads
to. What comes too much is seen at the next step, and the last step ends every domain.

Locking:
    ``Told`` has a condition of its own, held for a few steps that run no foreign code.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

import virevents
from tests.conformance.lifecycle.machine import Json, Machine
from tests.conformance.lifecycle.outcome import Identified, Outcome, facts, identified, said, told
from tests.conformance.lifecycle.place import Place
from tests.conformance.lifecycle.scenario import Scenario, Step
from virevents.model import Cause, DomainEvent, LifecycleEvent
from virevents.model.value import field_names

__all__ = ["Played", "play"]

Events = list[list[Json]]

_COMMON: Final = frozenset({"domain", "time", "sequence", "cause"})


class Played(Outcome):
    """What a step led to here, and what libvirt does not tell, or differently.

    Attributes:
        causes: Those of its lifecycle events, in words.
        identities: Of each event, whether its domain had an id.
    """

    causes: list[str]
    identities: list[Identified]


class _Told:
    """The events that came, and those that have been looked at."""

    def __init__(self, place: Place) -> None:
        self._place: Final = place
        self._changed: Final = threading.Condition()
        self._events: list[DomainEvent] = []  # guarded by _changed

    def take(self, event: DomainEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def wait_for(self, expected: Sequence[Events], patience: float) -> None:
        """Return when what came is one of *expected*, or can no longer become one."""

        def is_decided() -> bool:
            came = self._in_words()
            return came in expected or not any(came == one[: len(came)] for one in expected)

        with self._changed:
            self._changed.wait_for(is_decided, patience)

    def taken(self) -> tuple[Events, list[str], list[Identified]]:
        """Hand out what came since the last time, the causes, and whether there was an id."""
        with self._changed:
            words = self._in_words()
            causes = [_cause_words(e.cause) for e in self._events if isinstance(e, LifecycleEvent)]
            identities = [
                identified(e.event_id.word, _values(e), e.domain.id) for e in self._events
            ]
            self._events.clear()
        return words, causes, identities

    def _in_words(self) -> Events:
        return [
            told(event.event_id.word, event.domain.name, _values(event), self._place)
            for event in self._events
        ]


def _values(event: DomainEvent) -> list[object]:
    """Give what libvirt-python hands to a callback: the event's own fields, enums as numbers."""
    names = [name for name in field_names(type(event)) if name not in _COMMON]
    values: list[object] = [getattr(event, name) for name in names]
    return [dict(value) if isinstance(value, Mapping) else value for value in values]


def _cause_words(cause: Cause) -> str:
    manner = {True: ["graceful"], False: ["abrupt"], None: []}[cause.is_graceful]
    reboot = ["reboot"] if cause.is_reboot else []
    found = ["found"] if cause.is_found_at_start else []
    return " ".join([str(cause.requested_by), *manner, *reboot, *found])


_Expected = Sequence[Sequence[Events]]


def play(scenario: Scenario, expected: _Expected, patience: float) -> list[Played]:
    """Play *scenario*; the last outcome is that of ending whatever it left.

    Args:
        scenario: What to play.
        expected: For each step, and for the end, the events that it may lead to.
        patience: How many seconds to wait for them.
    """
    with Place(patience) as place, _Play(place, patience) as one:
        steps = [*scenario.steps, None]
        return [one.do(step, events) for step, events in zip(steps, expected, strict=True)]


class _Play:
    """One play: the connections, what they told, the place."""

    def __init__(self, place: Place, patience: float) -> None:
        self._place: Final = place
        self._patience: Final = patience
        self._told: Final = _Told(place)
        self._connections: Final[dict[str, virevents.Connection]] = {}
        self._return()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _return(self) -> None:
        """Open the driver."""
        main = virevents.open(f"qemu:///embed?root={self._place.folder}/root")
        self._connections["main"] = main
        self._subscription = main.subscribe(self._told.take, event_id="all")

    def _leave(self) -> None:
        """Close every connection, and so the driver."""
        while self._connections:
            self._connections.popitem()[1].close()

    def do(self, step: Step | None, expected: Sequence[Events]) -> Played:
        """Do a step (None: end everything), and wait for what it leads to."""
        code, text = 0, ""
        try:
            if step is None:
                self._clear_away()
            elif step.who == "place":
                self._place.act(step.verb, *map(str, step.arguments))
            elif step.who == "manager":
                getattr(self, f"_{step.verb}")()
            else:
                text = said(self._call(step))
        except virevents.VireventsError as error:
            code, text = error.code, str(error)
        self._told.wait_for(expected, self._patience)
        if self._connections:
            assert self._subscription.drain(self._patience)
        events, causes, identities = self._told.taken()
        return Played(
            code=code,
            text=self._place.without_addresses(text),
            events=events,
            domains=self._domains(),
            causes=causes,
            identities=identities,
        )

    def _domains(self) -> dict[str, str]:
        if not self._connections:
            return {}
        return {
            domain.name: facts(
                *map(int, domain.state()),
                is_active=domain.is_active,
                is_persistent=domain.is_persistent,
                has_managed_save=domain.has_managed_save,
            )
            for domain in self._connections["main"].list()
        }

    def _clear_away(self) -> None:
        for domain in self._connections["main"].list():
            with suppress(virevents.StateError):
                domain.destroy()
            with suppress(virevents.StateError, virevents.DomainNotFoundError):
                domain.undefine(managed_save=True, nvram="remove")

    def _call(self, step: Step) -> object:
        if step.verb == "open":
            self._connections[step.on] = virevents.open(self._connections["main"].uri)
            return None
        connection = self._connections[step.on]
        if step.verb == "close":
            connection.close()
            return None
        arguments = [self._written(word) for word in step.arguments]
        target: object = connection
        if step.verb not in _ON_CONNECTION:
            target, arguments = connection.lookup(str(arguments[0])), arguments[1:]
        if step.verb in _PROPERTIES:
            answer: object = getattr(target, step.verb)
            return answer
        flags = [name for name, _ in step.named if name not in _OURS_ANYWAY]
        named = dict(_flag(step.verb, name) for name in flags)
        if step.verb == "set_autostart":
            named, arguments = {"on": bool(arguments[0])}, []
        method: Callable[..., object] = getattr(target, step.verb)  # type: ignore[explicit-any]
        return method(*arguments, **named)

    def _written(self, word: str | bool | int | Machine) -> str | bool | int:
        if isinstance(word, Machine):
            return word.xml(self._place)
        return word.replace("FOLDER", str(self._place.folder)) if isinstance(word, str) else word


_ON_CONNECTION: Final = frozenset({"define", "create", "restore"})
_PROPERTIES: Final = frozenset({"is_autostarted"})
_OURS_ANYWAY: Final = frozenset({"memory_only"})
_FATES: Final = {"nvram": "remove", "keep_nvram": "keep"}
_IMAGE_VERBS: Final = frozenset({"save", "restore", "managed_save"})


def _flag(verb: str, name: str) -> tuple[str, bool | str]:
    """Give libvirt's flag as the keyword that our methods have for it."""
    if verb in _IMAGE_VERBS:
        return "paused", name == "paused"
    if name in _FATES:
        return "nvram", _FATES[name]
    return ("mode", name) if verb == "core_dump" else (name, True)
