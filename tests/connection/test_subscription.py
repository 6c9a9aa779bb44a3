# SPDX-License-Identifier: LGPL-2.1-or-later
"""A subscription: who waits for its end, who never does, and what a finalizer may call."""

import asyncio
import gc
import re
import threading
from typing import Final

import pytest

import virevents
from tests.connection.harness import Hypervisor, Running, Signal, stopped_loop
from virevents import LifecycleEvent
from virevents.connection import subscription as module
from virevents.dispatch import Callback, Filter
from virevents.sync import CheckedLock, is_callback_thread


def test_closed_is_over(conn: virevents.Connection, domain: virevents.Domain) -> None:
    inside, go_on = Signal("the call"), Signal()
    calls: list[str] = []

    def callback(event: LifecycleEvent) -> None:
        calls.append(str(event.event))
        inside.set()
        go_on.wait()
        calls.append("returned")

    subscription = conn.subscribe(callback, on_release=lambda: calls.append("released"))
    domain.suspend()
    inside.wait()
    domain.resume()  # waits in the mailbox; close() drops it
    assert not subscription.close(wait=False)
    assert subscription.is_closed
    closing = Running(subscription.close)
    assert calls == ["suspended"]
    go_on.set()
    assert closing.result()
    assert calls == ["suspended", "returned", "released"]
    domain.suspend()
    assert subscription.close()
    assert subscription.close(wait=False)
    assert calls == ["suspended", "returned", "released"]


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_no_wait_in_calls(
    delivery: str, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    answers: list[bool] = []
    done = Signal("the callback")
    released = Signal()
    other = conn.subscribe(print, on_release=released.wait)
    mine: virevents.Subscription

    def callback(_: LifecycleEvent) -> None:
        assert is_callback_thread()
        answers.extend([mine.drain(3600), other.drain(3600), other.close(), mine.close()])
        done.set()

    mine = conn.subscribe(
        callback,
        delivery="direct" if delivery == "direct" else "isolated",
        only={"suspended"},
    )
    domain.suspend()
    done.wait()
    released.set()
    assert answers == [False] * 4
    assert mine.close()
    assert other.close()


def test_no_wait_in_calls_on_an_asyncio_loop() -> None:
    async def main() -> None:
        conn = await asyncio.to_thread(virevents.open, "test:///default")
        answers: list[bool] = []
        ended = asyncio.Event()
        mine: virevents.Subscription

        def callback(_: LifecycleEvent) -> None:
            answers.extend([mine.drain(3600), mine.close()])

        mine = conn.subscribe(callback, delivery=asyncio.get_running_loop(), on_release=ended.set)
        other = conn.subscribe(print, delivery=asyncio.get_running_loop())
        await asyncio.to_thread(conn.lookup("test").suspend)
        await asyncio.wait_for(ended.wait(), 20)
        assert answers == [False, False]
        # a coroutine that would wait for its own loop's callback is told no, at once
        assert not other.drain(3600)
        assert not other.close()
        assert await asyncio.to_thread(conn.close)

    asyncio.run(main())


def test_left_in_order(conn: virevents.Connection, domain: virevents.Domain) -> None:
    met: list[int] = []
    with conn.subscribe(lambda e: met.append(e.sequence)) as subscription:
        for _ in range(50):
            domain.suspend()
            domain.resume()
    assert met == list(range(1, 101))
    assert subscription.is_closed


def test_left_by_an_exception_it_closes_at_once(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    inside, go_on = Signal("the call"), Signal()
    met: list[int] = []

    def callback(event: LifecycleEvent) -> None:
        inside.set()
        go_on.wait()
        met.append(event.sequence)

    def block() -> None:
        with conn.subscribe(callback):
            domain.suspend()
            inside.wait()
            domain.resume()
            raise KeyError("of the block")

    leaving = Running(block)
    inside.wait()
    while not conn.stats().running:
        pass
    go_on.set()
    with pytest.raises(KeyError, match="of the block"):
        leaving.result()
    assert met == [1]


def test_a_block_whose_subscription_was_closed_drains_nothing(conn: virevents.Connection) -> None:
    with conn.subscribe(print) as subscription:
        subscription.close()
    assert subscription.is_closed


def test_drain_waits_for_what_was_pushed_before(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    go_on = Signal()
    met: list[int] = []

    def callback(event: LifecycleEvent) -> None:
        go_on.wait()
        met.append(event.sequence)

    subscription = conn.subscribe(callback)
    domain.suspend()
    domain.resume()
    assert not subscription.drain(0.01)
    draining = Running(lambda: subscription.drain(20))
    go_on.set()
    assert draining.result()
    assert met == [1, 2]


def test_drain_is_false_when_it_is_closed_meanwhile(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    inside, go_on = Signal("the call"), Signal()

    def callback(_: LifecycleEvent) -> None:
        inside.set()
        go_on.wait()

    subscription = conn.subscribe(callback)
    domain.suspend()
    inside.wait()
    domain.resume()
    draining = Running(lambda: subscription.drain(20))
    subscription.close(wait=False)
    go_on.set()
    assert not draining.result()
    assert not subscription.drain(20)


def test_the_statistics_add_up(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        go_on, inside, gone = Signal(), Signal("the call"), Signal("the gap")

        def callback(event: virevents.DomainEvent) -> None:
            inside.set()
            go_on.wait()
            if event.sequence == 1:
                raise ValueError("first")

        subscription = conn.subscribe(callback, event_id="all", capacity=2, on_gap=gone.set)
        direct = conn.subscribe(lambda _: None, delivery="direct")
        web1 = conn.lookup("web1")
        web1.suspend()
        inside.wait()
        for _ in range(4):
            web1.suspend()
        assert direct.drain(20)  # so the flush has seen all five
        assert subscription.stats[:3] == (1, 2, 2)
        go_on.set()
        assert subscription.drain(20)
        gone.wait()
        stats = subscription.stats
        assert (stats.delivered, stats.pending, stats.dropped, stats.errors) == (3, 0, 2, 1)
        assert stats.slowest > 0
        assert direct.stats[:4] == (5, 0, 0, 0)


def test_its_words(conn: virevents.Connection) -> None:
    subscription = conn.subscribe(print)
    assert subscription.id == 0
    assert subscription.name == "callback 0 (print)"
    assert repr(subscription) == "<Subscription callback 0 (print) open>"
    subscription.close()
    assert repr(subscription) == "<Subscription callback 0 (print) closed>"


def test_a_long_wait_is_logged_once_with_both_stacks(
    conn: virevents.Connection,
    domain: virevents.Domain,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_LOG_AFTER", 0.01)
    inside, go_on = Signal("the call"), Signal()

    def sits_here(_: LifecycleEvent) -> None:
        inside.set()
        go_on.wait()

    subscription = conn.subscribe(sits_here)
    domain.suspend()
    inside.wait()

    class GoOn(threading.Thread):
        """Ends the call once the wait was logged."""

        def run(self) -> None:
            while "still running" not in caplog.text:
                pass
            go_on.set()

    GoOn().start()
    assert subscription.close()
    assert caplog.text.count("which is still running") == 1
    waiting, running = re.split("The callback's thread:", caplog.text)
    assert "test_a_long_wait_is_logged_once_with_both_stacks" in waiting
    assert "sits_here" in running


def test_the_stack_of_a_callback_that_nobody_runs() -> None:
    assert module.stack_of(Callback(print, Filter())) == "(it is not running)"


def test_a_wait_with_a_deadline_ends_at_it() -> None:
    callback = Callback(print, Filter())
    assert not module.wait_for_end(callback, 0.01)
    assert not module.wait_for_ends([callback], 0.0, "test:///default")
    callback.end()
    assert module.wait_for_end(callback, 0.01)
    assert module.wait_for_ends([callback], 0.0, "test:///default")


def test_a_wait_longer_than_the_log_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOG_AFTER", 0.001)
    callback = Callback(print, Filter())
    assert not module.wait_for_end(callback, 0.01)


# -- finalizers


class Finalized:
    """A user's object that closes its subscription when the collector finds it."""

    def __init__(self, subscription: virevents.Subscription, done: Signal) -> None:
        self._subscription: Final = subscription
        self._done: Final = done
        self._itself: Final = self  # only the collector frees it

    def __del__(self) -> None:
        self._subscription.close(wait=False)
        self._done.set()


def test_a_finalizer_may_close_it_in_a_callback(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    finalized, released = Signal("the finalizer"), Signal("the release hook")
    keep = [Finalized(conn.subscribe(print, on_release=released.set), finalized)]

    def callback(_: LifecycleEvent) -> None:
        keep.clear()
        gc.collect()

    with conn.subscribe(callback):
        domain.suspend()
        finalized.wait()
    released.wait()


def test_a_finalizer_takes_no_lock_and_closes(
    conn: virevents.Connection, domain: virevents.Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = Signal("the release hook")
    calls: list[int] = []
    subscription = conn.subscribe(lambda e: calls.append(e.sequence), on_release=released.set)
    stream = conn.events()
    this_thread = threading.get_ident()
    real = CheckedLock.acquire

    def refuse(lock: CheckedLock, blocking: bool = True, timeout: float = -1) -> bool:
        assert threading.get_ident() != this_thread, f"{lock!r} is taken"
        return real(lock, blocking, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(CheckedLock, "acquire", refuse)
        subscription.close(wait=False)
        stream.close()
    released.wait()  # the loop did the rest
    domain.suspend()
    assert calls == []
    assert stream.get(20) is None if not stream.is_closed else True


def test_a_finalizer_may_close_it_under_any_lock_of_ours(hypervisor: Hypervisor) -> None:
    """What the collector does inside a section: the lock is held, by this very thread."""
    with virevents.open("fake:///one") as conn:
        state = conn.driver_state
        subscription = conn.subscribe(print)
        locks = {
            "connection": conn._lock,
            "registry": state.registry._lock,
            "queue": state.queue._lock,
            "pool": conn._machinery.pool._lock,
            "wakeup": conn._machinery.loop_thread.loop._lock,
            "process": conn._process._lock,
            "mailbox": subscription._callback._lock,
        }
        for name, lock in locks.items():
            released = Signal(f"the release hook, under the {name} lock")
            doomed, other = conn.subscribe(print, on_release=released.set), conn.events()
            with lock:
                doomed.close(wait=False)
                other.close()
            released.wait()
            with pytest.raises(StopIteration):
                other.get(20)


def test_closed_while_no_flush_runs_it_begins_no_call(hypervisor: Hypervisor) -> None:
    calls: list[int] = []
    with virevents.open("fake:///one") as conn:
        web1 = conn.lookup("web1")
        subscription = conn.subscribe(lambda e: calls.append(e.sequence))
        with stopped_loop(hypervisor.driver):
            web1.suspend()
            subscription.close(wait=False)
        assert subscription.close()
    assert calls == []
