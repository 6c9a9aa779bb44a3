# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams: events for the thread that takes them, gaps where they stood, and an end."""

import asyncio
import contextlib

import pytest

import virevents
from tests.connection.harness import Hypervisor, Running, Signal, stopped_loop
from virevents import DomainEvent, EventStream, Gap, LifecycleEvent
from virevents.connection.streams import taken_from_a_stream
from virevents.errors import WouldBlockError


def take(stream: EventStream[LifecycleEvent], count: int) -> list[object]:
    """Sequence numbers, or gaps; fails when one does not come."""
    met: list[object] = []
    for _ in range(count):
        item = stream.get(20)
        assert item is not None, "no event came"
        met.append(item if isinstance(item, Gap) else item.sequence)
    return met


def test_ordered(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        web1 = conn.lookup("web1")
        stream = conn.events(capacity=3)
        with stopped_loop(hypervisor.driver):
            for _ in range(5):
                web1.suspend()
        assert take(stream, 4) == [Gap(1, 2, 2), 3, 4, 5]
        web1.suspend()
        assert take(stream, 1) == [6]


def test_ends(conn: virevents.Connection, domain: virevents.Domain) -> None:
    closed, with_conn = conn.events(), conn.events()
    domain.suspend()
    assert take(closed, 1) == take(with_conn, 1) == [1]
    waiting = Running(lambda: list(closed))
    domain.resume()
    closed.close()
    closed.close()
    assert closed.is_closed
    assert len(waiting.result()) <= 1  # the one that came before the close, or not
    with pytest.raises(StopIteration):
        closed.get(0)
    ending = Running(lambda: list(with_conn))
    conn.close()
    assert len(ending.result()) <= 1
    with pytest.raises(StopIteration):
        next(with_conn)


def test_what_it_has_not_given_is_dropped_by_close(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        web1 = conn.lookup("web1")
        taken, untaken, empty = conn.events(), conn.events(), conn.events(only={"started"})
        for _ in range(3):
            web1.suspend()
        assert take(taken, 1) == [1]
        with stopped_loop(hypervisor.driver):  # nothing is purged meanwhile
            for stream in (taken, untaken, empty):
                stream.close()
                with pytest.raises(StopIteration):
                    stream.get(20)


def test_no_missed_wake(conn: virevents.Connection, domain: virevents.Domain) -> None:
    """The consumer waits for one event at a time, while they come at every moment of its turn."""
    with conn.events() as stream:
        taking = Running(lambda: take(stream, 400))
        for _ in range(200):
            domain.suspend()
            domain.resume()
        assert taking.result() == list(range(1, 401))


def test_a_timeout_ends_a_wait_and_not_the_stream(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with conn.events() as stream:
        assert stream.get(0.01) is None
        assert stream.get(0) is None
        domain.suspend()
        assert take(stream, 1) == [1]
        assert conn.stats().subscriptions


def test_it_is_an_iterator_and_a_block(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with conn.events() as stream:
        domain.suspend()
        for event in stream:
            assert isinstance(event, LifecycleEvent)
            assert str(event.event) == "suspended"
            break
        assert iter(stream) is stream
    assert stream.is_closed


def test_an_iteration_that_got_nothing_is_over(
    conn: virevents.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with conn.events() as stream:
        monkeypatch.setattr(type(stream), "get", lambda _: None)
        assert list(stream) == []


def test_it_begins_with_the_next_event(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    domain.suspend()
    with conn.events() as stream:
        domain.resume()
        assert take(stream, 1) == [2]


def test_on_a_loop_thread_what_is_there_is_given_and_a_wait_is_refused(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with conn.events() as stream, conn.events() as other:
        domain.suspend()
        take(other, 1)  # so it has been flushed

        async def main() -> None:
            assert take(stream, 1) == [1]
            assert stream.get(0) is None
            with pytest.raises(WouldBlockError, match="waiting for an event would wait"):
                stream.get(3600)
            with pytest.raises(WouldBlockError):
                next(stream)

        asyncio.run(main())


def test_a_connection_that_is_lost_gives_first_what_had_arrived(hypervisor: Hypervisor) -> None:
    """``remove_connection(is_closing=False)``: the events before the end are delivered."""
    with virevents.open("fake:///one") as conn:
        stream, told = conn.events(), conn.events()
        for _ in range(3):
            conn.lookup("web1").suspend()
        take(told, 3)
        hypervisor.driver.state.registry.remove_connection(conn, is_closing=False)
        assert take(stream, 3) == [1, 2, 3]
        with pytest.raises(StopIteration):
            stream.get(20)
        assert stream.is_closed


def test_a_callback_may_consume_one(conn: virevents.Connection, domain: virevents.Domain) -> None:
    stream, met = conn.events(), Signal("the event in the callback")

    def callback(_: LifecycleEvent) -> None:
        if isinstance(stream.get(20), LifecycleEvent):
            met.set()

    with conn.subscribe(callback):
        domain.suspend()
        met.wait()


def test_every_kind_comes_when_asked(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn, conn.events(event_id="all") as stream:
        conn.lookup("web1").suspend()
        item: DomainEvent | Gap | None = stream.get(20)
        assert isinstance(item, DomainEvent)


def test_closing_races_with_taking(conn: virevents.Connection, domain: virevents.Domain) -> None:
    for _ in range(50):
        stream = conn.events()
        taking = Running(lambda stream=stream: list(stream))  # type: ignore[misc]
        domain.suspend()
        stream.close()
        taking.result()
        domain.resume()


def test_the_record_of_a_stream_is_never_called() -> None:
    with contextlib.ExitStack():
        taken_from_a_stream(None)  # type: ignore[arg-type]
