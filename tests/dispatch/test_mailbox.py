# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Mailbox``: the flush fills it, its strand empties it."""

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dispatch.fakes import batch
from virevents.dispatch import Mailbox, Taken
from virevents.errors import LocalProtocolError
from virevents.model import DomainEvent, Gap
from virevents.sync import Gate


def _numbers(taken: Taken) -> list[int]:
    return [event.sequence for event in taken.events]


def test_fifo() -> None:
    mailbox = Mailbox(10)
    mailbox.extend(batch(3))
    mailbox.extend(batch(2, first=4))
    assert _numbers(mailbox.take(2)) == [1, 2]
    assert _numbers(mailbox.take(10)) == [3, 4, 5]
    assert mailbox.take(10) == Taken(None, [], is_over=False)


def test_fifo_with_the_gap_before_those_behind_it() -> None:
    mailbox = Mailbox(2)
    mailbox.extend(batch(5))
    taken = mailbox.take(10)
    assert taken.gap == Gap(1, 3, 3)
    assert _numbers(taken) == [4, 5]
    assert mailbox.take(10).gap is None


@given(
    capacity=st.integers(1, 6),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=30),
)
def test_bounded(capacity: int, steps: list[tuple[bool, int]]) -> None:
    mailbox, pushed = Mailbox(capacity), 0
    for is_put, count in steps:
        if is_put:
            mailbox.extend(batch(count, first=pushed + 1))
            pushed += count
        else:
            mailbox.take(count)
        assert len(mailbox._events) <= capacity


@given(
    capacity=st.integers(1, 6),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=30),
)
def test_accounted(capacity: int, steps: list[tuple[bool, int]]) -> None:
    """Each event is taken once, in order, or told of in a gap where it stood."""
    mailbox, pushed = Mailbox(capacity), 0
    seen: list[int] = []
    taken_count = 0
    for is_put, count in [*steps, (False, 100)]:
        if is_put:
            mailbox.extend(batch(count, first=pushed + 1))
            pushed += count
        else:
            taken = mailbox.take(count)
            if taken.gap is not None:
                seen.extend(range(taken.gap.first, taken.gap.last + 1))
                assert taken.gap.count == taken.gap.last - taken.gap.first + 1
            seen.extend(_numbers(taken))
            taken_count += len(taken.events)
        assert mailbox.put == pushed
        assert mailbox.put == taken_count + mailbox.lost + len(mailbox._events)
    assert seen == list(range(1, pushed + 1))


def test_accounted_when_what_waits_is_dropped() -> None:
    mailbox = Mailbox(10)
    mailbox.extend(batch(3))
    assert mailbox.end(is_discarding=True) is False  # a worker is on its way already
    assert mailbox.extend(batch(1, first=4)) is False
    assert (mailbox.put, mailbox.lost) == (3, 0)
    assert mailbox.take(10) == Taken(None, [], is_over=True)


def test_one_worker() -> None:
    mailbox = Mailbox(10)
    gate = Gate("a mark")
    assert mailbox.extend(batch(1)) is True
    assert mailbox.extend(batch(1, first=2)) is False
    assert mailbox.add_gap(Gap(3, 3, 1)) is False
    assert mailbox.mark(gate) is False
    mailbox.take(10)
    assert mailbox.extend(batch(1, first=4)) is False  # the worker comes for more
    mailbox.take(10)
    assert mailbox.take(10) == Taken(None, [], is_over=False)  # it has given the strand back
    assert mailbox.add_gap(Gap(5, 5, 1)) is True
    assert mailbox.take(10).gap == Gap(5, 5, 1)
    mailbox.take(10)
    assert mailbox.mark(Gate("another")) is True
    mailbox.take(10)
    assert mailbox.end(is_discarding=False) is True
    assert mailbox.end(is_discarding=True) is False
    assert mailbox.take(10).is_over
    assert mailbox.end(is_discarding=False) is False  # the last item is run once


def test_marks_open() -> None:
    mailbox = Mailbox(10)
    mailbox.extend(batch(3))
    gate, later = Gate("three"), Gate("four")
    mailbox.mark(gate)
    mailbox.extend(batch(1, first=4))
    mailbox.mark(later)
    opened: list[tuple[bool, bool]] = []
    for limit in (2, 1, 1, 1):
        mailbox.take(limit)
        opened.append((gate.is_open, later.is_open))
    # What a take gives is handled only when the next one is asked for.
    assert opened == [(False, False), (False, False), (True, False), (True, True)]


def test_marks_open_when_the_events_before_are_lost() -> None:
    mailbox = Mailbox(1)
    mailbox.extend(batch(2))
    gate = Gate("two")
    mailbox.mark(gate)
    mailbox.extend(batch(2, first=3))
    mailbox.take(10)
    assert gate.is_open


@pytest.mark.parametrize("is_discarding", [False, True])
def test_marks_open_at_the_end_and_after_it(is_discarding: bool) -> None:
    mailbox = Mailbox(10)
    mailbox.extend(batch(3))
    gate, late = Gate("three"), Gate("late")
    mailbox.mark(gate)
    mailbox.end(is_discarding=is_discarding)
    while not mailbox.take(2).is_over:
        pass
    assert gate.is_open
    assert mailbox.mark(late) is False
    assert late.is_open  # nobody comes any more to open it


def test_what_was_lost_elsewhere_is_told_until_the_end() -> None:
    mailbox = Mailbox(10)
    assert mailbox.add_gap(Gap(1, 3, None)) is True
    mailbox.add_gap(Gap(4, 5, 2))
    assert mailbox.end(is_discarding=False) is False
    assert mailbox.add_gap(Gap(6, 6, 1)) is False
    assert mailbox.take(10) == Taken(Gap(1, 5, None), [], is_over=False)
    assert mailbox.take(10) == Taken(None, [], is_over=True)


def test_events_are_let_go_of_with_nothing_held() -> None:
    held: list[bool] = []

    def watch(event: DomainEvent) -> "weakref.ref[DomainEvent]":
        return weakref.ref(event, lambda _: held.append(mailbox._lock.locked()))

    gc.disable()
    try:
        mailbox = Mailbox(2)
        events = batch(4)
        watched = [watch(event) for event in events]
        mailbox.extend(events)
        events.clear()
        assert held == [False, False]
        mailbox.end(is_discarding=True)
        assert [reference() for reference in watched] == [None] * 4
    finally:
        gc.enable()
    assert held == [False] * 4


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="expected a capacity of at least 1 event, met 0"):
        Mailbox(0)
