# SPDX-License-Identifier: LGPL-2.1-or-later
"""C5 deregister, C6 release, C7 re-entrant, C8 isolation: through the public API."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

import virevents
from tests.contract.conftest import PATIENCE, Heard, define, flip, run_all
from virevents.clock import monotonic
from virevents.connection import DeliveryName
from virevents.sync import Gate

SOON = 1.0  # seconds; what must not wait is done by then, on any machine


def test_c5_a_closed_callback_never_runs_again(domain: virevents.Domain, heard: Heard) -> None:
    subscription = domain.connection.subscribe(heard)
    domain.suspend()
    assert subscription.drain(PATIENCE)
    assert subscription.close()
    domain.resume()
    with domain.connection.subscribe(lambda _: None) as later:
        domain.suspend()
        assert later.drain(PATIENCE)
    assert heard.words == ["suspended"]


def test_c5_close_waits_for_the_call_in_flight(domain: virevents.Domain) -> None:
    begun, may_go, done = Gate("begun"), Gate("go"), Gate("done")

    def slow(_: object) -> None:
        begun.open()
        may_go.wait(PATIENCE)
        done.open()

    subscription = domain.connection.subscribe(slow)
    domain.suspend()
    assert begun.wait(PATIENCE)
    closer = threading.Thread(target=subscription.close)
    closer.start()
    assert closer.is_alive()
    may_go.open()
    closer.join(PATIENCE)
    assert done.is_open


def test_c5_close_without_waiting_begins_no_further_call(domain: virevents.Domain) -> None:
    begun, may_go = Gate("begun"), Gate("go")
    heard = Heard()

    def slow(event: virevents.LifecycleEvent) -> None:
        heard(event)
        begun.open()
        may_go.wait(PATIENCE)

    subscription = domain.connection.subscribe(slow)
    flip(domain)
    assert begun.wait(PATIENCE)
    assert subscription.close(wait=False) is False
    may_go.open()
    assert subscription.close()
    assert heard.words == ["suspended"]


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_c5_a_callback_that_closes_itself_gets_false_and_is_released(
    conn: virevents.Connection, delivery: DeliveryName
) -> None:
    answers: list[bool] = []
    released = Gate("released")
    subscriptions: list[virevents.Subscription] = []

    def close(_: object) -> None:
        answers.extend([subscriptions[0].drain(SOON), subscriptions[0].close()])

    subscriptions.append(conn.subscribe(close, delivery=delivery, on_release=released.open))
    flip(conn.lookup("test"))
    assert released.wait(PATIENCE)
    assert answers == [False, False]


def test_c5_two_callbacks_that_close_each_other_end(domain: virevents.Domain) -> None:
    subscriptions: list[virevents.Subscription] = []
    both = threading.Barrier(2)
    took: list[float] = []

    def close_other(other: int) -> Callable[[object], None]:
        def close(_: object) -> None:
            both.wait(PATIENCE)
            began = monotonic()
            subscriptions[other].close(wait=True)  # True when the other is over by then
            took.append(monotonic() - began)

        return close

    released = [Gate("first"), Gate("second")]
    subscriptions.extend(
        domain.connection.subscribe(close_other(1 - n), on_release=gate.open)
        for n, gate in enumerate(released)
    )
    domain.suspend()
    assert all(gate.wait(PATIENCE) for gate in released)
    for subscription in subscriptions:
        assert subscription.close()
    assert len(took) == 2
    assert max(took) < SOON


def test_c5_a_coroutine_that_waits_for_its_own_loops_callback_gets_an_answer() -> None:
    async def main() -> float:
        with_loop = asyncio.get_running_loop()
        async with virevents.aio.open("test:///default") as conn:
            domain = await conn.lookup("test")
            other = conn.subscribe(lambda _: None)
            answers: list[bool] = []
            done = asyncio.Event()

            async def close_both(_: object) -> None:
                answers.extend([await other.close(), await mine.close()])
                done.set()

            mine = conn.subscribe(close_both)
            began = with_loop.time()
            await domain.suspend()
            async with asyncio.timeout(PATIENCE):
                await done.wait()
            took = with_loop.time() - began
            assert answers[1] is False
            return took

    assert asyncio.run(main()) < SOON


def test_c5_a_sync_close_in_a_coroutine_returns_at_once(domain: virevents.Domain) -> None:
    begun, may_go = Gate("begun"), Gate("go")

    def slow(_: object) -> None:
        begun.open()
        may_go.wait(PATIENCE)

    subscription = domain.connection.subscribe(slow)
    domain.suspend()
    assert begun.wait(PATIENCE)

    async def main() -> bool:
        return subscription.close() or subscription.drain(PATIENCE)

    assert asyncio.run(main()) is False
    may_go.open()
    assert subscription.close()


def test_c6_released_once_after_the_last_call(domain: virevents.Domain, heard: Heard) -> None:
    with domain.connection.subscribe(heard, on_release=lambda: heard.note("released")):
        flip(domain)
    assert heard.items[-1] == "released"
    assert heard.items.count("released") == 1


def test_c6_released_by_the_connections_close(conn: virevents.Connection, heard: Heard) -> None:
    conn.subscribe(heard, on_release=lambda: heard.note("isolated"))
    conn.subscribe(heard, delivery="direct", on_release=lambda: heard.note("direct"))
    stream = conn.events()
    assert conn.close()
    assert sorted(map(str, heard.items)) == ["direct", "isolated"]
    assert list(stream) == []


def test_c7_an_isolated_callback_calls_anything(domain: virevents.Domain, heard: Heard) -> None:
    conn = domain.connection
    done = Gate("all calls")

    def busy(event: virevents.LifecycleEvent) -> None:
        subscription.close()
        looked_up = conn.lookup(event.domain.name)
        looked_up.resume()
        define(conn, 7)
        conn.subscribe(heard)
        with virevents.open("test:///default") as other:
            other.lookup("d7").suspend()
        done.open()

    subscription = conn.subscribe(busy)
    domain.suspend()
    assert done.wait(PATIENCE)
    heard.wait_for(1)
    assert heard.words == ["suspended"]
    assert heard.events[0].domain.name == "d7"


def test_c7_a_loop_thread_is_told_before_anything_is_done(domain: virevents.Domain) -> None:
    conn = domain.connection
    errors: list[type[BaseException]] = []
    done = Gate("the calls")

    def refused(call: Callable[[], object]) -> None:
        try:
            call()
        except virevents.VireventsError as error:
            errors.append(type(error))

    def on_the_loop(event: virevents.LifecycleEvent) -> None:
        refused(conn.lookup(event.domain.name).resume)  # the look-up itself is allowed
        refused(lambda: virevents.open("test:///default"))
        refused(lambda: conn.expect(domain, "resumed", timeout=1).__enter__())
        done.open()

    with conn.subscribe(on_the_loop, delivery="direct"):
        domain.suspend()
        assert done.wait(PATIENCE)
    assert errors == [virevents.WouldBlockError] * 3
    assert str(domain.state().state) == "paused"

    async def coroutine() -> None:
        domain.resume()

    with pytest.raises(virevents.WouldBlockError, match=r"virevents\.aio"):
        asyncio.run(coroutine())
    assert str(domain.state().state) == "paused"


def test_c7_the_asyncio_face_has_an_awaitable_for_each() -> None:
    async def main() -> list[str]:
        async with virevents.aio.open("test:///default") as conn:
            words: list[str] = []
            done = asyncio.Event()

            async def busy(event: virevents.LifecycleEvent) -> None:
                words.append(str(event.event))
                domain = await conn.lookup(event.domain.name)
                if event.event is virevents.Lifecycle.SUSPENDED:
                    await domain.resume()
                else:
                    done.set()

            conn.subscribe(busy)
            await (await conn.lookup("test")).suspend()
            async with asyncio.timeout(PATIENCE):
                await done.wait()
            return words

    assert asyncio.run(main()) == ["suspended", "resumed"]


@pytest.mark.parametrize("delivery", ["isolated", "direct", "stream", "aio"])
def test_c7_a_look_up_inside_a_callback_while_eight_threads_change_the_domain(
    conn: virevents.Connection, delivery: str
) -> None:
    domain = define(conn, 1)
    states: list[str] = []

    def look(event: virevents.LifecycleEvent) -> None:
        states.append(str(conn.lookup(event.domain.name).state().state))

    def change() -> None:
        for _ in range(50):
            for verb in (domain.suspend, domain.resume):
                try:
                    verb()
                except virevents.StateError:
                    continue  # another thread was faster

    expected = _listen_and_change(conn, delivery, look, change)
    assert len(states) == expected >= 50
    assert set(states) <= {"running", "paused"}


def _listen_and_change(
    conn: virevents.Connection,
    delivery: str,
    look: Callable[[virevents.LifecycleEvent], None],
    change: Callable[[], None],
) -> int:
    first = conn.stats().last_sequence
    if delivery == "stream":
        stream = conn.events()
        run_all(*[change] * 8)
        count = conn.stats().last_sequence - first
        for _ in range(count):
            item = next(stream)
            assert isinstance(item, virevents.LifecycleEvent)
            look(item)
        stream.close()
    elif delivery == "aio":
        asyncio.run(_change_under_aio(look, change))
    else:
        how: DeliveryName = "direct" if delivery == "direct" else "isolated"
        with conn.subscribe(look, delivery=how):
            run_all(*[change] * 8)
    return conn.stats().last_sequence - first


async def _change_under_aio(
    look: Callable[[virevents.LifecycleEvent], None], change: Callable[[], None]
) -> None:
    async with virevents.aio.open("test:///default") as conn, conn.subscribe(look) as subscription:
        await asyncio.to_thread(run_all, *[change] * 8)
        assert await subscription.drain(PATIENCE)


def test_c8_a_raising_callback_delays_nobody(
    domain: virevents.Domain, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[object, BaseException]] = []

    def fail(event: virevents.LifecycleEvent) -> None:
        raise SystemExit(str(event.event))

    with (
        domain.connection.subscribe(fail, on_error=lambda *what: told.append(what)) as failing,
        domain.connection.subscribe(heard),
        caplog.at_level(logging.ERROR),
    ):
        flip(domain)
        assert failing.drain(PATIENCE)
    assert failing.stats.errors == 2
    assert [str(error) for _, error in told] == ["suspended", "resumed"]
    assert heard.words == ["suspended", "resumed"]
    assert failing.name in caplog.text


@pytest.mark.slow
def test_c8_sixty_four_blocked_for_ever_delay_nobody(
    conn: virevents.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    domain = conn.lookup("test")
    for_ever = Gate("for ever")
    heard = Heard()
    for _ in range(64):
        conn.subscribe(lambda _: for_ever.wait(None), capacity=10)
    sixty_fifth = conn.subscribe(heard, capacity=20_000)
    flip(domain, 5_000)
    assert sixty_fifth.drain(PATIENCE)
    assert len(heard.items) == 10_000
    began = monotonic()
    assert conn.close() is False
    assert monotonic() - began < 5.0 + SOON
    stuck = [r.getMessage() for r in caplog.records if "abandoned" in r.getMessage()]
    assert len(stuck) == 1
    assert stuck[0].count("callback ") == 64
    for_ever.open()
