# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Run``: one schedule of a scenario, from its first step to its final checks.

It stands apart from the search (``explore``): a run asks a chooser who goes next and knows
nothing of other schedules.

At each step the running thread decides itself who runs next, and parks unless that is itself;
so a step that switches nobody costs no change of threads. Going on while another thread could
run, or switching because one cannot go on, is free; switching from one that could is a
preemption.

Confined to the thread that runs: only one does at a time, and it hands its turn on (``threads``).

Invariants, each with a test of its name in ``tests/testing/test_schedules.py``:
    one_at_a_time    between two steps no other thread of the run does anything
    deadlock_is_told threads that nobody can let go on are reported, with holders and stacks
    time_is_virtual  a wait times out only when nothing else can run, the earliest first
    nothing_is_left  however a schedule ends, its threads are unwound
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeVarTuple

from virevents.errors import LockOrderError
from virevents.sync import Lock, assert_nothing_held, installed, is_callback_thread
from virevents.testing.clock import ManualClock
from virevents.testing.schedules.choosers import Chooser, Options, UnstableScenarioError
from virevents.testing.schedules.errors import Blocked, Moment, SeedError
from virevents.testing.schedules.objects import ExploredLock, ExploredPrimitives
from virevents.testing.schedules.rules import Rules
from virevents.testing.schedules.threads import (
    ALWAYS,
    Abandoned,
    Baton,
    Crew,
    ExploredThread,
    Waitable,
)

if TYPE_CHECKING:
    from _typeshed import TraceFunction

__all__ = ["Failure", "Run", "StuckError"]

Ts = TypeVarTuple("Ts")

_OURS: Final = str(Path(__file__).parent)
_SYNC: Final = str(Path(__file__).parents[2] / "sync")

# How long the unwinding of one abandoned thread may take, in real seconds.
_UNWIND_TIMEOUT: Final = 10.0


class StuckError(RuntimeError):
    """A thread did something that the explorer does not see and that does not end.

    Usual causes: a bare lock of ``threading``, real input or output, a loop without a step.
    """


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in a schedule.

    Attributes:
        reason: In words; "" for a deadlock.
        error: What was raised, if anything was.
        blocked: Who waits for what, for a deadlock.
    """

    reason: str
    error: BaseException | None = None
    blocked: tuple[Blocked, ...] = ()


class Run:
    """One schedule, as a scenario sees it.

    Attributes:
        clock: Virtual time: it stands still while any thread can run.
        primitives: What is in force while the scenario, its threads and its checks run.
    """

    def __init__(self, chooser: Chooser, crew: Crew, rules: Rules, *, is_traced: bool) -> None:
        self.clock: Final = ManualClock()
        self.primitives: Final = ExploredPrimitives(self, is_checked=rules.is_checked)
        self.current: ExploredThread | None = None  # the running thread only
        self.trace: Final[list[Moment]] = []  # the running thread only
        self._is_traced: Final = is_traced
        self._chooser: Final = chooser
        self._crew: Final = crew
        self._rules: Final = rules
        self._traced_files: Final = rules.traced_files()
        self._root: Final = Baton()
        self._threads: Final[list[ExploredThread]] = []  # the running thread only
        self._alive: Final[list[ExploredThread]] = []  # the running thread only
        self._checks: Final[list[Callable[[], object]]] = []  # the running thread only
        self._step = 0  # the running thread only
        self._preemptions_left = chooser.budget  # the running thread only
        self._is_over = False  # the running thread only; one way
        self._failure: Failure | None = None  # the running thread only
        self._fault: Exception | None = None  # the running thread only

    # ------------------------------------------------------------ for scenarios

    def thread(
        self, target: Callable[[*Ts], object], *args: *Ts, name: str | None = None
    ) -> ExploredThread:
        """Have a thread run ``target(*args)``; the schedule is not over until it has ended.

        What it raises fails the schedule. ``join()`` on the result waits for its end.
        """
        name = name or getattr(target, "__name__", None) or f"thread {len(self._threads)}"
        return self.add_thread(name, partial(target, *args) if args else target, is_daemon=False)

    def finally_(self, check: Callable[[], object]) -> None:
        """Call *check* once every thread has ended; what it raises fails the schedule.

        Checks are called in the order in which they were given, on the exploring thread. Daemon
        threads may still be there, idle.
        """
        self._checks.append(check)

    def lock(self, name: str) -> Lock:
        """Make a bare lock, whose order nothing checks; most code wants ``RankedLock``."""
        return ExploredLock(self, name)

    def switch(self, what: str = "switches") -> None:
        """Be a step: any other thread may run before this returns."""
        self.point(what)

    # ------------------------------------------------------------ for the objects

    def add_thread(
        self, name: str, target: Callable[[], object], *, is_daemon: bool
    ) -> ExploredThread:
        """Have another thread take part."""
        thread = ExploredThread(self, len(self._threads), name, target, is_daemon=is_daemon)
        self._threads.append(thread)
        self._alive.append(thread)
        self.after(f"starts {name}")
        return thread

    def wait(self, waitable: Waitable, timeout: float | None, verb: str) -> bool:
        """Be a step that needs *waitable* open; tell whether it is, or else time ran out."""
        me = self.current
        if me is None:
            return self._wait_outside(waitable, timeout)
        if self._is_over:
            raise Abandoned
        me.waits_for = waitable
        if timeout is not None:
            me.deadline = self.clock.monotonic() + timeout
        self._take_step(me)
        me.waits_for = ALWAYS
        me.deadline = None
        is_late, me.has_timed_out = me.has_timed_out, False
        if self._is_traced:
            self._note(me, f"gives up: {waitable}" if is_late else f"{verb} {waitable.name}")
        return not is_late

    def point(self, what: str) -> None:
        """Be a step that needs nothing."""
        me = self.current
        if me is None:
            return
        if self._is_over:
            raise Abandoned
        if self._is_traced:
            self._note(me, what)
        self._take_step(me)

    def after(self, what: str) -> None:
        """Be a step that raises nothing when the schedule is over: unwinding code comes here."""
        if not self._is_over:
            self.point(what)

    def _wait_outside(self, waitable: Waitable, timeout: float | None) -> bool:
        if waitable.is_open or self._is_over:
            return True
        if timeout is not None:
            return False
        raise StuckError(f"the scenario itself waits for {waitable}: nobody runs meanwhile")

    def _note(self, me: ExploredThread, what: str) -> None:
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the way to ask for a frame)
        while frame is not None and frame.f_code.co_filename.startswith((_OURS, _SYNC)):
            frame = frame.f_back
        place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else ""
        self.trace.append(Moment(me.name, what, place))

    # ------------------------------------------------------------ scheduling

    def _take_step(self, me: ExploredThread) -> None:
        self._step += 1
        if self._step > self._rules.max_steps:
            self._fail(Failure(f"it did not end within {self._rules.max_steps} steps"))
        elif me.waits_for.is_open and not self._preemptions_left:
            return
        chosen = None if self._is_over else self._choose(me)
        if chosen is me:
            return
        self._hand_to(chosen)
        if me.worker is not None:
            me.worker.baton.await_turn()
        if self._is_over:
            raise Abandoned

    def _choose(self, me: ExploredThread | None) -> ExploredThread | None:
        """Return who runs next, or None when nobody can; *me* is asking and has not ended."""
        options = self._options(me)
        if not options:
            return None
        choice = options[0]
        is_preemption = me is not None and me.waits_for.is_open
        if len(options) > 1 and not (is_preemption and not self._preemptions_left):
            try:
                choice = self._chooser.choose(self._step, options)
            except (UnstableScenarioError, SeedError) as error:
                self._fault, self._is_over = error, True
                return None
            if is_preemption and choice != options[0]:
                self._preemptions_left -= 1
        self.current = thread = self._threads[choice >> 1]
        if choice & 1:
            thread.has_timed_out = True
            self.clock.advance(max(0.0, (thread.deadline or 0.0) - self.clock.monotonic()))
        return thread

    def _options(self, me: ExploredThread | None) -> Options:
        ready = [thread.choice for thread in self._alive if thread.waits_for.is_open]
        if me is not None and me.waits_for.is_open and ready[0] != me.choice:
            ready.remove(me.choice)
            ready.insert(0, me.choice)
        if not ready or self._rules.has_early_timeouts:
            ready += self._earliest()
        return tuple(ready)

    def _earliest(self) -> Iterator[int]:
        """Yield the choices that let a wait time out: only the earliest deadline may pass."""
        waits = [
            (thread.deadline, thread.choice | 1)
            for thread in self._alive
            if thread.deadline is not None and not thread.waits_for.is_open
        ]
        return (choice for deadline, choice in waits if deadline == min(waits)[0])

    def _hand_to(self, thread: ExploredThread | None) -> None:
        """Give the turn to *thread*, or to the exploring thread; the caller parks next."""
        if thread is None:
            self._root.hand_over()
            return
        if thread.worker is None:
            thread.worker = self._crew.take()
            thread.worker.begin(partial(self._live, thread))
        thread.worker.baton.hand_over()

    def _live(self, me: ExploredThread) -> None:
        """Be the whole life of one thread, on a real one."""
        try:
            self._run_target(me)
        except Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001  (the top of a thread; reported)
            self._fail(Failure(f"{me.name} raised {type(error).__name__}: {error}", error))
        self._end(me)

    def _run_target(self, me: ExploredThread) -> None:
        target, me.target = me.target, None
        if target is None:
            return
        if not self._traced_files:
            target()
        else:
            before = sys.gettrace()
            sys.settrace(self._trace_calls)
            try:
                target()
            finally:
                sys.settrace(before)
        assert_nothing_held(f"the end of thread {me.name}")

    def _trace_calls(self, frame: FrameType, _event: str, _arg: object) -> "TraceFunction | None":
        return self._trace_lines if frame.f_code.co_filename in self._traced_files else None

    def _trace_lines(self, frame: FrameType, event: str, _arg: object) -> "TraceFunction":
        if event == "line":
            self.point(f"comes to line {frame.f_lineno}")
        return self._trace_lines

    def _end(self, me: ExploredThread) -> None:
        self._step += 1
        me.is_open = True
        self._alive.remove(me)
        chosen = None if self._is_over else self._choose(None)
        if me.worker is not None and _is_reusable():
            self._crew.put_back(me.worker)
        elif me.worker is not None:
            self._crew.retire(me.worker)
        self._hand_to(chosen)

    def _fail(self, failure: Failure) -> None:
        self._is_over = True
        if self._failure is None:
            self._failure = failure

    # ------------------------------------------------------------ for the explorer

    def play(self, scenario: Callable[["Run"], object]) -> Failure | None:
        """Run the schedule; on the exploring thread.

        Returns:
            What went wrong, or None.

        Raises:
            StuckError: A thread does something that does not end and that is no step.
        """
        with installed(self.primitives):
            try:
                scenario(self)
                self._let_run(self._rules.patience)
                if self._fault is not None:
                    raise self._fault
                return self._failure or self._deadlock() or self._check()
            finally:
                self._unwind()

    def _let_run(self, patience: float) -> None:
        first = self._choose(None)
        if first is None:
            return
        self._hand_to(first)
        if not self._root.await_turn(patience):
            stuck = self.current
            stack = stuck.stack((_OURS,)) if stuck else ""
            raise StuckError(
                f"{stuck.name if stuck else 'nobody'} took no step for {patience:g} s\n{stack}"
            )
        self.current = None

    def _deadlock(self) -> Failure | None:
        if all(thread.is_idle for thread in self._alive):
            return None
        return Failure(
            "",
            blocked=tuple(
                Blocked(thread.name, str(thread.waits_for), thread.stack((_OURS,)))
                for thread in self._alive
                if not thread.is_idle
            ),
        )

    def _check(self) -> Failure | None:
        for check in self._checks:
            try:
                check()
            except Exception as error:  # noqa: BLE001  (reported as the schedule's failure)
                return Failure(f"the final check failed: {type(error).__name__}: {error}", error)
        return None

    def _unwind(self) -> None:
        """Have every thread that is left raise at its step, and wait for its end."""
        self._is_over = True
        begun = [thread for thread in self._alive if thread.worker is not None]
        if not begun:
            return
        with _silence():
            if self.current is not None:
                self._await_unwound(self.current)  # interrupted: it ends at its next step
            for thread in begun:
                if not thread.is_open and thread.worker is not None:
                    self.current = thread
                    thread.worker.baton.hand_over()
                    self._await_unwound(thread)
        self.current = None

    def _await_unwound(self, thread: ExploredThread) -> None:
        if not self._root.await_turn(_UNWIND_TIMEOUT):
            raise StuckError(f"{thread.name} does not end\n{thread.stack((_OURS,))}")


def _is_reusable() -> bool:
    """Tell whether this real thread is as good as new for what ``sync`` keeps by thread."""
    try:
        assert_nothing_held("the end of a thread")
    except LockOrderError:
        return False
    return not is_callback_thread()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the log free of what unwound threads have to say of it."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)
