# SPDX-License-Identifier: LGPL-2.1-or-later
"""``AsyncioLoop``: the wake-up, and what other threads hand over."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from typing_extensions import override  # in typing from Python 3.12

from virevents.errors import LoopStoppedError, OperationTimeoutError, WouldBlockError
from virevents.loop import AsyncioLoop, LoopThread, adopt_running_loop
from virevents.sync import SystemPrimitives, WakeDescriptor, WakeSignal, installed

_TIMEOUT = 20.0


class _CountingSignal(WakeDescriptor):
    def __init__(self) -> None:
        super().__init__()
        self.signals = 0

    @override
    def signal(self) -> None:
        self.signals += 1
        super().signal()


class _CountingPrimitives(SystemPrimitives):
    """Counts how often the loop was signalled."""

    def __init__(self) -> None:
        super().__init__(is_checked=True)
        self.made = _CountingSignal()

    @override
    def make_wake_signal(self, name: str) -> WakeSignal:
        return self.made


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """A loop that runs."""
    made = LoopThread("tested loop")
    made.start()
    yield made
    assert made.stop(_TIMEOUT)


@pytest.fixture
def loop(thread: LoopThread) -> AsyncioLoop:
    return thread.loop


def _settle(loop: AsyncioLoop) -> None:
    """Return when all that was handed over before has been run."""
    done = threading.Event()
    loop.call(done.set)
    assert done.wait(_TIMEOUT)


class _Pause:
    """Holds the loop thread inside a call, as no code of ours may, until it is let go."""

    def __init__(self, loop: AsyncioLoop) -> None:
        self._began = threading.Event()
        self._go = threading.Event()
        loop.call(self._hold)
        assert self._began.wait(_TIMEOUT)

    def _hold(self) -> None:
        self._began.set()
        assert self._go.wait(_TIMEOUT)

    def end(self) -> None:
        self._go.set()


def test_it_has_its_name_and_knows_its_thread(loop: AsyncioLoop) -> None:
    found: list[bool] = []
    loop.call(lambda: found.append(loop.is_current()))
    _settle(loop)
    assert found == [True]
    assert not loop.is_current()
    assert loop.name == "tested loop"


def test_in_order(loop: AsyncioLoop) -> None:
    run: list[int] = []
    for number in range(100):
        loop.call(lambda number=number: run.append(number))  # type: ignore[misc]
    _settle(loop)
    assert run == list(range(100))


def test_one_wake() -> None:
    counting = _CountingPrimitives()
    with installed(counting):
        thread = LoopThread("counted")
    thread.start()
    loop = thread.loop
    run: list[int] = []
    wakers = [loop.make_waker(lambda n=n: run.append(n)) for n in range(3)]  # type: ignore[misc]
    pause = _Pause(loop)
    before = counting.made.signals
    for number in range(100):
        loop.call(lambda number=number: run.append(number))  # type: ignore[misc]
        for waker in wakers:
            waker()
    signals = counting.made.signals - before
    pause.end()
    _settle(loop)
    assert signals == 1
    assert run == [*range(100), 0, 1, 2]
    assert thread.stop(_TIMEOUT)


def test_no_lost_wake(loop: AsyncioLoop) -> None:
    """Threads hand over while the loop is anywhere in its turn: nothing stays behind."""
    count, threads = 300, 4
    run: list[int] = []
    woken = threading.Event()
    last = threading.Event()

    def on_wake() -> None:
        woken.set()

    waker = loop.make_waker(on_wake)

    def hand_over() -> None:
        for number in range(count):
            loop.call(lambda number=number: run.append(number))  # type: ignore[misc]
            waker()

    made = [threading.Thread(target=hand_over) for _ in range(threads)]
    for one in made:
        one.start()
    for one in made:
        one.join()
    loop.call(last.set)
    assert last.wait(_TIMEOUT)
    assert sorted(run) == sorted(list(range(count)) * threads)
    woken.clear()
    waker()
    assert woken.wait(_TIMEOUT)


def test_no_lost_wake_when_asked_during_its_own_run(loop: AsyncioLoop) -> None:
    runs: list[int] = []
    done = threading.Event()

    def again() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            waker()
        else:
            done.set()

    waker = loop.make_waker(again)
    waker()
    assert done.wait(_TIMEOUT)
    assert runs == [0, 1, 2]


def test_a_nudge_takes_no_lock(loop: AsyncioLoop) -> None:
    runs: list[bool] = []
    done = threading.Event()

    def function() -> None:
        runs.append(loop.is_current())
        done.set()

    waker = loop.make_waker(function)
    with loop._lock:  # whoever runs a finalizer may hold anything, this lock too
        waker.nudge()
    assert done.wait(_TIMEOUT)
    assert runs == [True]


def test_a_closed_waker_is_not_run(loop: AsyncioLoop) -> None:
    run: list[str] = []
    waker = loop.make_waker(lambda: run.append("late"))
    pause = _Pause(loop)
    waker()
    waker.nudge()
    waker.close()
    waker()
    pause.end()
    _settle(loop)
    _settle(loop)
    assert run == []


def test_a_failing_call_is_logged_and_stops_nothing(
    loop: AsyncioLoop, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("a fault of ours")

    waker, after = loop.make_waker(fail), threading.Event()
    with caplog.at_level(logging.ERROR, "virevents.loop"):
        loop.call(fail)
        waker()
        waker.nudge()
        loop.call_later(0.0, fail)
        loop.call_later(0.001, after.set)
        _settle(loop)
        assert after.wait(_TIMEOUT)
        _settle(loop)
    assert len(caplog.records) == 4
    assert {record.message for record in caplog.records} == {
        "an internal call on the event loop failed"
    }


def test_a_timer_fires_once_from_any_thread(loop: AsyncioLoop) -> None:
    fired: list[str] = []
    done = threading.Event()

    def on_loop() -> None:
        loop.call_later(0.0, lambda: fired.append("from the loop"))
        loop.call_later(0.001, done.set)

    loop.call_later(0.0, lambda: fired.append("from a thread"))
    loop.call(on_loop)
    assert done.wait(_TIMEOUT)
    _settle(loop)
    assert sorted(fired) == ["from a thread", "from the loop"]


def test_a_cancelled_timer_does_not_fire(loop: AsyncioLoop) -> None:
    fired: list[str] = []
    done = threading.Event()
    pause = _Pause(loop)
    timer = loop.call_later(0.0, lambda: fired.append("cancelled"))
    loop.call_later(0.001, done.set)
    timer.cancel()
    timer.cancel()
    pause.end()
    assert done.wait(_TIMEOUT)
    assert fired == []


def test_run_brings_the_result(loop: AsyncioLoop) -> None:
    async def where() -> bool:
        await asyncio.sleep(0)
        return loop.is_current()

    assert loop.run(where, timeout=_TIMEOUT, what="a look") is True
    assert loop._jobs == set()


def test_run_gives_up_and_cancels(loop: AsyncioLoop) -> None:
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(OperationTimeoutError, match=r"a hang took longer than 0\.05 s"):
        loop.run(hang, timeout=0.05, what="a hang")
    _settle(loop)
    # It was cancelled, or its time was up before it began and it never will.
    tasks: list[int] = []
    loop.call(lambda: tasks.append(len(asyncio.all_tasks(loop.asyncio_loop))))
    _settle(loop)
    _settle(loop)
    assert cancelled.wait(0.0) or tasks == [0]
    assert loop._jobs == set()


def test_run_is_refused_on_a_loop_thread(loop: AsyncioLoop) -> None:
    async def nothing() -> None:
        pytest.fail("the waiter was refused")

    async def wait_for_itself() -> str:
        with pytest.raises(Exception, match="loop") as refused:
            loop.run(nothing, timeout=_TIMEOUT, what="itself")
        return type(refused.value).__name__

    found: list[str] = []

    def adopted() -> None:
        found.append(asyncio.run(wait_for_itself()))

    other = threading.Thread(target=adopted)
    pause = _Pause(loop)
    other.start()
    other.join()
    pause.end()
    assert found[0] in {"LockOrderError", WouldBlockError.__name__}


def test_every_wait_ends() -> None:
    thread = LoopThread("stopped under waiters")
    thread.start()
    began = threading.Semaphore(0)
    ended: list[BaseException] = []

    async def hang() -> None:
        began.release()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            thread.loop.run(hang, timeout=60.0, what="a hang")
        except LoopStoppedError as error:
            ended.append(error)

    waiters = [threading.Thread(target=wait) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    for _ in waiters:
        assert began.acquire(timeout=_TIMEOUT)
    assert thread.stop(_TIMEOUT)
    for waiter in waiters:
        waiter.join(_TIMEOUT)
    assert [str(error) for error in ended] == [
        "stopped under waiters stopped before it was done with a hang"
    ] * 3


def _never_run() -> None:
    pytest.fail("the loop has stopped")


def _uses(loop: AsyncioLoop) -> list[Callable[[], object]]:
    async def nothing() -> None:
        """Never begun."""

    return [
        lambda: loop.call(_never_run),
        lambda: loop.call_later(0.0, _never_run),
        lambda: loop.run(nothing, timeout=_TIMEOUT, what="nothing"),
    ]


def test_a_stopped_loop_takes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    thread = LoopThread("ended")
    thread.loop.call(_never_run)  # handed over before its thread began
    waker = thread.loop.make_waker(_never_run)
    with caplog.at_level(logging.DEBUG, "virevents.loop"):
        thread.loop.stop_accepting()
        thread.loop.stop_accepting()
    for use in _uses(thread.loop):
        with pytest.raises(LoopStoppedError, match="ended has stopped and takes no more calls"):
            use()
    waker()  # raises nothing
    assert [record.message for record in caplog.records] == ["ended stopped with 1 calls not run"]
    thread.loop.detach()
    thread._asyncio_loop.close()


def test_run_on_a_loop_that_stops_before_the_call_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = LoopThread("ended")

    async def nothing() -> None:
        """Never begun."""

    def stop_first(function: Callable[[], None]) -> None:
        thread.loop.stop_accepting()
        AsyncioLoop.call(thread.loop, function)

    monkeypatch.setattr(thread.loop, "call", stop_first)
    with pytest.raises(LoopStoppedError):
        thread.loop.run(nothing, timeout=_TIMEOUT, what="nothing")
    assert thread.loop._jobs == set()
    thread.loop.detach()
    thread._asyncio_loop.close()


def test_a_callers_own_loop_serves_as_well() -> None:
    async def program() -> list[str]:
        loop = adopt_running_loop("mine")
        run: list[str] = []
        done = asyncio.Event()

        def finish() -> None:
            run.append("woken")
            done.set()

        waker = loop.make_waker(finish)

        def hand_over() -> None:
            loop.call(lambda: run.append("called"))
            waker()

        handed = threading.Thread(target=hand_over)
        handed.start()
        await asyncio.wait_for(done.wait(), _TIMEOUT)
        handed.join()
        loop.stop_accepting()
        loop.detach()
        return run

    assert asyncio.run(program()) == ["called", "woken"]
