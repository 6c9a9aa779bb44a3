# SPDX-License-Identifier: LGPL-2.1-or-later
"""From what a user writes ("lifecycle", a ``Domain``, "started,stopped") to a ``Filter``.

It stands apart because subscriptions, streams, expectations and the command line all take the
same words, and each wrong one deserves the same clear error.

Immutable: functions only.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import TypeAlias

from virevents.connection.domain import Domain
from virevents.dispatch import Filter
from virevents.errors import InvalidArgumentError
from virevents.model import EventId, Lifecycle

__all__ = ["EventIds", "Only", "make_filter"]

EventIds: TypeAlias = EventId | str | Collection[EventId | str]
"""One event id, or several: members or their words; "all" for every one."""

Only: TypeAlias = Collection[Lifecycle | str]
"""Lifecycle events: members or their words."""


def make_filter(
    event_id: EventIds = "lifecycle",
    domain: Domain | str | None = None,
    only: Only | None = None,
) -> Filter:
    """Make a filter of a user's words.

    Args:
        event_id: Which kinds.
        domain: Of which domain, by handle or by canonical uuid; None for all.
        only: Which lifecycle events; None for all.

    Raises:
        InvalidArgumentError: A word is not known; the text lists those that are.
    """
    uuid = domain.uuid if isinstance(domain, Domain) else domain
    return _shared(_event_ids(event_id), uuid, None if only is None else _lifecycles(only))


@lru_cache(maxsize=1024)
def _shared(
    event_ids: frozenset[EventId] | None, uuid: str | None, only: frozenset[Lifecycle] | None
) -> Filter:
    # One object for equal filters: the flush works out once what each of them accepts.
    return Filter(event_ids, uuid, only)


def _event_ids(given: EventIds) -> frozenset[EventId] | None:
    if given == "all":
        return None
    several = (given,) if isinstance(given, (EventId, str)) else tuple(given)
    if not several:
        raise InvalidArgumentError("expected at least one event id, met none")
    return frozenset(_one_event_id(one) for one in several)


def _one_event_id(given: EventId | str) -> EventId:
    if isinstance(given, EventId):
        return given
    try:
        return EventId.parse(given)
    except (ValueError, TypeError) as error:
        raise InvalidArgumentError(str(error)) from error


def _lifecycles(given: Only) -> frozenset[Lifecycle]:
    if isinstance(given, str):
        raise InvalidArgumentError(f"only: expected a set of lifecycle events, met {given!r}")
    try:
        return frozenset(
            one if isinstance(one, Lifecycle) else Lifecycle.parse(one) for one in given
        )
    except (ValueError, TypeError) as error:
        raise InvalidArgumentError(f"only: {error}") from error
