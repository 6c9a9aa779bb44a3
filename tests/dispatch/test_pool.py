# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Pool``: a few threads that run strands, more when those are all stuck."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from typing_extensions import override  # in typing from Python 3.12

from tests.dispatch.fakes import TIMEOUT, Listener, ManualLoop, batch
from virevents.dispatch import Pool, isolated
from virevents.sync import Role, SystemPrimitives, installed, is_callback_thread, is_caller_thread


class _Call:
    """A runnable that does one thing."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.name = "a call"
        self._function = function

    def run(self) -> None:
        self._function()


class _Blocker:
    """A runnable that holds its worker until it is let go."""

    def __init__(self) -> None:
        self.name = "a blocker"
        self.began = threading.Event()
        self.go = threading.Event()

    def run(self) -> None:
        self.began.set()
        assert self.go.wait(TIMEOUT)


class _Stage:
    """Pools on a loop that is turned by hand, all ended with the test."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.blockers: list[_Blocker] = []
        self.pools: list[Pool] = []

    def pool(self, core: int = 2, *, can_grow: bool = True, role: Role = Role.WORKER) -> Pool:
        made = Pool(self.loop.call_later, core=core, can_grow=can_grow, role=role, name="pool")
        self.pools.append(made)
        return made

    def block(self, pool: Pool, count: int) -> None:
        """Have *count* workers of *pool* held."""
        for _ in range(count):
            blocker = _Blocker()
            pool.enter(blocker)
            self.blockers.append(blocker)
            pool.ready(blocker)

    def end(self) -> None:
        for blocker in self.blockers:
            blocker.go.set()
        for pool in self.pools:
            assert pool.stop().wait(TIMEOUT)


@pytest.fixture
def stage() -> Iterator[_Stage]:
    made = _Stage()
    yield made
    made.end()


def _ran(pool: Pool) -> threading.Event:
    """Make something ready that says when it ran."""
    done = threading.Event()
    pool.ready(_Call(done.set))
    return done


def test_each_ready_runs(stage: _Stage) -> None:
    pool, done = stage.pool(), threading.Event()
    run: list[int] = []
    for number in range(500):
        pool.ready(_Call(lambda number=number: run.append(number)))  # type: ignore[misc]
    pool.ready(_Call(done.set))
    assert done.wait(TIMEOUT)
    assert pool.stop().wait(TIMEOUT)
    assert sorted(run) == list(range(500))


def test_each_ready_runs_also_on_idle_workers(stage: _Stage) -> None:
    pool = stage.pool()
    for _ in range(300):
        assert _ran(pool).wait(TIMEOUT)
    assert pool.workers <= 2


def test_each_ready_runs_from_many_threads(stage: _Stage) -> None:
    pool, counted = stage.pool(), threading.Semaphore(0)

    def make_ready() -> None:
        for _ in range(200):
            pool.ready(_Call(counted.release))

    threads = [threading.Thread(target=make_ready) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(800):
        assert counted.acquire(timeout=TIMEOUT)
    for thread in threads:
        thread.join(TIMEOUT)


def test_each_ready_runs_though_one_before_it_failed(
    stage: _Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise KeyError("a fault of ours")

    pool = stage.pool(core=1)
    with caplog.at_level(logging.ERROR, "virevents.dispatch"):
        pool.ready(_Call(fail))
        assert _ran(pool).wait(TIMEOUT)
    assert [record.message for record in caplog.records] == ["pool: running a call failed"]


@pytest.mark.parametrize(
    ("role", "found"), [(Role.WORKER, (True, False)), (Role.CALLER, (False, True))]
)
def test_its_threads_know_their_role(stage: _Stage, role: Role, found: tuple[bool, bool]) -> None:
    pool, done = stage.pool(role=role), threading.Event()
    seen: list[tuple[bool, bool]] = []
    pool.ready(_Call(lambda: seen.append((is_callback_thread(), is_caller_thread()))))
    pool.ready(_Call(done.set))
    assert done.wait(TIMEOUT)
    assert pool.stop().wait(TIMEOUT)
    assert seen == [found]


def test_grows_when_stuck(stage: _Stage) -> None:
    pool = stage.pool(core=2)
    stage.block(pool, 9)
    sizes = [pool.workers]
    while stage.loop.fire_timers() and pool.workers < 9:
        for blocker in stage.blockers[: pool.workers]:
            assert blocker.began.wait(TIMEOUT)
        sizes.append(pool.workers)
    # The watch looks once more while nothing was taken, then doubles.
    assert [size for n, size in enumerate(sizes) if size not in sizes[:n]] == [2, 4, 8]
    assert pool.workers == 9
    assert set(stage.loop.delays) == {0.010}


def test_grows_not_while_strands_are_taken(stage: _Stage) -> None:
    pool = stage.pool(core=1)
    stage.block(pool, 2)
    first, second = stage.blockers
    assert first.began.wait(TIMEOUT)
    first.go.set()
    assert second.began.wait(TIMEOUT)
    stage.block(pool, 1)
    stage.loop.fire_timers()  # one was taken since the watch began
    assert pool.workers == 1
    stage.loop.fire_timers()
    assert pool.workers == 2


def test_grows_again_after_a_rest(stage: _Stage) -> None:
    pool = stage.pool(core=1)
    stage.block(pool, 2)
    stage.loop.fire_timers()
    assert all(blocker.began.wait(TIMEOUT) for blocker in stage.blockers)
    stage.loop.fire_timers()
    assert len(stage.loop.timers) == 0  # nothing is in the line: the watch rests
    stage.block(pool, 1)
    stage.loop.fire_timers()
    assert stage.blockers[2].began.wait(TIMEOUT)


def test_grows_behind_blocked_release_hooks(stage: _Stage) -> None:
    """A hook is the strand's last item: until it returns its worker is not there for others."""
    pool, go, inside = stage.pool(core=2), threading.Event(), threading.Semaphore(0)

    class _Hanging(Listener):
        def _on_release(self) -> None:
            inside.release()
            assert go.wait(TIMEOUT)

    hanging = [_Hanging() for _ in range(2)]
    arrived = threading.Event()
    live = Listener(on_event=lambda _: arrived.set())
    strand = isolated(pool, live.callback)
    for listener in hanging:
        isolated(pool, listener.callback).end(listener.callback)
    assert all(inside.acquire(timeout=TIMEOUT) for _ in hanging)
    strand(live.callback, batch(1))
    stage.loop.fire_timers()
    is_arrived = arrived.wait(TIMEOUT)
    go.set()
    assert is_arrived


def test_grows_not_when_it_may_not(stage: _Stage) -> None:
    pool = stage.pool(core=1, can_grow=False)
    stage.block(pool, 3)
    assert len(stage.loop.timers) == 0
    assert pool.workers == 1


def test_bounded(stage: _Stage) -> None:
    pool = stage.pool(core=2)
    stage.block(pool, 3)  # three strands, then calls that are nobody's strand
    calls = [_Blocker() for _ in range(6)]
    stage.blockers += calls
    for call in calls:
        pool.ready(call)
    for _ in range(10):
        stage.loop.fire_timers()
        assert pool.workers <= 3
    assert all(blocker.began.wait(TIMEOUT) for blocker in stage.blockers[:3])
    assert pool.workers == 3


def test_bounded_also_when_strands_left_under_their_workers(stage: _Stage) -> None:
    pool = stage.pool(core=1)
    stage.block(pool, 4)
    while pool.workers < 4:
        stage.loop.fire_timers()
    assert all(blocker.began.wait(TIMEOUT) for blocker in stage.blockers)
    for blocker in stage.blockers:
        pool.leave(blocker)
    assert pool.strands == 0
    late = _ran(pool)
    for _ in range(3):
        stage.loop.fire_timers()
    assert pool.workers == 4  # no worker more, and none counted away
    stage.blockers[0].go.set()
    assert late.wait(TIMEOUT)


def test_one_idle_worker_is_kept_beside_stuck_ones(stage: _Stage) -> None:
    pool = stage.pool(core=1)
    stage.block(pool, 2)
    while pool.workers < 2:
        stage.loop.fire_timers()
    assert all(blocker.began.wait(TIMEOUT) for blocker in stage.blockers)
    stage.blockers[0].go.set()
    for _ in range(20):
        assert _ran(pool).wait(TIMEOUT)
    assert pool.workers == 2


class _SlowBell:
    """A bell at which nobody wakes until it is told; says who waits."""

    def __init__(self) -> None:
        self.rings = 0
        self.waits = threading.Semaphore(0)
        self.wakes = threading.Semaphore(0)

    def ring(self, count: int = 1) -> None:
        self.rings += count

    def wait(self) -> None:
        self.waits.release()
        assert self.wakes.acquire(timeout=TIMEOUT)

    def close(self) -> None:
        """Nothing to give back."""


class _SlowBells(SystemPrimitives):
    def __init__(self) -> None:
        super().__init__(is_checked=True)
        self.bell = _SlowBell()

    @override
    def make_doorbell(self, name: str) -> _SlowBell:
        return self.bell


def test_an_idle_worker_is_rung_for_once(stage: _Stage) -> None:
    """It has not woken yet: what comes next needs another worker, for this one may get stuck."""
    system = _SlowBells()
    with installed(system):
        pool = stage.pool(core=2)
        assert _ran(pool).wait(TIMEOUT)
        assert system.bell.waits.acquire(timeout=TIMEOUT)
        assert (pool.workers, system.bell.rings) == (1, 0)
        first = _ran(pool)
        assert (pool.workers, system.bell.rings) == (1, 1)
        second = _ran(pool)
        assert (pool.workers, system.bell.rings) == (2, 1)
        assert first.wait(TIMEOUT)
        assert second.wait(TIMEOUT)
        system.bell.wakes.release(100)
        assert pool.stop().wait(TIMEOUT)


def test_shrinks(stage: _Stage) -> None:
    pool = stage.pool(core=2)
    stage.block(pool, 8)
    while pool.workers < 8:
        stage.loop.fire_timers()
    assert all(blocker.began.wait(TIMEOUT) for blocker in stage.blockers)
    started = [thread for thread in threading.enumerate() if thread.name.startswith("pool-")]
    assert len(started) == 8
    for blocker in stage.blockers:
        blocker.go.set()
    # All but two find an idle one beside them and end.
    while pool.workers > 2:
        assert _ran(pool).wait(TIMEOUT)
    for thread in started:
        if sum(one.is_alive() for one in started) <= 2:
            break
        thread.join(0.1)
    assert pool.workers == 2


def test_ends(stage: _Stage) -> None:
    pool = stage.pool(core=2)
    stage.block(pool, 1)
    assert stage.blockers[0].began.wait(TIMEOUT)
    assert _ran(pool).wait(TIMEOUT)
    ended = pool.stop()
    assert pool.stop() is ended
    assert not ended.is_open
    stage.blockers[0].go.set()
    assert ended.wait(TIMEOUT)
    assert pool.workers == 0


def test_ends_at_once_when_it_never_began(stage: _Stage) -> None:
    assert stage.pool().stop().is_open


def test_ends_after_what_is_in_the_line(stage: _Stage) -> None:
    pool = stage.pool(core=1)
    stage.block(pool, 1)
    assert stage.blockers[0].began.wait(TIMEOUT)
    late = _ran(pool)
    ended = pool.stop()
    stage.loop.fire_timers()  # the watch grows no pool that ends
    assert pool.workers == 1
    stage.blockers[0].go.set()
    assert ended.wait(TIMEOUT)
    assert late.is_set()


def test_what_comes_after_the_end_is_run_all_the_same(stage: _Stage) -> None:
    pool = stage.pool()
    assert pool.stop().is_open
    assert _ran(pool).wait(TIMEOUT)


def test_without_a_loop_it_works_and_does_not_grow(stage: _Stage) -> None:
    stage.loop.is_stopped = True
    pool = stage.pool(core=1)
    stage.block(pool, 2)
    assert stage.blockers[0].began.wait(TIMEOUT)
    assert pool.workers == 1
    stage.blockers[0].go.set()
    assert stage.blockers[1].began.wait(TIMEOUT)


class _NoThreads(SystemPrimitives):
    """A system that has no thread left, until it has."""

    def __init__(self) -> None:
        super().__init__(is_checked=True)
        self.refused: list[Callable[[], None]] = []
        self.has_threads = False

    @override
    def start_thread(self, name: str, target: Callable[[], None]) -> None:
        if not self.has_threads:
            self.refused.append(target)
            raise RuntimeError("can't start new thread")
        super().start_thread(name, target)


def test_each_ready_runs_once_the_system_has_threads_again(
    stage: _Stage, caplog: pytest.LogCaptureFixture
) -> None:
    system = _NoThreads()
    with installed(system), caplog.at_level(logging.ERROR, "virevents.dispatch"):
        pool = stage.pool(core=1)
        first, second = _ran(pool), _ran(pool)
        assert (pool.workers, len(system.refused)) == (0, 2)
        stage.loop.fire_timers()
        assert (pool.workers, len(system.refused)) == (0, 3)
        system.has_threads = True
        stage.loop.fire_timers()
        assert first.wait(TIMEOUT)
        assert second.wait(TIMEOUT)
    assert caplog.records[0].message == "pool: a worker could not be started"


def test_ends_though_its_last_worker_could_not_be_started(stage: _Stage) -> None:
    class _StopsMeanwhile(_NoThreads):
        @override
        def start_thread(self, name: str, target: Callable[[], None]) -> None:
            ended.append(pool.stop().is_open)
            super().start_thread(name, target)

    ended: list[bool] = []
    with installed(_StopsMeanwhile()):
        pool = stage.pool(core=1)
        _ran(pool)
    assert ended == [False]
    assert pool.stop().is_open
