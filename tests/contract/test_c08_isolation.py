# SPDX-License-Identifier: LGPL-2.1-or-later
"""C8: who delays whom, and who gave that up."""

import pytest

import virevents
from tests.contract.stage import THREADED, Blocked, Recorder, Threaded, change
from virevents import LifecycleEvent


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("delivery", THREADED)
def test_c8_after_an_exception_later_events_still_come(
    delivery: Threaded,
    error: type[BaseException],
    conn: virevents.Connection,
    domain: virevents.Domain,
) -> None:
    met: list[int] = []

    def fail(event: LifecycleEvent) -> None:
        met.append(event.sequence)
        raise error

    others = [Recorder(), Recorder()]
    with (
        conn.subscribe(others[0]),
        conn.subscribe(fail, delivery=delivery) as subscription,
        conn.subscribe(others[1], delivery="direct"),
    ):
        change(domain, 2)
        assert subscription.drain(20)
    assert met == [1, 2, 3, 4]
    assert subscription.stats.errors == 4
    assert [other.numbers for other in others] == [met, met]


def test_c8_a_blocked_callback_delays_nobody_but_itself(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    blocked, free = Blocked(), Recorder()
    stuck = conn.subscribe(blocked)
    with conn.subscribe(free) as subscription, conn.events() as events:
        change(domain, 50)
        assert subscription.drain(20)
        assert events.get(20) is not None
    assert len(free.events) == 100
    assert blocked.numbers == []
    blocked.go_on.set()
    assert stuck.drain(20)
    assert blocked.numbers == free.numbers


def test_c8_a_hook_that_blocks_delays_nobody_but_itself(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    blocked, free = Blocked(), Recorder()

    def fail(_: LifecycleEvent) -> None:
        raise ValueError

    stuck = [conn.subscribe(fail, on_error=lambda e, _: blocked(e)) for _ in range(20)]
    with conn.subscribe(free) as subscription:
        change(domain)
        assert subscription.drain(20)
    assert free.numbers == [1, 2]
    blocked.go_on.set()
    assert all(one.close() for one in stuck)


def test_c8_declared_direct_it_gives_this_up(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    blocked, waiting = Blocked(), Recorder()
    direct = conn.subscribe(blocked, delivery="direct")
    isolated = conn.subscribe(waiting)
    change(domain)
    blocked.inside.wait()
    assert not isolated.drain(0.01)
    blocked.go_on.set()
    assert isolated.drain(20)
    assert direct.close()
    assert waiting.numbers == [1, 2]
