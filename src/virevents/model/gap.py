# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands in a subscription where events were lost: the gap.

It stands apart from the events because it is none: it has no domain and no number of its own. A
stream yields it between events, a callback's gap hook is called with it.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_gap.py``:
    nothing_lost_twice   merging adds counts and spans both ranges
    unknown_stays        what is merged with a gap of unknown size has unknown size
"""

from typing import Self

from virevents.model.value import value_class

__all__ = ["Gap"]


@value_class
class Gap:
    """Events that matched a subscription and will not be delivered to it (contract C9).

    Attributes:
        first: The sequence number of the first lost event.
        last: That of the last one. Events between the two that did not match the
            subscription's filter are not counted as lost.
        count: How many were lost; None when nobody can know, because a connection was lost.
    """

    first: int
    last: int
    count: int | None

    @classmethod
    def covering(cls, previous: Self | None, first: int, last: int, count: int | None) -> Self:
        """The gap of *count* events from *first* to *last*, merged with *previous* if any."""
        if previous is None:
            return cls(first, last, count)
        total = None if count is None or previous.count is None else previous.count + count
        return cls(min(first, previous.first), max(last, previous.last), total)
