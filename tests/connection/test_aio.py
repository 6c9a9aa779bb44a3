# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio face: what may wait is awaited, and the loop is never blocked."""

import asyncio
import contextlib
import inspect
import threading
from pathlib import Path

import pytest

import virevents
from tests.connection.asyncio_runs import run, soon
from tests.connection.harness import PATIENCE, Hypervisor, Signal
from tests.connection.subprocesses import in_forked_child
from virevents import LifecycleEvent, aio
from virevents.clock import monotonic
from virevents.connection import ConnectionStats, current_process
from virevents.connection import aio as module
from virevents.drivers import Capability
from virevents.errors import (
    ClosedError,
    DomainNotFoundError,
    ExpectTimeout,
    ForkedError,
    InternalError,
    OpenError,
    ReadOnlyError,
)

FAKE = "fake:///one"
TEST = "test:///default"
XML = "<domain type='test'><name>web9</name><memory>1</memory><os><type>hvm</type></os></domain>"


def test_it_has_what_the_plain_connection_has() -> None:
    plain_only = {
        "abandon", "begin_close", "driver_state", "finish_close", "is_foreign", "modifying",
        "note_owned", "put_callbacks_off", "reading", "register", "run_close", "run_elsewhere",
    }  # fmt: skip
    for name, _ in inspect.getmembers(virevents.Connection):
        if not name.startswith("_") and name not in plain_only:
            assert hasattr(aio.Connection, name), name


def test_never_blocks(hypervisor: Hypervisor) -> None:
    """Each call is held in the driver while the loop goes on."""

    async def main() -> None:
        inside, go_on = Signal("the operation"), Signal()

        def hold() -> None:
            inside.set()
            go_on.wait()

        async def held(call: asyncio.Future[object]) -> None:
            nonlocal inside, go_on
            await asyncio.to_thread(inside.wait)
            for _ in range(100):
                await asyncio.sleep(0)  # the loop turns
            assert not call.done()
            go_on.set()
            await soon(call)
            inside, go_on = Signal("the operation"), Signal()

        hypervisor.on_open = hypervisor.on_suspend = hypervisor.on_close = hold
        opening = asyncio.ensure_future(aio.open(FAKE).__aenter__())
        await held(opening)  # type: ignore[arg-type]
        conn = opening.result()
        domain = await conn.lookup("web1")
        await held(asyncio.ensure_future(domain.suspend()))
        await held(asyncio.ensure_future(conn.close()))

    run(main)


def test_registered_now(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            met: list[int] = []
            stream = conn.events()
            subscription = conn.subscribe(lambda e: met.append(e.sequence))
            hypervisor.driver.suspend("")  # nothing was awaited in between
            item = await soon(anext(stream))
            assert isinstance(item, LifecycleEvent)
            assert item.sequence == 1
            assert await subscription.drain(20)
            assert met == [1]

    run(main)


def test_domains_are_found_defined_and_created(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open(TEST) as conn:
            assert conn.uri == TEST
            assert not conn.is_closed
            assert not conn.is_read_only
            assert Capability.SUSPEND in conn.capabilities
            test = await conn.lookup("test")
            assert await conn.lookup_uuid(test.uuid) == test == await conn.lookup_id(1)
            web9 = await conn.define(XML)
            assert await conn.list(active=False) == [web9]
            web8 = await conn.create(XML.replace("web9", "web8"))
            await web8.save(str(tmp_path / "web8"))
            assert (await conn.restore(str(tmp_path / "web8"))).is_active
            with pytest.raises(DomainNotFoundError):
                await conn.lookup("nobody")
            assert isinstance(await conn.stats(), ConnectionStats)
            assert repr(conn) == "<aio <Connection test:///default open>>"
        assert conn.is_closed

    run(main)


def test_it_is_awaited_or_entered() -> None:
    async def main() -> None:
        conn = await aio.open(TEST)
        async with conn as same:
            assert same is conn
        assert conn.is_closed
        opening = aio.open(TEST)
        await opening.__aexit__(None, None, None)  # what was not entered closes nothing

    run(main)


def test_errors_are_those_of_the_plain_face(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        with pytest.raises(OpenError):
            await aio.open("vmware:///")
        async with aio.open(FAKE, read_only=True) as conn:
            with pytest.raises(ReadOnlyError):
                await (await conn.lookup("web1")).suspend()
        with pytest.raises(ClosedError):
            await conn.lookup("web1")
        with pytest.raises(ClosedError):
            await conn.stats()

    run(main)
    assert current_process()._machinery is None


def test_filters_are_those_of_the_plain_face() -> None:
    async def main() -> None:
        async with aio.open(TEST) as conn:
            test = await conn.lookup("test")
            resumed = conn.events(domain=test, only={"resumed"})
            everything = conn.events(event_id="all")
            met: list[object] = []
            subscription = conn.subscribe(met.append, event_id={"lifecycle", "reboot"}, domain=test)
            await (await conn.define(XML)).start()
            await test.suspend()
            await test.resume()
            item = await soon(anext(resumed))
            assert isinstance(item, LifecycleEvent)
            assert str(item.event) == "resumed"
            assert len([await soon(anext(everything)) for _ in range(4)]) == 4
            assert await subscription.drain(20)
            assert len(met) == 2

    run(main)


# -- cancelling


def test_a_cancelled_call_is_done_to_its_end_and_leaves_the_connection_usable(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        inside, go_on = Signal("the operation"), Signal()

        def hold() -> None:
            inside.set()
            go_on.wait()

        async with aio.open(FAKE) as conn:
            web1 = await conn.lookup("web1")
            stream = conn.events()
            hypervisor.on_suspend = hold
            call = asyncio.ensure_future(web1.suspend())
            await asyncio.to_thread(inside.wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()
            assert await soon(anext(stream)) is not None
            hypervisor.on_suspend = lambda: None
            await web1.suspend()
            assert len(hypervisor.suspends) == 2

    run(main)


def test_a_cancelled_call_that_fails_says_nothing(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        inside, go_on, done = Signal("the operation"), Signal(), Signal("the end of it")

        def fail() -> None:
            inside.set()
            go_on.wait()
            done.set()
            raise OpenError("nobody hears")

        async with aio.open(FAKE) as conn:
            web1 = await conn.lookup("web1")
            hypervisor.on_suspend = fail
            call = asyncio.ensure_future(web1.suspend())
            await asyncio.to_thread(inside.wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()
            await asyncio.to_thread(done.wait)
            await conn.stats()  # the refusal has been handed over before this

    run(main)


@pytest.mark.parametrize("is_loop_gone", [False, True], ids=["cancelled", "loop gone"])
def test_an_opening_that_nobody_awaits_any_more_is_closed(
    hypervisor: Hypervisor, *, is_loop_gone: bool
) -> None:
    inside, go_on, closed = Signal("the opening"), Signal(), Signal("the driver's close")

    def hold() -> None:
        inside.set()
        go_on.wait()

    hypervisor.on_open, hypervisor.on_close = hold, closed.set

    async def main() -> None:
        opening = asyncio.ensure_future(aio.open(FAKE).__aenter__())
        await asyncio.to_thread(inside.wait)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        if not is_loop_gone:
            go_on.set()
            await asyncio.to_thread(closed.wait)

    run(main)
    go_on.set()
    closed.wait()
    _until_nothing_is_open()


def test_a_call_that_fails_when_its_loop_is_gone_says_nothing(hypervisor: Hypervisor) -> None:
    inside, go_on = Signal("the opening"), Signal()

    def fail() -> None:
        inside.set()
        go_on.wait()
        raise OpenError("nobody hears")

    hypervisor.on_open = fail

    async def main() -> None:
        opening = asyncio.ensure_future(aio.open(FAKE).__aenter__())
        await asyncio.to_thread(inside.wait)
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening

    run(main)
    go_on.set()
    _until_nothing_is_open()


def _until_nothing_is_open() -> None:
    deadline = monotonic() + 20
    while current_process()._machinery is not None:
        assert monotonic() < deadline, "somebody left a connection open"
        Path("/proc/self/stat").read_bytes()  # gives way to the other threads


def test_a_cancelled_close_is_done_to_its_end(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        inside, go_on = Signal("the close"), Signal()

        def hold() -> None:
            inside.set()
            go_on.wait()

        hypervisor.on_close = hold
        conn = await aio.open(FAKE)
        closing = asyncio.ensure_future(conn.close())
        await asyncio.to_thread(inside.wait)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert conn.is_closed
        go_on.set()
        assert await soon(conn.close())
        assert hypervisor.closes == 1

    run(main)


# -- the end


def test_two_coroutine_callbacks_that_close_each_other_end_within_a_second(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        answers: list[bool] = []
        both_in = asyncio.Barrier(2)
        subscriptions: list[aio.AsyncSubscription] = []
        async with aio.open(FAKE) as conn:

            def closing(other: int) -> None:
                async def callback(_: LifecycleEvent) -> None:
                    await both_in.wait()
                    answers.append(await subscriptions[other].close())

                subscriptions.append(conn.subscribe(callback))

            closing(1)
            closing(0)
            before = monotonic()
            hypervisor.driver.suspend("")
            for subscription in subscriptions:
                await soon(subscription._ended.wait())
            assert monotonic() - before < 1.0
            assert answers == [False, False]

    run(main)


def test_two_coroutine_callbacks_that_close_the_connection_end_within_a_second(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        answers: list[bool] = []
        both_in, both_out = asyncio.Barrier(2), asyncio.Event()
        conn = await aio.open(FAKE)

        async def callback(_: LifecycleEvent) -> None:
            await both_in.wait()
            answers.append(await conn.close())
            if len(answers) == 2:
                both_out.set()

        subscriptions = [conn.subscribe(callback) for _ in range(2)]
        before = monotonic()
        hypervisor.driver.suspend("")
        await soon(both_out.wait())
        assert monotonic() - before < 1.0
        assert answers == [False, False]
        for subscription in subscriptions:
            await soon(subscription.close())
        assert await soon(conn.close())

    run(main)


def test_close_waits_for_coroutine_callbacks_without_blocking_the_loop(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        inside, go_on = asyncio.Event(), asyncio.Event()
        calls: list[str] = []

        async def callback(_: LifecycleEvent) -> None:
            inside.set()
            await go_on.wait()
            calls.append("returned")

        conn = await aio.open(FAKE)
        conn.subscribe(callback, on_release=lambda: calls.append("released"))
        hypervisor.driver.suspend("")
        await soon(inside.wait())
        closing = asyncio.ensure_future(conn.close())
        await asyncio.sleep(0)
        go_on.set()
        assert await soon(closing)
        assert calls == ["returned", "released"]

    run(main)


def test_a_subscription_made_while_another_thread_closes_ends(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        conn = await aio.open(FAKE)
        released = asyncio.Event()
        closing: list[asyncio.Future[bool]] = []
        real = hypervisor.driver.state.register

        def closed_first(*arguments: object) -> int:
            conn._inner.begin_close()
            conn._inner.put_callbacks_off()
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(hypervisor.driver.state, "register", closed_first)
        subscription = conn.subscribe(print, on_release=released.set)
        closing.append(asyncio.ensure_future(conn.close()))
        assert subscription.is_closed
        await soon(released.wait())
        assert await soon(closing[0])

    run(main)


def test_no_task_is_left(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            conn.subscribe(print)
            conn.events()
            hypervisor.driver.suspend("")
            await (await conn.lookup("web1")).suspend()
        assert asyncio.all_tasks() == {asyncio.current_task(), *_waiters()}

    def _waiters() -> set[asyncio.Task[object]]:
        return {task for task in asyncio.all_tasks() if "virevents" not in task.get_name()}

    run(main)


# -- expect


def test_expect_listens_first() -> None:
    async def main() -> None:
        async with aio.open(TEST) as conn:
            test = await conn.lookup("test")
            for _ in range(20):
                async with conn.expect(test, "suspended", timeout=20) as suspended:
                    await test.suspend()
                await test.resume()
                assert str(suspended.event.detail) == "paused"

    run(main)


def test_close_goes_first(hypervisor: Hypervisor) -> None:
    """As a driver's, whose monitor does not answer: its end is what ends the calls."""
    inside = threading.Semaphore(0)
    go_on = Signal("the end of the driver")

    def hang() -> None:
        inside.release()
        go_on.wait()

    hypervisor.on_suspend, hypervisor.on_close = hang, go_on.set

    async def main() -> None:
        conn = await aio.open(FAKE)
        web1 = await conn.lookup("web1")
        calls = [asyncio.create_task(web1.suspend()) for _ in range(20)]
        for _ in range(8):  # as many as there are threads for calls
            assert await asyncio.to_thread(inside.acquire, timeout=PATIENCE)
        assert await soon(conn.close())
        await soon(asyncio.gather(*calls, return_exceptions=True))

    run(main)


def test_expect_times_out() -> None:
    async def main() -> None:
        async with aio.open(TEST) as conn:
            test = await conn.lookup("test")
            with pytest.raises(ExpectTimeout, match=r"expected test stopped within 0\.01 s"):
                async with conn.expect(test, "stopped", timeout=0.01) as stopped:
                    pass
            with pytest.raises(InternalError, match="test stopped has not come yet"):
                _ = stopped.event

    run(main)


def test_expect_passes_gaps_over_and_an_exception_through(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            web1 = await conn.lookup("web1")
            async with conn.expect(web1, "suspended", timeout=20) as suspended:
                stream = suspended._stream
                assert stream is not None
                stream.add_gap(virevents.Gap(0, 0, None))
                await asyncio.sleep(0)
                await web1.suspend()
            assert suspended.event.sequence == 1
            with pytest.raises(KeyError):
                async with conn.expect(web1, "stopped", timeout=3600):
                    raise KeyError("of the block")
            never = conn.expect(web1, "stopped", timeout=3600)
            await never.__aexit__(None, None, None)

    run(main)


def test_expect_ends_when_the_connection_closes(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        conn = await aio.open(FAKE)
        web1 = await conn.lookup("web1")
        with pytest.raises(ClosedError, match="was closed while web1 stopped was expected"):
            async with conn.expect(web1, "stopped", timeout=3600):
                await conn.close()

    run(main)


# -- in a forked child


def test_in_a_forked_child_every_call_is_refused_and_close_waits_for_nothing(
    hypervisor: Hypervisor,
) -> None:
    async def main() -> None:
        async with aio.open(FAKE) as conn:
            web1 = await conn.lookup("web1")

            async def in_child() -> None:
                for call in (conn.lookup("web1"), conn.list(), conn.stats(), web1.suspend()):
                    with pytest.raises(ForkedError):
                        await soon(call, 5)
                with pytest.raises(ForkedError):
                    conn.events()
                assert await soon(conn.close(), 5)
                assert conn.is_closed

            def child() -> None:
                asyncio._set_running_loop(None)
                asyncio.new_event_loop().run_until_complete(in_child())

            assert in_forked_child(child) == ""
            await web1.suspend()

    run(main)


def test_many_loops_in_many_threads(hypervisor: Hypervisor) -> None:
    """Each program has its own loop; they share the driver."""
    met: list[int] = []
    start = threading.Barrier(4, timeout=20)

    async def main() -> None:
        async with aio.open(FAKE) as conn:
            stream = conn.events()
            await asyncio.to_thread(start.wait)
            await (await conn.lookup("web1")).suspend()
            for _ in range(4):
                assert await soon(anext(stream)) is not None
            met.append(1)
            await asyncio.to_thread(start.wait)

    threads = [threading.Thread(target=run, args=(main,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == [1] * 4
    assert hypervisor.opens == 1


def test_its_public_name_is_a_module() -> None:
    assert aio.open is module.open
    assert set(aio.__all__) == set(module.__all__)
