# SPDX-License-Identifier: LGPL-2.1-or-later
"""C9 bounded, C10 many, C11 shutdown, C12 no surprise loop: through the public API."""

import asyncio
import logging
import threading

import pytest

import virevents
from tests.contract.conftest import PATIENCE, Heard, flip
from virevents.clock import monotonic
from virevents.dispatch.state import HIGH_WATER
from virevents.model import Gap
from virevents.sync import Gate

SOON = 1.0  # seconds; what must not wait is done by then, on any machine


def test_c9_an_overflow_is_told_in_its_place(domain: virevents.Domain, heard: Heard) -> None:
    begun, may_go = Gate("begun"), Gate("go")

    def slow(event: virevents.LifecycleEvent) -> None:
        begun.open()
        may_go.wait(PATIENCE)
        heard(event)

    with domain.connection.subscribe(slow, capacity=4, on_gap=heard) as subscription:
        domain.suspend()
        assert begun.wait(PATIENCE)
        domain.resume()
        flip(domain, 5)
        # The flush has run once a later subscription has drained.
        with domain.connection.subscribe(lambda _: None) as later:
            assert later.drain(PATIENCE)
        may_go.open()
        assert subscription.drain(PATIENCE)
    assert heard.sequences == [1, 9, 10, 11, 12]
    assert heard.items[1] == Gap(2, 8, 7)
    assert subscription.stats.dropped == 7


def test_c9_a_stream_yields_the_gap(domain: virevents.Domain) -> None:
    stream = domain.connection.events(capacity=2)
    flip(domain, 3)
    with domain.connection.subscribe(lambda _: None) as later:
        assert later.drain(PATIENCE)
    items = [next(stream) for _ in range(3)]
    assert items[0] == Gap(1, 4, 4)
    assert [item.sequence for item in items[1:] if not isinstance(item, Gap)] == [5, 6]


def test_c9_without_a_hook_a_gap_is_logged(
    domain: virevents.Domain, caplog: pytest.LogCaptureFixture
) -> None:
    begun, may_go = Gate("begun"), Gate("go")

    def slow(_: object) -> None:
        begun.open()
        may_go.wait(PATIENCE)

    with (
        caplog.at_level(logging.WARNING, "virevents.dispatch"),
        domain.connection.subscribe(slow, capacity=1) as subscription,
    ):
        domain.suspend()
        assert begun.wait(PATIENCE)
        domain.resume()
        flip(domain)
        with domain.connection.subscribe(lambda _: None) as later:
            assert later.drain(PATIENCE)
        may_go.open()
        assert subscription.drain(PATIENCE)
    assert "lost events 2 to 3 (2 of them matched)" in caplog.text


def test_c9_above_the_high_water_mark_a_modifying_call_waits(domain: virevents.Domain) -> None:
    conn = domain.connection
    stands, may_go = Gate("stands"), threading.Event()

    def block(_: object) -> None:
        stands.open()
        may_go.wait(PATIENCE)

    blocking = conn.subscribe(block, delivery="direct")
    domain.suspend()
    assert stands.wait(PATIENCE)
    domain.resume()
    flip(domain, HIGH_WATER // 2 - 1)
    domain.suspend()  # now the queue is full; the next call must wait
    assert conn.stats().queued == HIGH_WATER
    is_through = threading.Event()

    def one_more() -> None:
        domain.resume()
        is_through.set()

    more = threading.Thread(target=one_more)
    more.start()
    assert not is_through.wait(0.1)  # only a fault can make this pass too soon
    assert str(domain.state().state) == "paused"  # it waits before it changes anything
    may_go.set()
    more.join(PATIENCE)
    assert is_through.is_set()
    assert blocking.close()


def test_c10_the_same_function_twice_global_and_per_domain(
    domain: virevents.Domain, heard: Heard
) -> None:
    conn = domain.connection
    with (
        conn.subscribe(heard),
        conn.subscribe(heard),
        conn.subscribe(heard, domain=domain),
        conn.subscribe(heard, event_id="all"),
        conn.subscribe(heard, event_id="reboot"),
    ):
        domain.suspend()
    assert heard.words == ["suspended"] * 4


def test_c11_close_ends_twice_and_from_a_callback(heard: Heard) -> None:
    conn = virevents.open("test:///default")
    answers: list[bool] = []
    done = Gate("closed inside")

    def close(_: object) -> None:
        answers.append(conn.close())
        done.open()

    conn.subscribe(close)
    conn.lookup("test").suspend()
    assert done.wait(PATIENCE)
    assert answers == [False]
    assert conn.close()
    assert conn.close()
    with pytest.raises(virevents.ClosedError):
        conn.lookup("test")
    assert heard.items == []


def test_c11_two_callbacks_that_close_the_connection_end() -> None:
    conn = virevents.open("test:///default")
    both = threading.Barrier(2)
    took: list[float] = []

    def close(_: object) -> None:
        both.wait(PATIENCE)
        began = monotonic()
        assert conn.close() is False  # this very callback is not over
        took.append(monotonic() - began)

    released = [Gate("first"), Gate("second")]
    for gate in released:
        conn.subscribe(close, on_release=gate.open)
    conn.lookup("test").suspend()
    assert all(gate.wait(PATIENCE) for gate in released)
    assert conn.close()
    assert len(took) == 2
    assert max(took) < SOON


def test_c11_no_event_after_close(heard: Heard) -> None:
    conn = virevents.open("test:///default")
    with virevents.open("test:///default") as other:
        domain = other.lookup("test")
        conn.subscribe(heard)
        with other.subscribe(lambda _: None) as subscription:
            domain.suspend()
            assert conn.close()
            count = len(heard.items)
            flip_back = domain.resume
            flip_back()
            assert subscription.drain(PATIENCE)
    assert len(heard.items) == count


def test_c11_nothing_is_left(domain: virevents.Domain) -> None:
    conn = domain.connection
    for _ in range(20):
        conn.subscribe(lambda _: None)
    flip(domain)
    assert conn.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("virevents-loop")]


def test_c12_nothing_is_registered_before_open_and_one_driver_is_shared(heard: Heard) -> None:
    with virevents.open("test:///default") as one, virevents.open("test:///default") as two:
        with two.subscribe(heard) as subscription:
            one.lookup("test").suspend()
            assert subscription.drain(PATIENCE)
        assert str(two.lookup("test").state().state) == "paused"
        loops = [t for t in threading.enumerate() if t.name == "virevents-loop"]
        assert len(loops) == 1
    assert heard.words == ["suspended"]
    with virevents.open("test:///default") as again:  # reset when the last closed
        assert str(again.lookup("test").state().state) == "running"


def test_c12_the_asyncio_face_needs_no_thread_to_deliver() -> None:
    async def main() -> str:
        async with virevents.aio.open("test:///default") as conn:
            where: list[str] = []
            done = asyncio.Event()

            def take(_: object) -> None:
                where.append(threading.current_thread().name)
                done.set()

            conn.subscribe(take)
            await (await conn.lookup("test")).suspend()
            async with asyncio.timeout(PATIENCE):
                await done.wait()
            return where[0]

    assert asyncio.run(main()) == threading.main_thread().name
