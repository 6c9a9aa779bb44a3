# SPDX-License-Identifier: LGPL-2.1-or-later
"""One event, one line: as text or as JSON.

It stands apart because several threads of the demo print at once: a line is made whole and
written by one call, so that no two mix.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/cli/test_printing.py``:
    one_object     each JSON line is one object, in ASCII, whatever a domain is called
    no_control     no name can move a terminal's cursor or begin a line of its own
    colour         only a terminal gets colour, and not with ``NO_COLOR``
"""

import json
import os
import sys
from collections.abc import Iterable

from virevents.cli.ends import OutputClosed
from virevents.model import (
    Cause,
    DomainEvent,
    Gap,
    Json,
    LifecycleEvent,
    RequestedBy,
    event_fields,
    gap_fields,
)

__all__ = [
    "as_json",
    "as_text",
    "event_words",
    "has_colour",
    "print_line",
    "print_table",
    "printable",
]

_COLOURS = {
    "started": "32",
    "resumed": "32",
    "suspended": "33",
    "pmsuspended": "33",
    "shutdown": "33",
    "stopped": "31",
    "crashed": "1;31",
}

_REQUESTERS = {
    RequestedBy.CALL: "by call",
    RequestedBy.GUEST: "by guest",
    RequestedBy.HOST_SIGNAL: "by host signal",
}

_COMMON = frozenset({"time", "sequence", "event_id", "domain"})


def has_colour() -> bool:
    """Tell whether standard output is a terminal and nobody said no (NO_COLOR)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def print_line(line: str) -> None:
    """Write *line* to standard output at once and whole; from any thread.

    Raises:
        OutputClosed: Nobody reads it any more, or the disk is full.
    """
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error
    except OSError as error:
        raise OutputClosed(f"cannot write: {error}") from error


def print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Write rows of texts in columns, each as wide as its widest text."""
    shown = [tuple(printable(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_line("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """Return *text* with what a terminal would act on written as an escape."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def as_json(uri: str, item: DomainEvent | Gap) -> str:
    """Return one object on one line."""
    if isinstance(item, Gap):
        return json.dumps({"uri": uri, **gap_fields(item)})
    known = event_fields(item)
    ordered: dict[str, Json] = {"time": known.pop("time"), "uri": uri, **known}
    return json.dumps(ordered)


def as_text(item: DomainEvent | Gap, *, prefix: str = "", with_time: bool = False) -> str:
    """Return the words that a person reads.

    Args:
        item: An event, or a gap.
        prefix: Stands before the domain; which host, when there are several.
        with_time: Begin with the event's time.
    """
    if isinstance(item, Gap):
        lost = "an unknown number of" if item.count is None else str(item.count)
        return printable(f"{prefix}gap: {lost} events lost ({item.first} to {item.last})")
    time = f"{event_fields(item)['time']} " if with_time else ""
    words = event_words(item, with_colour=has_colour())
    return f"{time}{printable(prefix + item.domain.name)}: {words}"


def event_words(event: DomainEvent, *, with_colour: bool = False) -> str:
    """Return what happened, and why, in the words that a person reads."""
    if isinstance(event, LifecycleEvent):
        word = str(event.event)
        code = _COLOURS.get(word)
        shown = f"\x1b[{code}m{word}\x1b[0m" if code and with_colour else word
        return " ".join((f"{shown} ({event.detail})", *_because(event.cause)))
    own = {name: value for name, value in event_fields(event).items() if name not in _COMMON}
    facts = " ".join(f"{name}={json.dumps(value)}" for name, value in own.items())
    return f"{event.event_id} {facts}".rstrip()


def _because(cause: Cause) -> tuple[str, ...]:
    """Say on whose wish and as part of what; what is not known is left out."""
    facts = [_REQUESTERS.get(cause.requested_by, "")]
    facts += ["part of a reboot"] if cause.is_reboot else []
    facts += ["found at start"] if cause.is_found_at_start else []
    words = ", ".join(filter(None, facts))
    return (words,) if words else ()
