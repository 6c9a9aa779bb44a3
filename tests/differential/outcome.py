# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came of a step, in one form for both sides, and where the two differ.

Immutable.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tests.interop.libvirtd.stock_client import Json

__all__ = ["Difference", "Event", "Outcome", "differences"]

Event: TypeAlias = tuple[str, str, int, tuple[Json, ...]]
"""Event id without its dashes, the domain's name and id, and what the event says."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step.

    Attributes:
        code: The error's number, or 0.
        text: The error's words, or "".
        result: What a look-up found.
        events: In the order of their coming.
        domains: By name, all that can be seen of each: uuid, id, state, reason, is persistent,
            has a managed save.
    """

    code: int
    text: str
    result: Json
    events: tuple[Event, ...]
    domains: dict[str, tuple[Json, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs.

    Attributes:
        what: "code", "text", "result", "events", or a domain as "domain web1".
        ours: What we say.
        theirs: What libvirt says.
    """

    what: str
    ours: object
    theirs: object

    def __str__(self) -> str:
        """Show both."""
        return f"{self.what}: ours {self.ours!r}, libvirt's {self.theirs!r}"


def differences(ours: Outcome, theirs: Outcome, *, are_words_alike: bool) -> Iterator[Difference]:
    """Give each thing that differs; errors' words only where they are to be alike."""
    if ours.code != theirs.code:
        yield Difference("code", (ours.code, ours.text), (theirs.code, theirs.text))
    elif are_words_alike and ours.text != theirs.text:
        yield Difference("text", ours.text, theirs.text)
    elif ours.result != theirs.result:
        yield Difference("result", ours.result, theirs.result)
    if ours.events != theirs.events:
        yield Difference("events", ours.events, theirs.events)
    for name in sorted(ours.domains.keys() | theirs.domains.keys()):
        our, their = ours.domains.get(name), theirs.domains.get(name)
        if our != their:
            yield Difference(f"domain {name}", our, their)
