# SPDX-License-Identifier: LGPL-2.1-or-later
"""C9: everything that grows has a bound, and what is lost is counted where it stood."""

from collections.abc import Sequence

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import Listener, event, isolate, make_pool, make_state, numbered
from virevents.dispatch import EventQueue, Mailbox
from virevents.errors import OperationTimeoutError
from virevents.model import DomainEvent
from virevents.sync import Gate
from virevents.testing.schedules import Run


def overflow(run: Run) -> None:
    """A mailbox of one: three events, a worker that may come at any time."""
    pool = make_pool()
    listener = Listener()
    put = isolate(listener, pool, capacity=1)

    def flush() -> None:
        for number in (1, 2, 3):
            put(number)

    run.thread(flush)

    def check() -> None:
        lost = sum(gap.count or 0 for gap in listener.gaps)
        assert len(listener.sequences) + lost == 3
        assert listener.sequences == sorted(set(listener.sequences))
        covered = {n for gap in listener.gaps for n in range(gap.first, gap.last + 1)}
        assert covered | set(listener.sequences) == {1, 2, 3}
        assert not covered & set(listener.sequences)

    run.finally_(check)


def test_c9_delivered_and_lost_make_all(exhausts: Exhausts) -> None:
    exhausts(overflow)


def test_c9_planted_overflow_that_tells_nobody(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def extend(mailbox: Mailbox, events: Sequence[DomainEvent]) -> bool:
        with mailbox._lock:
            mailbox._events.extend(events)
            del mailbox._events[: -mailbox._capacity]
            must_wake, mailbox._has_worker = not mailbox._has_worker, True
        return must_wake

    monkeypatch.setattr(Mailbox, "extend", extend)
    shows(overflow)


def test_c9_planted_gap_that_forgets_the_one_before(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    extend = Mailbox.extend

    def extend_anew(mailbox: Mailbox, events: Sequence[DomainEvent]) -> bool:
        if len(mailbox._events) >= mailbox._capacity:
            mailbox._gap = None
        return extend(mailbox, events)

    monkeypatch.setattr(Mailbox, "extend", extend_anew)
    shows(overflow)


def high_water(run: Run) -> None:
    """Modifying calls wait at the high-water mark, and the flush lets them go on."""
    state = make_state(run)
    listener = Listener()
    state.register(listener.callback)
    state.queue._events.extend(numbered(1, 2))
    state.queue._last_sequence = 2
    state.queue.__dict__["capacity"] = 2

    def modify() -> None:
        state.make_room(5.0)
        state.push(event())

    run.thread(modify, name="first")
    run.thread(state.flush, name="driver")

    def check() -> None:
        assert listener.sequences == [1, 2, 3]

    run.finally_(check)


def test_c9_a_modifying_call_waits_for_room(exhausts: Exhausts) -> None:
    exhausts(high_water)


def test_c9_planted_gate_added_without_a_second_look(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def room_gate(queue: EventQueue) -> Gate | None:
        if len(queue._events) < queue.capacity:
            return None
        gate = Gate("room in the event queue")
        with queue._lock:
            queue._room_gates.append(gate)
        return gate

    monkeypatch.setattr(EventQueue, "room_gate", room_gate)
    assert isinstance(shows(high_water).__cause__, OperationTimeoutError)
