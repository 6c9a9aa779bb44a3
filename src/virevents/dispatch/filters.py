# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a callback wants, and which events of a batch those are.

It stands apart because it is judged on the loop thread, for every callback and every flush:
declared data only, no user's code, and the work shared by callbacks that want the same.

Immutable (``Filter``); confined to one flush (``Batch``).

Invariants, each with a test of its name in ``tests/dispatch/test_filters.py``:
    exact       ``matching`` gives the events that ``Filter.accepts`` accepts, in order
    not_before  no event numbered at or before a callback's start matches it (C4)
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from virevents.model import DomainEvent, EventId, Lifecycle, LifecycleEvent, value_class

if TYPE_CHECKING:
    from virevents.dispatch.callback import Callback

__all__ = ["Batch", "Filter"]

_sequence: Final[Callable[[DomainEvent], int]] = attrgetter("_sequence")


@value_class
class Filter:
    """Which events a callback wants.

    Attributes:
        event_ids: Of these kinds; None means every kind.
        domain_uuid: Of this domain; None means every domain. Only the uuid names a domain:
            its id changes from run to run, and it may be renamed.
        only: Of lifecycle events, these; None means all nine. Other kinds are not judged by it.
    """

    event_ids: frozenset[EventId] | None = frozenset({EventId.LIFECYCLE})
    domain_uuid: str | None = None
    only: frozenset[Lifecycle] | None = None

    def accepts(self, event: DomainEvent) -> bool:
        """Tell whether *event* is wanted."""
        if self.event_ids is not None and event.event_id not in self.event_ids:
            return False
        if self.domain_uuid is not None and event.domain.uuid != self.domain_uuid:
            return False
        return (
            self.only is None or not isinstance(event, LifecycleEvent) or event.event in self.only
        )


class Batch:
    """The events of one flush, and what of them each filter accepts, found once per filter.

    Args:
        events: The events, in the order of their numbers.
    """

    def __init__(self, events: Sequence[DomainEvent]) -> None:
        self._events: Final = events
        self._kinds: Final[Collection[EventId]] = {
            kind.event_id for kind in {type(event) for event in events}
        }
        # by the filter's identity: connections share equal filters, and a hash would cost more
        self._accepted: Final[dict[int, Sequence[DomainEvent]]] = {}  # loop thread only

    def matching(self, callback: "Callback") -> Sequence[DomainEvent]:
        """Return the events for *callback*; none when it is closed."""
        if callback.is_closed:
            return ()
        accepted = self._accepted.get(id(callback.wanted))
        if accepted is None:
            accepted = self._accepted[id(callback.wanted)] = self._accepted_by(callback.wanted)
        since = callback.since
        if accepted and _sequence(accepted[0]) <= since:
            return accepted[bisect_right(accepted, since, key=_sequence) :]
        return accepted

    def _accepted_by(self, wanted: Filter) -> Sequence[DomainEvent]:
        takes_all_kinds = wanted.event_ids is None or wanted.event_ids.issuperset(self._kinds)
        if takes_all_kinds and wanted.domain_uuid is None and wanted.only is None:
            return self._events
        return [event for event in self._events if wanted.accepts(event)]
