# SPDX-License-Identifier: LGPL-2.1-or-later
"""The threads of an exploration: what each waits for, and the real ones that they run on.

It stands apart because real threads outlive schedules: starting one costs more than a schedule.

Locking: one thread runs at a time. It hands its turn on by letting go of the next one's baton, a
bare lock that everybody else waits at; whatever it wrote before, the next one sees.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol

from virevents.sync import SystemPrimitives

__all__ = ["ALWAYS", "Abandoned", "Baton", "Crew", "ExploredThread", "Waitable"]

# Real ones, whatever primitives are in force: these are what an exploration stands on.
_SYSTEM: Final = SystemPrimitives(is_checked=False)


class Abandoned(BaseException):
    """Raised in a thread at its next step once its schedule is over."""


class Waitable:
    """What a thread may wait for: it goes on once this is open."""

    __slots__ = ("is_open", "name")

    is_rest = False  # whether a daemon that waits for it is idle rather than stuck

    def __init__(self, name: str, *, is_open: bool) -> None:
        self.name: Final = name
        self.is_open = is_open  # the running thread only

    def __str__(self) -> str:
        """Return how a report names it."""
        return self.name


ALWAYS: Final = Waitable("its turn", is_open=True)


class Baton:
    """The right to run, of one real thread."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock: Final = _SYSTEM.make_lock("baton")
        self._lock.acquire()

    def hand_over(self) -> None:
        """Let its thread run."""
        self._lock.release()

    def await_turn(self, timeout: float = -1) -> bool:
        """Wait until somebody hands it over, at most *timeout* real seconds."""
        return self._lock.acquire(timeout=timeout)


class _Worker:
    """A real thread that runs explored ones, one after another."""

    def __init__(self, number: int) -> None:
        self.baton: Final = Baton()
        self._task: Callable[[], None] | None = None  # whoever holds the baton
        self._thread: Final = threading.Thread(
            target=self._work, name=f"explorer-{number}", daemon=True
        )
        self._thread.start()

    def begin(self, task: Callable[[], None]) -> None:
        """Have it run *task* from its next turn on."""
        self._task = task

    def end(self) -> None:
        """Have the thread end once it has done its task, if it has one."""
        self.baton.hand_over()

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join()

    def frame(self) -> FrameType | None:
        """Return the innermost frame, while the thread is parked."""
        return sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  (the only way)

    def _work(self) -> None:
        while True:
            self.baton.await_turn()
            task, self._task = self._task, None
            if task is None:
                return
            task()
            del task


class Crew:
    """All real threads of an exploration."""

    def __init__(self) -> None:
        self._free: Final[list[_Worker]] = []  # the running thread only
        self._ending: Final[list[_Worker]] = []  # the running thread only
        self._count = 0  # the running thread only

    def take(self) -> _Worker:
        """Return a thread that has nothing to do."""
        if self._free:
            return self._free.pop()
        self._count += 1
        return _Worker(self._count)

    def put_back(self, worker: _Worker) -> None:
        """Have *worker*, whose task is about to end, run another one later."""
        self._free.append(worker)

    def retire(self, worker: _Worker) -> None:
        """Have *worker*, whose task is about to end, end as well."""
        worker.end()
        self._ending.append(worker)

    def dismiss(self) -> None:
        """End every thread that has nothing to do."""
        while self._free:
            self.retire(self._free.pop())
        while self._ending:
            self._ending.pop().join()


class Waiter(Protocol):
    """What a join needs of a run."""

    def wait(self, waitable: Waitable, timeout: float | None, verb: str) -> bool:
        """Be a step that needs *waitable* open; tell whether it is."""
        ...


class ExploredThread(Waitable):
    """One thread of a schedule; open once it has ended."""

    __slots__ = (
        "_run",
        "choice",
        "deadline",
        "has_timed_out",
        "is_daemon",
        "target",
        "waits_for",
        "worker",
    )

    def __init__(
        self,
        run: Waiter,
        index: int,
        name: str,
        target: Callable[[], object],
        *,
        is_daemon: bool,
    ) -> None:
        super().__init__(name, is_open=False)
        self._run: Final = run
        self.choice: Final = index << 1
        self.is_daemon: Final = is_daemon
        self.target: Callable[[], object] | None = target  # the running thread only
        self.waits_for: Waitable = ALWAYS  # the running thread only
        self.deadline: float | None = None  # the running thread only
        self.has_timed_out = False  # the running thread only
        self.worker: _Worker | None = None  # the running thread only

    def __str__(self) -> str:
        """Return how a report names the wait for its end."""
        return f"the end of {self.name}"

    @property
    def is_idle(self) -> bool:
        """Whether it may stay as it is when everything else has ended."""
        return self.is_daemon and self.waits_for.is_rest

    def join(self) -> None:
        """Wait for its end; on another thread of the same schedule."""
        self._run.wait(self, None, "has seen the end of")

    def stack(self, without: tuple[str, ...]) -> str:
        """Return its stack while it is parked, leaving out files whose names start so."""
        frame = self.worker.frame() if self.worker else None
        if frame is None:
            return ""
        lines = [
            line
            for line in traceback.extract_stack(frame)
            if not line.filename.startswith((*without, threading.__file__))
        ]
        return "".join(traceback.StackSummary.from_list(lines).format())
