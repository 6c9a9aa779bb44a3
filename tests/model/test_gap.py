# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands where events were lost."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from virevents.model import Gap

_RANGES = st.lists(
    st.tuples(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1
)


def _merge(previous: Gap | None, lost: tuple[int, int, int | None]) -> Gap:
    first, extent, count = lost
    return Gap.covering(previous, first, first + extent, count)


@given(_RANGES)
def test_nothing_lost_twice(ranges: list[tuple[int, int, int]]) -> None:
    gap: Gap | None = reduce(_merge, ranges, None)
    assert gap == Gap(
        min(first for first, _, _ in ranges),
        max(first + extent for first, extent, _ in ranges),
        sum(count for _, _, count in ranges),
    )


@given(_RANGES, st.integers(0, 100))
def test_unknown_stays(ranges: list[tuple[int, int, int]], where: int) -> None:
    mixed: list[tuple[int, int, int | None]] = [*ranges]
    mixed.insert(where % (len(ranges) + 1), (1, 0, None))
    gap: Gap | None = reduce(_merge, mixed, None)
    assert gap is not None
    assert gap.count is None
    assert gap.first == 1
