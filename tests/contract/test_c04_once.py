# SPDX-License-Identifier: LGPL-2.1-or-later
"""C4: a later matching event once, or counted in a gap; an earlier one never."""

import threading

import pytest

import virevents
from tests.connection.harness import Running
from tests.contract.stage import (
    THREADED,
    Blocked,
    Recorder,
    Threaded,
    busy_loop,
    change,
    changing,
)


@pytest.mark.parametrize("delivery", THREADED)
def test_c4_a_subscription_begins_at_the_last_number_when_it_registers(
    delivery: Threaded, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    """What was pushed before and not flushed yet does not reach it either."""
    late = Recorder()
    with busy_loop(conn):
        change(domain)
        last = conn.stats().last_sequence
        subscription = conn.subscribe(late, delivery=delivery)
        change(domain)
    assert subscription.drain(20)
    assert late.numbers == [last + 1, last + 2]


@pytest.mark.parametrize("delivery", THREADED)
def test_c4_each_later_event_is_delivered_once_while_subscriptions_come_and_go(
    delivery: Threaded, conn: virevents.Connection
) -> None:
    with changing(threads=2):
        for _ in range(50):
            recorder = Recorder()
            with conn.subscribe(recorder, delivery=delivery), conn.events() as witness:
                for _ in range(4):
                    assert witness.get(20) is not None
            numbers = recorder.numbers
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_c4_leaving_it_takes_no_longer_than_it_may(
    conn: virevents.Connection, domain: virevents.Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virevents.connection.subscription._DRAIN_AT_EXIT", 0.05)
    blocked = Blocked()

    def block() -> None:
        with conn.subscribe(blocked):
            change(domain, 3)
            blocked.inside.wait()

    leaving = Running(block)
    blocked.inside.wait()
    while threading.active_count() and not _all_closed(conn):
        pass
    blocked.go_on.set()
    leaving.result()
    assert blocked.numbers == [1]


def _all_closed(conn: virevents.Connection) -> bool:
    return conn.driver_state.registry.callbacks == ()
