# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events and gaps as plain dictionaries, ready for JSON.

It stands apart from the events because their values are for programs and this is for output:
the command line prints it, and later journal and web page do. Enumerations become their words.

Immutable; the functions may be called from any thread, also under a lock.

Invariants, each with a test of its name in ``tests/model/test_encoding.py``:
    only_json   what comes out survives ``json.dumps`` and ``json.loads`` unchanged
    utc_micros  the time is RFC 3339, in UTC, with six digits of microseconds
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from virevents.model.enums import UnknownNumber, WireEnum, WireFlag
from virevents.model.event import DomainEvent
from virevents.model.gap import Gap
from virevents.model.value import field_names

__all__ = ["Json", "event_fields", "format_time", "gap_fields"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can say."""

_COMMON: Final = frozenset({"domain", "time", "sequence"})


def format_time(time: float) -> str:
    """*time*, seconds since the epoch, as RFC 3339 in UTC: ``2026-11-23T09:31:00.250000Z``.

    Raises:
        ValueError: It is not in the years 1 to 9999.
        OverflowError: The same, much further off.
    """
    moment = datetime.fromtimestamp(time, UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def event_fields(event: DomainEvent) -> dict[str, Json]:
    """*event* as a dictionary, keys in the order in which they are best read.

    First what all events have, ``time``, ``sequence``, ``event_id``, ``domain`` (``name``,
    ``uuid``, ``id``); then the fields of its kind, by their names. An enumeration's member is
    its word, a set of flags a list of words.
    """
    own = [name for name in field_names(type(event)) if name not in _COMMON]
    return {
        "time": format_time(event.time),
        "sequence": event.sequence,
        "event_id": event.event_id.word,
        "domain": _encode(event.domain),
        **{name: _encode(getattr(event, name)) for name in own},
    }


def gap_fields(gap: Gap) -> dict[str, Json]:
    """*gap* as a dictionary with the one key ``gap``."""
    return {"gap": _encode(gap)}


def _encode(value: object) -> Json:
    match value:
        case WireEnum() | UnknownNumber():
            return value.word
        case WireFlag():
            return list(value.words)
        case None | bool() | int() | float() | str():
            return value
        case tuple():
            return [_encode(item) for item in value]
        case Mapping():
            return {str(name): _encode(item) for name, item in value.items()}
    return {name: _encode(getattr(value, name)) for name in field_names(type(value))}
