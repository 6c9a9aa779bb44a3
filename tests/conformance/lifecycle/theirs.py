# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays scenarios on a real libvirtd with a real QEMU.

Confined to the thread that makes it.
"""

from collections.abc import Iterator
from typing import Final, cast

from tests.conformance.lifecycle.machine import Json, Machine
from tests.conformance.lifecycle.outcome import Identified, Outcome, facts, identified, said, told
from tests.conformance.lifecycle.place import Place
from tests.conformance.lifecycle.scenario import Scenario, Step
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd
from tests.interop.libvirtd.stock_client import StockClient, StockEvent
from virevents.model import EventId

__all__ = ["Theirs"]

# Nothing but time tells that libvirt has no more to say. In all that was measured the longest
# pause before another event was its 0.2 s between two looks whether a QEMU is gone.
_QUIET: Final = 0.6
# What concerns no QEMU is told before its call returns.
_AT_ONCE: Final = frozenset({"define", "rename", "set_autostart", "is_autostarted", "open", "up"})
_PATIENCE: Final = 20.0

# Our words for libvirt's names: it writes PMSUSPEND without a separator.
_EVENT_IDS: Final = {str(event_id).replace("-", ""): str(event_id) for event_id in EventId}


class Theirs:
    """A real libvirtd on which scenarios are played, one after the other.

    Attributes:
        identities: Of each event that was told, whether its domain had an id.
    """

    def __init__(self, libvirtd: PrivateLibvirtd) -> None:
        self._libvirtd: Final = libvirtd
        self._client = StockClient(libvirtd.uri())
        self._is_away = False
        self.identities: Final[list[Identified]] = []

    def close(self) -> None:
        """Let the client go."""
        self._client.close()

    def play(self, scenario: Scenario) -> list[Outcome]:
        """Play a scenario; the last outcome is that of ending whatever it left."""
        with Place(_PATIENCE) as place:
            outcomes = [self._do(step, place) for step in scenario.steps]
            return [*outcomes, self._clear_away(place)]

    def _do(self, step: Step, place: Place) -> Outcome:
        quiet = 0.0 if step.verb in _AT_ONCE else _QUIET
        if step.who == "manager":
            getattr(self, f"_{step.verb}")()
        if step.who == "place":
            place.act(step.verb, *map(str, step.arguments))
        if self._is_away:
            return Outcome(code=0, text="", events=[], domains={})
        if step.who in {"place", "manager"}:
            answer = self._client.ask("take", quiet=quiet)
        elif step.verb == "open":
            answer = self._client.ask("open", self._libvirtd.uri(), on=step.on)
        else:
            arguments = [_written(word, place) for word in step.arguments]
            named: dict[str, Json] = dict(step.named)
            answer = self._client.ask(step.verb, *arguments, on=step.on, quiet=quiet, named=named)
        text = answer.text or said(answer.result)
        return self._outcome(place, answer.code, text, answer.events)

    def _leave(self) -> None:
        self._client.close()
        self._libvirtd.kill()
        self._is_away = True

    def _return(self) -> None:
        self._libvirtd.start_again()
        self._client = StockClient(self._libvirtd.uri())
        self._is_away = False

    def _clear_away(self, place: Place) -> Outcome:
        events = []
        for name, *_ in self._domains():
            events += self._client.ask("destroy", name).events
            events += self._client.ask("undefine", name, managed_save=True, nvram=True).events
        events += self._client.ask("take", quiet=_QUIET).events
        return self._outcome(place, 0, "", events)

    def _outcome(self, place: Place, code: int, text: str, events: list[StockEvent]) -> Outcome:
        self.identities.extend(identified(e.event_id, e.values, e.id) for e in events)
        return Outcome(
            code=code,
            text=place.without_addresses(text),
            events=[
                told(_EVENT_IDS[event.event_id.replace("-", "")], event.name, event.values, place)
                for event in events
            ],
            domains={
                name: facts(
                    state, reason, is_active=number > 0, is_persistent=lasts, has_managed_save=saved
                )
                for name, _, number, state, reason, lasts, saved in self._domains()
            },
        )

    def _domains(self) -> Iterator[tuple[str, str, int, int, int, bool, bool]]:
        domains = self._client.ask("domains").result
        yield from cast("list[tuple[str, str, int, int, int, bool, bool]]", domains)


def _written(word: str | bool | int | Machine, place: Place) -> Json:
    if isinstance(word, Machine):
        return word.xml(place)
    return word.replace("FOLDER", str(place.folder)) if isinstance(word, str) else word
