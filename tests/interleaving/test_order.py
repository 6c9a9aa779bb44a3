# SPDX-License-Identifier: LGPL-2.1-or-later
"""C3: events of one domain reach every subscription in the order in which its state changed."""

from collections.abc import Callable

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from tests.interleaving.stage import (
    Listener,
    Shelf,
    event,
    isolate,
    make_pool,
    make_state,
    numbered,
)
from virevents.dispatch import EventState, Mailbox, Taken
from virevents.testing.schedules import Run, Scenario


def two_changers(change: Callable[[Shelf], None]) -> Scenario:
    def scenario(run: Run) -> None:
        state = make_state(run)
        listener = Listener()
        state.register(listener.callback)
        domain = Shelf(state)
        run.thread(change, domain, name="first")
        run.thread(change, domain, name="second")

        def check() -> None:
            assert listener.times == [1, 2]
            assert listener.sequences == [1, 2]

        run.finally_(check)

    return scenario


def test_c3_two_threads_change_one_domain(exhausts: Exhausts) -> None:
    exhausts(two_changers(Shelf.change))


def test_c3_planted_push_after_unlock(shows: Shows) -> None:
    shows(two_changers(Shelf.change_and_push_late))


def flush_against_push(run: Run) -> None:
    """A driver of 2008's shape flushes itself, while another thread pushes and the loop flushes."""
    state = make_state(run)
    listener = Listener()
    state.register(listener.callback)
    state.queue._events.append(numbered(1)[0])
    state.queue._last_sequence = 1
    run.thread(state.flush, name="driver")
    run.thread(state.push, event(), name="pusher")

    def check() -> None:
        assert listener.sequences == [1, 2]

    run.finally_(check)


def two_flushes_of_two(run: Run) -> None:
    state = make_state(run)
    listener = Listener(lambda _: run.switch("is in the callback"))
    state.register(listener.callback)
    state.push(event())

    def push_and_flush() -> None:
        state.push(event())
        state.flush()

    run.thread(push_and_flush, name="driver")

    def check() -> None:
        assert listener.sequences == [1, 2]

    run.finally_(check)


@pytest.mark.parametrize("scenario", [flush_against_push, two_flushes_of_two])
def test_c3_one_flush_at_a_time(scenario: Scenario, exhausts: Exhausts) -> None:
    exhausts(scenario)


def test_c3_planted_flush_without_its_token(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventState, "flush", EventState._flush_once)
    shows(two_flushes_of_two)


def test_c3_planted_note_read_before_the_token_is_back(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush(state: EventState) -> None:
        state._must_flush_again = True
        try:
            state._flush_token.pop()
        except IndexError:
            return
        state._must_flush_again = False
        state._flush_once()
        if state._must_flush_again or len(state.queue):
            state._waker()
        state._flush_token.append(None)

    monkeypatch.setattr(EventState, "flush", flush)
    shows(flush_against_push)


def one_strand(run: Run) -> None:
    pool = make_pool(core=2)
    listener = Listener(lambda _: run.switch("is in the callback"))
    put = isolate(listener, pool)

    def flush() -> None:
        put(1)
        put(2)

    run.thread(flush)

    def check() -> None:
        assert listener.sequences == [1, 2]

    run.finally_(check)


def test_c3_a_strand_is_run_by_one_worker(exhausts: Exhausts) -> None:
    exhausts(one_strand)


def test_c3_planted_strand_given_back_too_early(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Mailbox.take

    def take_and_give_back(mailbox: Mailbox, limit: int) -> Taken:
        taken = take(mailbox, limit)
        mailbox._has_worker = False
        return taken

    monkeypatch.setattr(Mailbox, "take", take_and_give_back)
    shows(one_strand)


def test_c3_planted_strand_given_back_after_the_lock(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(mailbox: Mailbox, limit: int) -> Taken:
        with mailbox._lock:
            events, mailbox._events = mailbox._events[:limit], mailbox._events[limit:]
        if not events:
            mailbox._has_worker = False
        return Taken(None, events, is_over=False)

    monkeypatch.setattr(Mailbox, "take", take)
    shows(one_strand)
