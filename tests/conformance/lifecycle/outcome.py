# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came of a step, in one form for libvirt and for us: plain JSON, in words.

Immutable.
"""

from collections.abc import Sequence
from typing import TypedDict

from tests.conformance.lifecycle.machine import Json
from tests.conformance.lifecycle.place import Place
from virevents.model import Lifecycle, StateAndReason, detail_from_number

__all__ = ["Change", "Identified", "Outcome", "compared", "facts", "identified", "said", "told"]


class Outcome(TypedDict):
    """What came of a step.

    Attributes:
        code: The error's number, or 0.
        text: The error's words; of a question that was answered, the answer.
        events: In the order of their coming: event id, the domain's name, what the event says.
        domains: By name, all that there are: state, reason, what else is true of each.
    """

    code: int
    text: str
    events: list[list[Json]]
    domains: dict[str, str]


Identified = tuple[str, bool]
"""An event in words, and whether its domain had an id: that of one that runs."""


class Change(TypedDict, total=False):
    """What takes the place of some of an outcome's fields."""

    code: int
    events: list[list[Json]]
    domains: dict[str, str]


def facts(
    state: int, reason: int, *, is_active: bool, is_persistent: bool, has_managed_save: bool
) -> str:
    """Give what can be seen of a domain, in words."""
    others = {"active": is_active, "persistent": is_persistent, "saved": has_managed_save}
    words = [*StateAndReason.from_numbers(state, reason), *(w for w, it in others.items() if it)]
    return " ".join(str(word) for word in words)


def compared(outcome: Outcome) -> dict[str, object]:
    """Give what must be equal: all but the words of an error; the answer to a question must be."""
    must: dict[str, object] = {
        "code": outcome["code"],
        "events": outcome["events"],
        "domains": outcome["domains"],
    }
    return must if outcome["code"] else {**must, "answer": outcome["text"]}


def identified(event_id: str, values: Sequence[object], id: int) -> Identified:
    """Say whether an event's domain had an id."""
    if event_id != "lifecycle":
        return event_id.replace("-", ""), id > 0
    return _lifecycle_words(values), id > 0


def said(result: object) -> str:
    """Give the answer to a question as text; nothing for what a call returns besides."""
    return str(result) if isinstance(result, bool) else ""


def told(event_id: str, name: str, values: Sequence[object], place: Place) -> list[Json]:
    """Give an event of libvirt's numbers in the common form.

    Of the figures of a finished job only its kind remains: they count bytes and milliseconds.
    """
    said: list[Json] = []
    if event_id == "lifecycle":
        said = [*_lifecycle_words(values).split()]
    else:
        for value in values:
            match value:
                case str():
                    said.append(place.without_addresses(value))
                case int():
                    said.append(int(value))
                case dict():
                    said.append(f"operation {value['operation']}")
                case _:
                    raise TypeError(f"{event_id}: no form for {value!r}")
    return [event_id, name, *said]


def _lifecycle_words(values: Sequence[object]) -> str:
    event, detail = values
    assert isinstance(event, int)
    assert isinstance(detail, int)
    happened = Lifecycle(event)
    return f"{happened} {detail_from_number(happened, detail)}"
