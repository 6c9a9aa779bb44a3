# SPDX-License-Identifier: LGPL-2.1-or-later
"""The schedule explorer finds what it must, is quiet where it must be, and leaves nothing."""

import asyncio
import gc
import logging
import math
import random
import sys
import threading
from collections.abc import Callable

import pytest

from tests.testing import toys
from tests.testing.toys import expect
from virevents.errors import LockOrderError
from virevents.sync import (
    DOMAIN,
    DRIVER,
    QUEUE,
    Gate,
    RankedLock,
    call_out,
    is_loop_thread,
    primitives,
)
from virevents.testing.schedules import (
    DeadlockError,
    ExploredEventLoop,
    Rules,
    Run,
    Scenario,
    ScheduleError,
    SeedError,
    StuckError,
    UnstableScenarioError,
    explore,
    explore_randomly,
    replay,
    start_loop,
)

BUGS = {
    "lost_wakeup": toys.lost_wakeup(toys.Mailbox),
    "inversion": toys.inversion(toys.Hub),
    "after_unregister": toys.after_unregister(toys.Registry),
}
REPAIRED = {
    "lost_wakeup": toys.lost_wakeup(toys.SafeMailbox),
    "inversion": toys.inversion(toys.SafeHub),
    "after_unregister": toys.after_unregister(toys.SafeRegistry),
}


def switching(threads: int, switches: int) -> Scenario:
    """Threads that do nothing but switch."""

    def scenario(run: Run) -> None:
        def body() -> None:
            for _ in range(switches):
                run.switch()

        for number in range(threads):
            run.thread(body, name=f"thread {number}")

    return scenario


# ------------------------------------------------------------------ what it finds


@pytest.mark.parametrize("name", BUGS)
def test_finds_the_toy_and_replays_it(name: str) -> None:
    with pytest.raises(ScheduleError) as found:
        explore(BUGS[name])
    with pytest.raises(ScheduleError) as again:
        replay(BUGS[name], found.value.seed)
    assert again.value.trace == found.value.trace
    assert again.value.reason.splitlines()[0] == found.value.reason.splitlines()[0]
    assert found.value.trace


@pytest.mark.parametrize("name", REPAIRED)
def test_is_quiet_on_the_repaired_toy(name: str) -> None:
    result = explore(REPAIRED[name])
    assert result.is_exhausted
    assert result.count > 10


@pytest.mark.parametrize("name", BUGS)
def test_random_schedules_find_the_toy(name: str) -> None:
    with pytest.raises(ScheduleError) as found:
        explore_randomly(BUGS[name], count=500, seed=1)
    with pytest.raises(ScheduleError) as again:
        replay(BUGS[name], found.value.seed)
    assert again.value.trace == found.value.trace


def test_random_schedules_are_the_same_for_the_same_seed() -> None:
    seeds = []
    for _ in range(2):
        with pytest.raises(ScheduleError) as found:
            explore_randomly(BUGS["after_unregister"], seed=7)
        seeds.append((found.value.number, found.value.seed))
    assert seeds[0] == seeds[1]
    assert str(explore_randomly(switching(2, 2), count=3)) == "3 random schedules"


def test_a_lock_order_is_checked_in_the_first_schedule() -> None:
    def scenario(run: Run) -> None:
        driver, domain = RankedLock(DRIVER), RankedLock(DOMAIN)

        def nest() -> None:
            with driver, domain:
                pass

        run.thread(nest)

    with pytest.raises(ScheduleError) as found:
        explore(scenario)
    assert isinstance(found.value.__cause__, LockOrderError)
    assert explore(scenario, rules=Rules(is_checked=False)).is_exhausted


def test_a_thread_that_ends_with_a_lock_held_fails() -> None:
    def scenario(run: Run) -> None:
        lock = RankedLock(QUEUE)
        run.thread(lock.acquire, name="keeper")

    with pytest.raises(ScheduleError, match="the end of thread keeper") as found:
        explore(scenario)
    assert isinstance(found.value.__cause__, LockOrderError)


def test_a_failed_final_check_fails() -> None:
    def scenario(run: Run) -> None:
        run.thread(lambda: None)
        run.finally_(lambda: expect(1, 2))

    with pytest.raises(ScheduleError, match="final check failed"):
        explore(scenario)


def test_a_schedule_that_does_not_end_fails() -> None:
    def scenario(run: Run) -> None:
        def spin() -> None:
            while True:
                run.switch()

        run.thread(spin)

    with pytest.raises(ScheduleError, match="did not end within 50 steps"):
        explore(scenario, rules=Rules(max_steps=50))


# ------------------------------------------------------------------ counts


@pytest.mark.parametrize(("preemptions", "count"), [(0, 2), (1, 4), (2, 6), (3, 6)])
def test_each_once(preemptions: int, count: int) -> None:
    # Two threads of two pieces each: AABB BBAA; ABBA BAAB; ABAB BABA.
    orders: list[str] = []

    def scenario(run: Run) -> None:
        order: list[str] = []

        def body(name: str) -> None:
            order.append(name)
            run.switch()
            order.append(name)

        run.thread(body, "A", name="A")
        run.thread(body, "B", name="B")
        run.finally_(lambda: orders.append("".join(order)))

    result = explore(scenario, preemptions=preemptions)
    assert (result.count, result.is_exhausted) == (count, True)
    assert len(set(orders)) == len(orders) == count
    assert str(result) == f"all {count} schedules to {preemptions} preemptions"


def test_exhausts() -> None:
    # Without a bound: the ways to merge three threads of three pieces each.
    result = explore(switching(3, 2), preemptions=99)
    assert result.count == math.factorial(9) // math.factorial(3) ** 3
    assert result.is_exhausted


def test_a_limit_is_told() -> None:
    result = explore(switching(3, 2), limit=5)
    assert (result.count, result.is_exhausted) == (5, False)
    assert str(result) == "the first 5 schedules to 2 preemptions"


def test_a_scenario_without_threads_has_one_schedule() -> None:
    assert explore(lambda _: None).count == 1


def test_a_held_lock_costs_no_preemption_and_no_schedule() -> None:
    def scenario(run: Run) -> None:
        lock = run.lock("lock")

        def body() -> None:
            with lock:
                run.switch()

        run.thread(body, name="A")
        run.thread(body, name="B")

    # A first or B first, each with the other stepping in before, inside (where it must wait)
    # and after; with no preemption just the first two.
    assert explore(scenario, preemptions=0).count == 2
    assert explore(scenario, preemptions=1).is_exhausted


# ------------------------------------------------------------------ one at a time


def test_one_at_a_time() -> None:
    def scenario(run: Run) -> None:
        inside: list[int] = []

        def body() -> None:
            for _ in range(3):
                inside.append(threading.get_ident())
                assert len(inside) == 1
                inside.pop()
                run.switch()

        for number in range(3):
            run.thread(body, name=f"thread {number}")

    assert explore(scenario, preemptions=1).is_exhausted


def test_a_thread_started_by_the_code_takes_part() -> None:
    def scenario(run: Run) -> None:
        done: list[str] = []
        bell = primitives().make_doorbell("bell")

        def work() -> None:
            bell.wait()
            done.append("work")
            bell.wait()

        primitives().start_thread("worker", work)
        run.thread(bell.ring)
        run.finally_(lambda: expect(done, ["work"]))  # the worker is idle then, and no deadlock

    assert explore(scenario).count > 5


def test_join_waits_for_the_end() -> None:
    def scenario(run: Run) -> None:
        done: list[str] = []

        def short() -> None:
            run.switch()
            done.append("short")

        def parent() -> None:
            run.thread(short).join()
            assert done == ["short"]

        run.thread(parent)

    assert explore(scenario).is_exhausted


def test_lines_count_and_change_in_steps() -> None:
    def scenario(run: Run) -> None:
        line = primitives().make_line(int, "line")

        def take() -> None:
            while line:
                line.popleft()

        line.extend([1, 2])
        run.thread(take, name="first")
        run.thread(take, name="second")

    with pytest.raises(ScheduleError, match="IndexError"):
        explore(scenario)


def test_every_line_can_be_a_step() -> None:
    def scenario(run: Run) -> None:
        counter = toys.Counter()
        run.thread(counter.add, name="first")
        run.thread(counter.add, name="second")
        run.finally_(lambda: expect(counter.value, 2))

    assert explore(scenario).count == 2  # no step inside: it cannot be seen
    before = sys.gettrace()
    with pytest.raises(ScheduleError, match="final check failed") as found:
        explore(scenario, rules=Rules(lines=(toys,)))
    assert sys.gettrace() is before
    assert "toys.py" in str(found.value)
    with pytest.raises(ScheduleError):
        replay(scenario, found.value.seed, rules=Rules(lines=(toys,)))


# ------------------------------------------------------------------ deadlock


def test_deadlock_is_told() -> None:
    with pytest.raises(DeadlockError) as found:
        explore(BUGS["inversion"])
    assert {b.thread: b.waits_for for b in found.value.blocked} == {
        "first": "second's lock, held by first".replace("by first", "by second"),
        "second": "first's lock, held by first",
    }
    for blocked in found.value.blocked:
        assert "in publish" in blocked.stack
        assert "in receive" in blocked.stack
        assert "schedules" not in blocked.stack
    text = str(found.value)
    assert "deadlock: nobody can go on" in text
    assert "first waits for second's lock, held by second" in text
    assert found.value.seed in text


def test_a_gate_that_nobody_opens_is_a_deadlock() -> None:
    def scenario(run: Run) -> None:
        run.thread(lambda: Gate("the end of time").wait(None), name="waiter")

    with pytest.raises(DeadlockError, match="waiter waits for the end of time"):
        explore(scenario)


def test_a_daemon_that_waits_for_a_lock_is_a_deadlock() -> None:
    def scenario(run: Run) -> None:
        lock = run.lock("lock")
        run.thread(lock.acquire, name="keeper")
        primitives().start_thread("daemon", lambda: expect(lock.acquire(), wanted=True))

    with pytest.raises(DeadlockError, match="waits for lock, held by"):
        explore(scenario)


def test_a_scenario_that_would_wait_itself_is_told() -> None:
    def scenario(run: Run) -> None:
        assert Gate("nothing").wait(1.0) is False
        lock = run.lock("lock")
        assert lock.acquire(blocking=False)
        assert not lock.acquire(blocking=False)
        lock.acquire()

    with pytest.raises(StuckError, match="lock, held by the scenario itself"):
        explore(scenario)


# ------------------------------------------------------------------ time


def test_time_is_virtual() -> None:
    def scenario(run: Run) -> None:
        ended: list[tuple[str, float]] = []
        begin = run.clock.monotonic()

        def wait(name: str, timeout: float) -> None:
            assert not Gate(name).wait(timeout)
            ended.append((name, run.clock.monotonic() - begin))

        def switch_thrice() -> None:
            for _ in range(3):
                run.switch()

        run.thread(wait, "hour", 3600.0, name="hour")
        run.thread(wait, "minute", 60.0, name="minute")
        run.thread(switch_thrice, name="busy")
        run.finally_(lambda: expect(ended, [("minute", 60.0), ("hour", 3600.0)]))

    assert explore(scenario).is_exhausted


def test_equal_deadlines_may_pass_in_either_order() -> None:
    orders: set[str] = set()

    def scenario(run: Run) -> None:
        ended: list[str] = []

        def wait(name: str) -> None:
            assert not Gate(name).wait(1.0)
            ended.append(name)

        run.thread(wait, "a")
        run.thread(wait, "b")
        run.finally_(lambda: orders.add("".join(ended)))

    explore(scenario)
    assert orders == {"ab", "ba"}


def test_a_lock_wait_times_out_only_when_nothing_else_runs() -> None:
    def scenario(run: Run) -> None:
        lock = run.lock("lock")

        def hold() -> None:
            with lock:
                run.switch()

        def try_hard() -> None:
            assert lock.acquire(timeout=1.0)
            lock.release()

        run.thread(hold)
        run.thread(try_hard)

    assert explore(scenario).is_exhausted
    with pytest.raises(ScheduleError, match="try_hard raised AssertionError") as found:
        explore(scenario, rules=Rules(has_early_timeouts=True))
    assert any("gives up" in moment.what for moment in found.value.trace)


def test_trying_a_lock_does_not_wait() -> None:
    outcomes: set[bool] = set()

    def scenario(run: Run) -> None:
        lock = run.lock("lock")

        def hold() -> None:
            with lock:
                run.switch()

        def attempt() -> None:
            is_taken = lock.acquire(blocking=False)
            outcomes.add(is_taken)
            if is_taken:
                lock.release()

        run.thread(hold)
        run.thread(attempt)

    assert explore(scenario).is_exhausted
    assert outcomes == {True, False}


def test_letting_go_of_a_free_lock_is_refused() -> None:
    def scenario(run: Run) -> None:
        lock = run.lock("lock")
        run.thread(lock.release)

    with pytest.raises(ScheduleError, match="release of lock, which nobody holds"):
        explore(scenario)


# ------------------------------------------------------------------ seeds


def test_seed_is_all() -> None:
    order: list[str] = []

    def scenario(run: Run) -> None:
        order.clear()

        def body(name: str) -> None:
            order.append(name)
            run.switch(f"{name} switches")
            order.append(name)

        run.thread(body, "A", name="A")
        run.thread(body, "B", name="B")
        run.finally_(lambda: expect(order != ["B", "A", "B", "A"], wanted=True))

    with pytest.raises(ScheduleError) as found:
        explore(scenario)
    order.clear()
    with pytest.raises(ScheduleError):
        replay(scenario, found.value.seed)
    assert order == ["B", "A", "B", "A"]
    trace = replay(scenario, "default")
    assert [str(m).split()[:2] for m in trace] == [["A", "A"], ["B", "B"]]
    assert trace[0].place.startswith("test_schedules.py:")


@pytest.mark.parametrize("seed", ["nonsense", "1:", ":1", "1:x", ""])
def test_a_mistyped_seed_is_refused(seed: str) -> None:
    with pytest.raises(SeedError, match="expected a seed"):
        replay(switching(2, 2), seed)


@pytest.mark.parametrize("seed", ["1:98", "0:3"])
def test_a_seed_that_does_not_fit_is_refused(seed: str) -> None:
    with pytest.raises(SeedError, match="wants"):
        replay(switching(2, 2), seed)


def test_a_seed_that_is_longer_than_the_schedule_is_refused() -> None:
    with pytest.raises(SeedError, match="ended before steps"):
        replay(switching(2, 2), "99:0")


@pytest.mark.parametrize(
    ("threads", "told"), [([2, 3], "options"), ([3, 1], "ended before step 0")]
)
def test_a_scenario_that_depends_on_more_than_its_schedule_is_told(
    threads: list[int], told: str
) -> None:
    left = [*threads]

    def scenario(run: Run) -> None:
        switching(left.pop(0), 1)(run)

    with pytest.raises(UnstableScenarioError, match=told):
        explore(scenario)


def test_found_again() -> None:
    calls: list[int] = []

    def scenario(run: Run) -> None:
        def fail_once() -> None:
            calls.append(1)
            assert len(calls) > 1

        run.thread(fail_once)

    with pytest.raises(UnstableScenarioError, match="failed once and then did not") as found:
        explore(scenario)
    assert isinstance(found.value.__cause__, AssertionError)


def test_a_long_trace_is_cut_in_the_message_only() -> None:
    def scenario(run: Run) -> None:
        def body() -> None:
            for _ in range(200):
                run.switch()
            raise ValueError

        run.thread(body)

    with pytest.raises(ScheduleError) as found:
        explore(scenario)
    assert "... 120 steps before" in str(found.value)
    assert len(found.value.trace) == 200


# ------------------------------------------------------------------ what is left


def test_leaves_none() -> None:
    before = threading.active_count()
    for _ in range(1_000):
        with pytest.raises(ScheduleError):
            explore(BUGS["inversion"])
    assert threading.active_count() == before


def test_nothing_is_left() -> None:
    unwound: list[str] = []

    def scenario(run: Run) -> None:
        lock = RankedLock(QUEUE)

        def wait() -> None:
            try:
                with lock:
                    run.switch()
                Gate("nothing").wait(None)
            finally:
                unwound.append("waiter")
                run.primitives.make_one_shot("late").set()

        def fail() -> None:
            raise ValueError

        run.thread(wait)
        run.thread(fail)

    with pytest.raises(ScheduleError):
        explore(scenario)
    assert set(unwound) == {"waiter"}
    assert gc.isenabled()


def test_an_unwound_call_out_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def scenario(run: Run) -> None:
        bell = primitives().make_doorbell("bell")
        primitives().start_thread("idle", lambda: expect(call_out("x", bell.wait), None))
        run.thread(run.switch)

    with caplog.at_level(logging.DEBUG):
        assert explore(scenario).is_exhausted
    assert caplog.records == []
    assert logging.root.manager.disable == 0


def test_a_thread_that_blocks_unseen_is_told() -> None:
    unseen = threading.Lock()
    unseen.acquire()

    def scenario(run: Run) -> None:
        run.thread(unseen.acquire, name="blocked")
        run.thread(run.switch, name="other")

    releaser = threading.Timer(0.2, unseen.release)
    releaser.start()
    with pytest.raises(StuckError, match="blocked took no step"):
        explore(scenario, rules=Rules(patience=0.05))
    releaser.join()


def test_schedules_are_collected_between() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    alive = 0

    def scenario(run: Run) -> None:
        nonlocal alive
        cycles = [Cycle() for _ in range(2)]
        run.thread(run.switch, name="A")
        run.finally_(cycles.clear)

    explore_randomly(scenario, count=401)
    alive = sum(isinstance(thing, Cycle) for thing in gc.get_objects())
    assert alive < 401


# ------------------------------------------------------------------ loops


def test_a_loop_runs_calls_in_order_and_timers_in_virtual_time() -> None:
    def scenario(run: Run) -> None:
        loop = start_loop(run)
        seen: list[str] = []
        roles: list[bool] = []

        def hand_over() -> None:
            loop.call_later(5.0, lambda: seen.append(f"later {run.clock.monotonic() - 1000:g}"))
            cancelled = loop.call_later(1.0, lambda: seen.append("cancelled"))
            cancelled.cancel()
            loop.call(lambda: seen.append("first"))
            loop.call(lambda: roles.append(is_loop_thread() and loop.is_current()))
            loop.call(lambda: seen.append("second"))

        run.thread(hand_over)
        run.finally_(lambda: expect(seen, ["first", "second", "later 5"]))
        run.finally_(lambda: expect(roles, [True]))

    assert explore(scenario, preemptions=1).is_exhausted


def test_a_waker_is_never_lost() -> None:
    def scenario(run: Run) -> None:
        loop = start_loop(run)
        wanted: list[int] = []
        seen: list[int] = []
        waker = loop.make_waker(lambda: seen.append(len(wanted)))

        def ask(how: Callable[[], None]) -> None:
            wanted.append(1)
            how()

        run.thread(ask, waker, name="waker")
        run.thread(ask, waker.nudge, name="nudge")
        run.finally_(lambda: expect(seen[-1], 2))

    assert explore(scenario, preemptions=2).is_exhausted


def test_a_loop_takes_hand_overs_from_threads_and_stops() -> None:
    def scenario(run: Run) -> None:
        event_loop = ExploredEventLoop(run)
        loop = event_loop.as_asyncio
        seen: list[str] = []

        def hand_over() -> None:
            loop.call_soon_threadsafe(seen.append, "handed over")
            loop.call_soon_threadsafe(seen.append, "cancelled").cancel()
            loop.call_soon_threadsafe(loop.stop)

        def run_loop() -> None:
            loop.run_forever()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
            assert loop.is_closed()
            with pytest.raises(RuntimeError, match="closed"):
                loop.call_soon(seen.append, "late")

        run.thread(run_loop, name="loop")
        run.thread(hand_over, name="other")
        run.finally_(lambda: expect(seen, ["handed over"]))

    # "cancelled" may have been run before it was cancelled: not where its turn comes later.
    assert explore(scenario, preemptions=0).is_exhausted


def test_what_a_call_on_the_loop_raises_fails_the_schedule() -> None:
    def scenario(run: Run) -> None:
        loop = ExploredEventLoop(run).as_asyncio
        loop.call_soon(divmod, 1, 0)
        run.thread(loop.run_forever, name="loop")

    with pytest.raises(ScheduleError, match="loop raised ZeroDivisionError"):
        explore(scenario)


def test_a_loop_runs_no_tasks() -> None:
    def scenario(run: Run) -> None:
        loop = ExploredEventLoop(run).as_asyncio
        with pytest.raises(NotImplementedError):
            loop.run_until_complete(asyncio.sleep(0))

    explore(scenario)


def test_a_loop_that_was_detached_hears_no_signal() -> None:
    def scenario(run: Run) -> None:
        event_loop = ExploredEventLoop(run)
        signal = run.primitives.make_wake_signal("signal")
        seen: list[str] = []
        event_loop.add_reader(signal.fileno(), seen.append, "signalled")
        assert event_loop.remove_reader(signal.fileno())
        assert not event_loop.remove_reader(signal.fileno())
        run.primitives.start_thread("loop", event_loop.run_forever)
        run.thread(signal.signal)
        run.finally_(signal.close)
        run.finally_(lambda: expect((seen, signal.fileno()), ([], -1)))

    assert explore(scenario).is_exhausted


def test_a_closed_bell_lets_everybody_pass() -> None:
    def scenario(run: Run) -> None:
        bell = primitives().make_doorbell("bell")

        def wait_twice() -> None:
            bell.wait()
            bell.wait()

        def close() -> None:
            bell.close()
            bell.ring()

        run.thread(wait_twice, name="waiter")
        run.thread(close)

    assert explore(scenario).is_exhausted


def test_random_generators_are_ours() -> None:
    state = random.getstate()
    explore_randomly(switching(2, 2), count=3)
    assert random.getstate() == state
