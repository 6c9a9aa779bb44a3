# SPDX-License-Identifier: LGPL-2.1-or-later
"""C1 value, C2 nothing held, C3 order, C4 once: through the public API, on the test driver."""

import pickle

import pytest

import virevents
from tests.contract.conftest import PATIENCE, Heard, define, flip, run_all
from virevents.model import DomainIdentity, Gap
from virevents.sync import DRIVER, RankedLock
from virevents.sync.threads import this_thread


def test_c1_an_event_is_an_immutable_value(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard):
        domain.suspend()
    (event,) = heard.events
    for name in ("domain", "event", "detail", "time", "sequence"):
        with pytest.raises(AttributeError):
            setattr(event, name, None)
    assert event.domain == DomainIdentity("test", domain.uuid, 1)
    assert pickle.loads(pickle.dumps(event)) == event


def test_c1_push_gives_the_number(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard):
        flip(domain, 2)
    assert heard.sequences == [1, 2, 3, 4]
    times = [event.time for event in heard.events]
    assert times == sorted(times)


def test_c1_it_holds_no_live_domain(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard):
        domain.suspend()
        domain.destroy()
    suspended, stopped = heard.events
    assert suspended.domain.id == 1
    assert stopped.domain.id == -1
    assert domain.id == -1


def test_c2_no_lock_is_held_in_callback_or_hook(domain: virevents.Domain) -> None:
    held: list[object] = []

    def look(*_: object) -> None:
        held.append(list(this_thread.held))

    def fail(_: object) -> None:
        look()
        raise ValueError

    conn = domain.connection
    subscriptions = [
        conn.subscribe(look, on_release=look),
        conn.subscribe(look, on_release=look, delivery="direct"),
        conn.subscribe(fail, on_error=look, on_release=look),
    ]
    flip(domain)
    assert all(subscription.drain(PATIENCE) for subscription in subscriptions)
    assert conn.close()
    assert len(held) == 2 + 2 + 2 * 2 + 3
    assert not any(held)


def test_c2_a_callback_under_a_lock_is_refused(conn: virevents.Connection) -> None:
    callback = conn.subscribe(lambda _: None, delivery="direct")
    domain = conn.lookup("test")
    lock = RankedLock(DRIVER)
    with pytest.raises(virevents.errors.LockOrderError, match="driver"), lock:
        domain.suspend()
    assert callback.close()


def test_c3_all_subscriptions_see_one_order(conn: virevents.Connection) -> None:
    domains = [define(conn, number) for number in range(4)]
    with virevents.open("test:///default") as other:
        listeners = [Heard() for _ in range(4)]
        subscriptions = [
            connection.subscribe(one)
            for connection, one in zip((conn, conn, other, other), listeners, strict=True)
        ]
        run_all(*((lambda d=d: flip(d, 100)) for d in domains))
        for subscription in subscriptions:
            assert subscription.drain(PATIENCE)
        assert listeners[0].sequences == list(range(9, 9 + 800))
        assert all(one.items == listeners[0].items for one in listeners)


def test_c3_one_domains_events_come_as_its_state_changed(conn: virevents.Connection) -> None:
    domain = define(conn, 1)
    heard = Heard()

    def change() -> None:
        for _ in range(100):
            for verb in (domain.suspend, domain.resume):
                try:
                    verb()
                except virevents.StateError:
                    continue  # another thread was faster

    with conn.subscribe(heard, domain=domain):
        run_all(*[change] * 8)
    # Each change is allowed only after the other: so they alternate, if order is kept.
    assert heard.words == ["suspended", "resumed"] * (len(heard.words) // 2) + (
        ["suspended"] if len(heard.words) % 2 else []
    )
    assert len(heard.words) >= 100


def test_c4_a_subscription_begins_where_it_registers(domain: virevents.Domain) -> None:
    before, after = Heard(), Heard()
    first = domain.connection.subscribe(before)
    domain.suspend()
    second = domain.connection.subscribe(after)
    domain.resume()
    assert first.drain(PATIENCE)
    assert second.drain(PATIENCE)
    assert before.words == ["suspended", "resumed"]
    assert after.words == ["resumed"]


def test_c4_each_event_once_or_in_a_gap(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard, capacity=10, on_gap=heard):
        flip(domain, 500)
    lost = sum(item.count or 0 for item in heard.items if isinstance(item, Gap))
    assert len(heard.events) + lost == 1_000
    assert heard.sequences == sorted(set(heard.sequences))


def test_c4_close_discards_what_it_has_not_begun(domain: virevents.Domain) -> None:
    begun, may_go = virevents.sync.Gate("begun"), virevents.sync.Gate("go")
    heard = Heard()

    def slow(event: virevents.LifecycleEvent) -> None:
        heard(event)
        begun.open()
        may_go.wait(PATIENCE)

    subscription = domain.connection.subscribe(slow)
    flip(domain, 5)
    assert begun.wait(PATIENCE)
    # The flush has handed all ten over once a later subscription has drained.
    with domain.connection.subscribe(lambda _: None) as later:
        assert later.drain(PATIENCE)
    assert not subscription.close(wait=False)
    may_go.open()
    assert subscription.close()
    assert heard.sequences == [1]
    assert subscription.stats.delivered + subscription.stats.pending == 10


def test_c4_drain_and_a_with_block_deliver_first(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard) as subscription:
        flip(domain, 10)
        assert subscription.drain(PATIENCE)
        assert len(heard.items) == 20
        flip(domain, 10)
    assert len(heard.items) == 40
    assert subscription.is_closed


def test_c4_a_block_that_raises_drops_the_rest(domain: virevents.Domain) -> None:
    begun = virevents.sync.Gate("begun")
    subscription = domain.connection.subscribe(lambda _: begun.wait(PATIENCE))
    flip(domain, 3)

    def leave_by_an_exception() -> None:
        with subscription:
            begun.open()
            raise KeyError

    with pytest.raises(KeyError):
        leave_by_an_exception()
    assert subscription.is_closed
