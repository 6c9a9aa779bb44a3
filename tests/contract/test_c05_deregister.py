# SPDX-License-Identifier: LGPL-2.1-or-later
"""C5: when ``close()`` returned True the callback is not running and never runs again."""

import asyncio

import pytest

import virevents
from tests.connection.asyncio_runs import run, soon
from tests.connection.harness import Running, Signal
from tests.contract.stage import THREADED, URI, Blocked, Threaded, changing
from virevents import LifecycleEvent, aio
from virevents.clock import monotonic
from virevents.connection import subscription as subscription_module


@pytest.mark.parametrize("delivery", THREADED)
def test_c5_after_close_it_is_not_running_and_never_runs_again(
    delivery: Threaded, conn: virevents.Connection
) -> None:
    wrong: list[str] = []

    class Callback:
        is_over = False

        def __call__(self, _: LifecycleEvent) -> None:
            if self.is_over:
                wrong.append("begun after close() returned True")
            conn.lookup("test")
            if self.is_over:
                wrong.append("running when close() returned True")

    with changing(threads=2), conn.events() as events:
        for _ in range(100):
            callback = Callback()
            subscription = conn.subscribe(callback, delivery=delivery)
            assert events.get(20) is not None
            assert subscription.close()
            callback.is_over = True
    assert wrong == []


@pytest.mark.parametrize("delivery", THREADED)
def test_c5_on_a_thread_that_runs_callbacks_nothing_is_waited_for(
    delivery: Threaded, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    other = Blocked()
    released = [Signal("the other's hook"), Signal("its own hook")]
    answers: list[bool] = []
    took: list[float] = []
    neighbour = conn.subscribe(other, on_release=released[0].set)
    mine: virevents.Subscription

    def callback(_: LifecycleEvent) -> None:
        other.inside.wait()
        before = monotonic()
        answers.extend([neighbour.drain(3600), neighbour.close(), mine.drain(3600), mine.close()])
        took.append(monotonic() - before)

    mine = conn.subscribe(callback, delivery=delivery, on_release=released[1].set)
    domain.suspend()
    released[1].wait()
    assert answers == [False] * 4
    assert took[0] < 1.0
    assert not released[0].is_set
    other.go_on.set()
    released[0].wait()  # the release hook tells the end


def test_c5_on_an_asyncio_loop_nothing_is_waited_for() -> None:
    """A coroutine that waits for its own loop's callback is told no, within a second."""

    async def main() -> None:
        conn = await asyncio.to_thread(virevents.open, URI)
        subscription = conn.subscribe(lambda _: None, delivery=asyncio.get_running_loop())
        await asyncio.to_thread(conn.lookup("test").suspend)
        before = monotonic()
        assert not subscription.drain(3600)
        assert not subscription.close()
        assert monotonic() - before < 1.0
        assert await soon(asyncio.to_thread(conn.close))

    run(main)


def test_c5_a_long_wait_is_logged_once_with_both_stacks(
    conn: virevents.Connection,
    domain: virevents.Domain,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert subscription_module._LOG_AFTER == 5.0
    monkeypatch.setattr(subscription_module, "_LOG_AFTER", 0.02)
    blocked = Blocked()
    subscription = conn.subscribe(blocked)
    domain.suspend()
    blocked.inside.wait()
    closing = Running(subscription.close)
    while "still running" not in caplog.text:
        pass
    blocked.go_on.set()
    assert closing.result()
    assert caplog.text.count("still running") == 1
    assert "wait_for_end" in caplog.text
    assert "self.go_on.wait()" in caplog.text


def test_c5_two_coroutines_that_close_each_other_end_within_a_second() -> None:
    run(_coroutines_close_each_other)


async def _coroutines_close_each_other() -> None:
    answers: list[bool] = []
    both_in = asyncio.Barrier(2)
    released = [asyncio.Event(), asyncio.Event()]
    subscriptions: list[aio.AsyncSubscription] = []
    async with aio.open(URI) as conn:

        def closing(mine: int, other: int) -> None:
            async def callback(_: LifecycleEvent) -> None:
                await both_in.wait()
                answers.append(await subscriptions[other].close(wait=True))

            subscriptions.append(conn.subscribe(callback, on_release=released[mine].set))

        closing(0, 1)
        closing(1, 0)
        before = monotonic()
        await (await conn.lookup("test")).suspend()
        for event in released:
            await soon(event.wait())
        assert monotonic() - before < 1.0
    assert answers == [False, False]
