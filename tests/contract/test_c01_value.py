# SPDX-License-Identifier: LGPL-2.1-or-later
"""C1: an event is a value."""

import gc
import threading
from types import FunctionType, ModuleType

import virevents
from tests.connection.harness import Running
from tests.contract.stage import XML, change
from virevents import Gap, LifecycleEvent
from virevents.drivers import DomainObject, Driver
from virevents.sync import CheckedLock


def first_event(conn: virevents.Connection, domain: virevents.Domain) -> LifecycleEvent:
    with conn.expect(domain, "suspended", timeout=20) as suspended:
        domain.suspend()
    return suspended.event


def test_c1_the_domain_is_as_it_was_then(conn: virevents.Connection) -> None:
    web9 = conn.define(XML)
    with conn.events(domain=web9) as events:
        web9.start()
        web9.destroy()
        web9.rename("web10")
        web9.undefine()
        met = [events.get(20) for _ in range(5)]
    names = [item.domain.name for item in met if isinstance(item, LifecycleEvent)]
    ids = [item.domain.id for item in met if isinstance(item, LifecycleEvent)]
    assert names == ["web9", "web9", "web9", "web10", "web10"]
    assert ids[0] > 0
    assert ids[1:] == [-1] * 4


def test_c1_push_gives_the_number_under_the_queues_lock(conn: virevents.Connection) -> None:
    """Eight threads push at once: 1, 2, 3, ... without a hole, in the order of the queue."""
    domains = [conn.create(XML.replace("web9", f"web{number}")) for number in range(8)]
    start = threading.Barrier(8, timeout=20)

    def work(domain: virevents.Domain) -> None:
        start.wait()
        change(domain, 100)

    with conn.events() as events:
        for thread in [Running(lambda d=domain: work(d)) for domain in domains]:  # type: ignore[misc]
            thread.result()
        numbers = [item.sequence for item in _taken(events, 1600)]
    assert numbers == list(range(9, 1609))


def _taken(events: virevents.EventStream[LifecycleEvent], count: int) -> list[LifecycleEvent]:
    met = [events.get(20) for _ in range(count)]
    return [item for item in met if item is not None and not isinstance(item, Gap)]


def test_c1_it_holds_no_live_domain_and_no_lock(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    event = first_event(conn, domain)
    met: list[object] = [event]
    seen = {id(event)}
    while met:
        for held in gc.get_referents(met.pop()):
            if id(held) in seen or isinstance(held, type | ModuleType | FunctionType):
                continue
            assert not isinstance(
                held,
                DomainObject | Driver | virevents.Domain | virevents.Connection | CheckedLock,
            )
            assert not isinstance(held, type(threading.Lock()) | type(threading.RLock()))
            seen.add(id(held))
            met.append(held)
