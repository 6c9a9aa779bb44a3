# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events on an asyncio loop: streams, and coroutine callbacks one after the other."""

import asyncio
import contextlib

import pytest

import virevents
from tests.connection.asyncio_runs import run, soon
from tests.connection.harness import Hypervisor, Running, Signal, stopped_loop
from tests.connection.subprocesses import in_forked_child
from virevents import Gap, LifecycleEvent, aio
from virevents.connection import async_events
from virevents.connection.async_events import AsyncEventStream, AsyncSubscription
from virevents.errors import ForkedError

FAKE = "fake:///one"


async def take(stream: AsyncEventStream[LifecycleEvent], count: int) -> list[object]:
    """Sequence numbers, or gaps; fails when one does not come."""
    met: list[object] = []
    for _ in range(count):
        item = await soon(anext(stream))
        met.append(item if isinstance(item, Gap) else item.sequence)
    return met


def suspend_many(hypervisor: Hypervisor, count: int) -> None:
    for _ in range(count):
        hypervisor.driver.suspend("")


# -- streams


def test_ordered(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            stream = conn.events(capacity=3)
            with stopped_loop(hypervisor.driver):
                suspend_many(hypervisor, 5)
            assert await take(stream, 4) == [Gap(1, 2, 2), 3, 4, 5]
            assert stream.callback.begun == 3
            suspend_many(hypervisor, 1)
            assert await take(stream, 1) == [6]

    run(main)


def test_ends(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        conn = await aio.open(FAKE)
        by_close, by_conn = conn.events(), conn.events()
        suspend_many(hypervisor, 2)
        assert await take(by_close, 1) == [1]
        by_close.close()
        by_close.close()
        assert by_close.is_closed
        assert [item async for item in by_close] == []  # the second was dropped
        consuming = asyncio.create_task(consume(by_conn))
        await conn.close()
        assert len(await soon(consuming)) <= 2

    async def consume(stream: AsyncEventStream[LifecycleEvent]) -> list[object]:
        return [item async for item in stream]

    run(main)


def test_a_stream_whose_loop_is_gone_ends(hypervisor: Hypervisor) -> None:
    async def main() -> tuple[aio.Connection, AsyncEventStream[LifecycleEvent]]:
        conn = await aio.open(FAKE)
        return conn, conn.events()

    conn, refused = run(main)
    again, told = run(main)
    suspend_many(hypervisor, 1)  # a hand-over that the closed loop refuses
    assert refused.callback.released.wait(20)
    assert told.callback.released.wait(20)
    for left in (conn, again):
        assert left._inner.close()


def test_a_stream_whose_loop_is_gone_ends_with_its_connection(hypervisor: Hypervisor) -> None:
    async def main() -> tuple[aio.Connection, AsyncEventStream[LifecycleEvent]]:
        conn = await aio.open(FAKE)
        return conn, conn.events()

    conn, stream = run(main)
    assert conn._inner.close()
    assert stream.callback.released.is_open


def test_a_stream_that_was_told_before_its_loop_closed_ends_with_its_connection(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> aio.Connection:
        conn = await aio.open(FAKE)
        conn.events()
        suspend_many(hypervisor, 1)
        return conn

    assert run(main)._inner.close()


def test_a_connection_that_is_lost_gives_first_what_had_arrived(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            stream, told = conn.events(), conn.events()
            suspend_many(hypervisor, 3)
            await take(told, 3)
            registry = hypervisor.driver.state.registry
            registry.remove_connection(conn._inner, is_closing=False)
            assert await take(stream, 3) == [1, 2, 3]
            with pytest.raises(StopAsyncIteration):
                await soon(anext(stream))
            assert stream.is_closed

    run(main)


def test_a_stream_is_a_block(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn, conn.events() as stream:
            suspend_many(hypervisor, 1)
            async for event in stream:
                assert isinstance(event, LifecycleEvent)
                break
        assert stream.is_closed

    run(main)


def test_a_consumer_that_was_cancelled_loses_nothing(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            stream = conn.events()
            for number in range(1, 20):
                waiting = asyncio.ensure_future(stream.next_item())
                await asyncio.sleep(0)
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting
                suspend_many(hypervisor, 1)
                assert await take(stream, 1) == [number]

    run(main)


# -- callbacks


def test_coroutine_callbacks_run_one_after_the_other_in_order(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        met: list[str] = []

        async def callback(event: LifecycleEvent) -> None:
            met.append(f"{event.sequence} begins")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            met.append(f"{event.sequence} ends")

        async with aio.open(FAKE) as conn, conn.subscribe(callback) as subscription:
            suspend_many(hypervisor, 3)
            assert await subscription.drain(20)
            assert subscription.stats[:4] == (3, 0, 0, 0)
        assert met == [f"{n} {word}" for n in (1, 2, 3) for word in ("begins", "ends")]
        assert subscription.is_closed

    run(main)


def test_awaiting_is_running(hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 8.5])
    monkeypatch.setattr(async_events, "monotonic", lambda: next(times))

    async def main() -> None:
        async with aio.open(FAKE) as conn:
            inside, go_on = asyncio.Event(), asyncio.Event()

            async def slow(_: LifecycleEvent) -> None:
                inside.set()
                await go_on.wait()

            subscription = conn.subscribe(slow)
            suspend_many(hypervisor, 1)
            await soon(inside.wait())
            assert [name.endswith("slow)") for name in (await conn.stats()).running] == [True]
            go_on.set()
            assert await subscription.drain(10)
            assert (await conn.stats()).running == ()
            assert subscription.stats.slowest == 7.5

    run(main)


def test_plain_callbacks_are_called_on_the_loop(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        met: list[object] = []
        loop = asyncio.get_running_loop()
        async with (
            aio.open(FAKE) as conn,
            conn.subscribe(lambda _: met.append(asyncio.get_running_loop())) as subscription,
        ):
            assert subscription.id == 0
            suspend_many(hypervisor, 2)
        assert met == [loop, loop]

    run(main)


def test_no_wait_inside(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        answers: list[bool] = []
        released = asyncio.Event()
        async with aio.open(FAKE) as conn:
            other: AsyncSubscription

            async def callback(_: LifecycleEvent) -> None:
                answers.append(await mine.drain(3600))
                answers.append(await other.close())
                answers.append(await mine.close())
                answers.append(await asyncio.create_task(mine.close()))

            async def held(_: LifecycleEvent) -> None:
                await released.wait()

            other = conn.subscribe(held)
            mine = conn.subscribe(callback, on_release=released.set)
            suspend_many(hypervisor, 1)
            await soon(released.wait())
            assert answers == [False] * 4
            assert await soon(mine.close())
            assert await soon(other.close())

    run(main)


def test_released_once(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        calls: list[str] = []
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def callback(_: LifecycleEvent) -> None:
            inside.set()
            await go_on.wait()
            calls.append("call")

        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(callback, on_release=lambda: calls.append("release"))
            suspend_many(hypervisor, 2)
            await soon(inside.wait())
            assert not await subscription.close(wait=False)
            assert calls == []
            go_on.set()
            assert await soon(subscription.close())
            assert calls == ["call", "release"]
            assert await subscription.close(wait=False)
        assert calls == ["call", "release"]

    run(main)


def test_a_task_that_is_cancelled_before_its_first_step_is_released(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        released = asyncio.Event()
        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(print, on_release=released.set)
            subscription._task.cancel()
            await soon(released.wait())
            assert await soon(subscription.close())
            assert await soon(conn.close())

    run(main)


def test_a_program_that_ends_under_its_callback_releases_it(hypervisor: Hypervisor) -> None:
    calls: list[str] = []

    async def main() -> aio.Connection:
        conn = await aio.open(FAKE)
        inside = asyncio.Event()

        async def callback(_: LifecycleEvent) -> None:
            inside.set()
            try:
                await asyncio.Event().wait()
            finally:
                calls.append("cancelled")

        conn.subscribe(callback, on_release=lambda: calls.append("released"))
        suspend_many(hypervisor, 1)
        await inside.wait()
        return conn

    conn = run(main)
    assert calls == ["cancelled", "released"]
    assert conn._inner.close()


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_a_coroutine_raises_is_counted_and_told(
    error: BaseException, hypervisor: Hypervisor
) -> None:
    async def main() -> None:
        told: list[tuple[int, BaseException]] = []

        async def callback(event: LifecycleEvent) -> None:
            await asyncio.sleep(0)
            if event.sequence == 1:
                raise error

        async with (
            aio.open(FAKE) as conn,
            conn.subscribe(
                callback, on_error=lambda event, raised: told.append((event.sequence, raised))
            ) as subscription,
        ):
            suspend_many(hypervisor, 2)
            assert await subscription.drain(20)
            assert told == [(1, error)]
            assert subscription.stats[:4] == (2, 0, 0, 1)

    run(main)


def test_what_a_plain_callback_raises_is_counted(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        def callback(_: LifecycleEvent) -> None:
            raise SystemExit(3)

        async with aio.open(FAKE) as conn, conn.subscribe(callback) as subscription:
            suspend_many(hypervisor, 2)
            assert await subscription.drain(20)
            assert subscription.stats.errors == 2

    run(main)


def test_the_gap_hook_stands_where_events_were_lost(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        met: list[object] = []
        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(
                lambda e: met.append(e.sequence), capacity=1, on_gap=met.append
            )
            with stopped_loop(hypervisor.driver):
                suspend_many(hypervisor, 3)
            assert await subscription.drain(20)
        assert met == [Gap(1, 2, 2), 3]

    run(main)


def test_drain_gives_up_in_time(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def callback(_: LifecycleEvent) -> None:
            await go_on.wait()

        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(callback)
            suspend_many(hypervisor, 1)
            assert not await subscription.drain(0.01)
            go_on.set()
            assert await subscription.drain(20)
            await subscription.close()
            assert not await subscription.drain(20)

    run(main)


def test_drain_ends_at_once_when_it_is_closed_meanwhile(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def callback(_: LifecycleEvent) -> None:
            inside.set()
            await go_on.wait()

        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(callback)
            suspend_many(hypervisor, 2)
            await soon(inside.wait())
            draining = asyncio.create_task(subscription.drain(3600))
            await asyncio.sleep(0)
            # The flush passes marks in their order: the one of above is in the mailbox.
            async with conn.subscribe(lambda _: None) as other:
                assert await other.drain(20)
            await subscription.close(wait=False)
            go_on.set()
            assert not await soon(draining)

    run(main)


def test_a_mark_of_a_loop_that_is_gone_is_passed_over(hypervisor: Hypervisor) -> None:
    async def main() -> async_events._AsyncGate:
        return async_events._AsyncGate("a mark")

    gate = run(main)
    gate.open()
    assert gate.is_open


def test_left_by_an_exception_it_closes_at_once(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            subscription = conn.subscribe(print)
            with pytest.raises(KeyError):
                async with subscription:
                    raise KeyError("of the block")
            assert subscription.is_closed

    run(main)


def test_a_callback_without_a_name_is_shown_as_it_is(hypervisor: Hypervisor) -> None:
    class Unnamed:
        def __call__(self, event: LifecycleEvent) -> None: ...

        def __repr__(self) -> str:
            return "<my callback>"

    async def main() -> None:
        async with aio.open(FAKE) as conn:
            conn.subscribe(Unnamed())
            assert list((await conn.stats()).subscriptions) == ["callback 0 (<my callback>)"]

    run(main)


def test_in_a_forked_child_nothing_is_waited_for_or_sent(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            stream, subscription = conn.events(), conn.subscribe(print)

            async def in_child() -> None:
                with pytest.raises(ForkedError):
                    await soon(anext(stream), 5)
                with pytest.raises(ForkedError):
                    await soon(subscription.drain(1), 5)
                stream.close()
                assert stream.is_closed
                assert await soon(subscription.close(), 5)

            def child() -> None:
                asyncio._set_running_loop(None)
                line = hypervisor.driver.state.registry
                asyncio.new_event_loop().run_until_complete(in_child())
                assert not line.has_marked

            assert in_forked_child(child) == ""
            suspend_many(hypervisor, 1)
            assert await take(stream, 1) == [1]

    run(main)


def test_a_threaded_close_ends_what_is_on_a_busy_loop(hypervisor: Hypervisor) -> None:
    """The loop is blocked meanwhile; the callback ends once it goes on."""
    released = Signal("the release hook")

    async def main() -> bool:
        conn = await aio.open(FAKE)
        conn.subscribe(print, on_release=released.set)
        closing = Running(conn._inner.close)
        return await soon(asyncio.to_thread(closing.result))

    assert run(main)
    released.wait()


def test_subscriptions_and_streams_of_a_closed_connection_are_refused(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        conn = await aio.open(FAKE)
        await conn.close()
        with pytest.raises(virevents.ClosedError):
            conn.events()
        with pytest.raises(virevents.ClosedError):
            conn.subscribe(print)

    run(main)
