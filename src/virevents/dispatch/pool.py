# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worker pool: a few threads that run strands, more when those are all stuck.

It stands apart because it is what C8 rests on: sixty-four callbacks may block for ever and the
sixty-fifth still gets its events, without a thread for every subscription in ordinary times.

Locking:
    ``_lock`` (POOL, a leaf) guards the attributes marked below. Threads are started and timers
    set after it is let go. The bell is rung before the strand is in the line and counted after,
    so that Ctrl-C between two steps costs a spurious wake and never a lost one.

Invariants, each with a test of its name in ``tests/dispatch/test_pool.py``:
    each_ready_runs   a strand made ready is run, once for each time
    grows_when_stuck  while strands wait and none was taken for 10 ms the pool doubles
    bounded           never more workers than the larger of the core and the isolated strands
    shrinks           surplus workers end when idle
    ends              after ``stop`` every worker ends once its call has returned
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from virevents.sync import POOL, Gate, RankedLock, Role, in_role, primitives, report

__all__ = ["CORE_WORKERS", "Pool", "Runnable"]

_log: Final = logging.getLogger("virevents.dispatch")

CORE_WORKERS: Final = min(8, (os.cpu_count() or 1) + 2)

# How long ready strands may wait without any being taken before the pool doubles, in seconds.
_STUCK_AFTER: Final = 0.010


class Runnable(Protocol):
    """Something a worker can run: a strand, or a call that needs a turn."""

    @property
    def name(self) -> str:
        """For logs."""
        ...

    def run(self) -> None:
        """Run; on a worker, with nothing held."""
        ...


class Pool:
    """Workers that run what is made ready, in the order in which it was; safe from any thread.

    Args:
        call_later: Runs a function after so many seconds, on a thread that user code cannot
            block (the loop thread).
        name: The prefix of its threads' names.
        core: How many workers are kept.
        can_grow: Whether workers are added when all are stuck. A pool that runs calls for
            sessions and for asyncio does not grow: its callers wait anyway.
        role: What its threads are; workers run callbacks and wait for none.
    """

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        name: str = "virevents-worker",
        core: int = CORE_WORKERS,
        can_grow: bool = True,
        role: Role = Role.WORKER,
    ) -> None:
        self._call_later: Final = call_later
        self._name: Final = name
        self._core: Final = core
        self._can_grow: Final = can_grow
        self._role: Final = role
        self._bell: Final = primitives().make_doorbell(name)
        self._ended: Final = Gate(f"the end of the workers of {name}")
        self._lock: Final = RankedLock(POOL)
        self._ready: deque[Runnable] = deque()  # guarded by _lock
        self._strands: set[Runnable] = set()  # guarded by _lock
        self._workers = 0  # guarded by _lock
        self._started = 0  # guarded by _lock; numbers the threads
        self._idle = 0  # guarded by _lock
        self._rung = 0  # guarded by _lock; idle workers that the bell was rung for
        self._taken = 0  # guarded by _lock
        self._seen_taken = -1  # guarded by _lock; _taken when the watch looked last
        self._is_watched = False  # guarded by _lock
        self._is_stopping = False  # guarded by _lock; one way

    def enter(self, strand: Runnable) -> None:
        """Count a strand in: the pool may grow to one worker for each."""
        with self._lock:
            self._strands.add(strand)

    def leave(self, strand: Runnable) -> None:
        """Count a strand out, from its last run."""
        with self._lock:
            self._strands.discard(strand)

    @property
    def strands(self) -> int:
        """How many strands have not ended."""
        return len(self._strands)

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return self._workers

    def ready(self, strand: Runnable) -> None:
        """Have a worker run *strand*; may be called under a driver, domain or registry lock."""
        must_start = must_watch = False
        with self._lock:
            if self._idle > self._rung:
                self._bell.ring()
                self._rung += 1
            elif self._workers < self._core:
                must_start = True
                self._workers += 1
            elif not self._is_watched and self._can_grow:
                must_watch = self._is_watched = True
                self._seen_taken = self._taken
            self._ready.append(strand)
        if must_start:
            self._start_worker()
        if must_watch:
            self._watch_later()

    def stop(self) -> Gate:
        """Have every worker end once the line is empty. Idempotent.

        Returns:
            A gate that opens when the last worker has ended.
        """
        with self._lock:
            self._is_stopping = True
            self._bell.ring(max(1, self._workers))
            is_over = self._workers == 0
        if is_over:
            self._end()
        return self._ended

    def _end(self) -> None:
        self._bell.close()
        self._ended.open()

    def _start_worker(self) -> None:
        with self._lock:
            self._started += 1
            number = self._started
        try:
            primitives().start_thread(f"{self._name}-{number}", self._work)
        except RuntimeError as error:  # the system has no thread left
            text = "%s: a worker could not be started"
            report(_log, logging.ERROR, text, self._name, error=error)
            self._on_not_started()

    def _on_not_started(self) -> None:
        # Somebody waits for this worker: the line (the watch tries again), or who stopped the pool.
        with self._lock:
            self._workers -= 1
            is_last = self._is_stopping and self._workers == 0
            must_watch = bool(self._ready) and not self._is_watched and not is_last
            if must_watch:
                self._is_watched = True
                self._seen_taken = self._taken
        if is_last:
            self._end()
        if must_watch:
            self._watch_later()

    def _watch_later(self) -> None:
        try:
            self._call_later(_STUCK_AFTER, self._watch)
        except Exception:  # noqa: BLE001  (the loop is gone; whoever stopped it ends the pool)
            report(_log, logging.DEBUG, "%s: no watch, the loop has stopped", self._name)
            with self._lock:
                self._is_watched = False

    def _watch(self) -> None:
        with self._lock:
            if not self._ready or self._is_stopping:
                self._is_watched = False
                return
            growth = 0
            if self._taken == self._seen_taken:
                limit = max(self._core, len(self._strands))
                # Calls that are no strand of anybody's may have left more workers than the limit.
                room = max(0, limit - self._workers)
                growth = min(max(1, self._workers), room, len(self._ready))
                self._workers += growth
            self._seen_taken = self._taken
        for _ in range(growth):
            self._start_worker()
        self._watch_later()

    def _work(self) -> None:
        with in_role(self._role, self._name):
            was_idle = False
            while True:
                strand, is_over = self._next(was_idle=was_idle)
                if is_over:
                    break
                was_idle = strand is None
                if strand is None:
                    self._bell.wait()
                else:
                    self._run(strand)

    def _next(self, *, was_idle: bool) -> tuple[Runnable | None, bool]:
        is_last = False
        with self._lock:
            if was_idle:
                self._idle -= 1
                self._rung = max(0, self._rung - 1)
            if self._ready:
                self._taken += 1
                return self._ready.popleft(), False
            # One idle worker is kept beside stuck ones: the next event must not wait for growth.
            if self._is_stopping or (self._workers > self._core and self._idle):
                self._workers -= 1
                is_last = self._is_stopping and self._workers == 0
                is_over = True
            else:
                self._idle += 1
                is_over = False
        if is_last:
            self._end()
        return None, is_over

    def _run(self, strand: Runnable) -> None:
        try:
            strand.run()
        except Exception as error:  # noqa: BLE001  (a thread's top; the strand's own calls are caught before)
            text = "%s: running %s failed"
            report(_log, logging.ERROR, text, self._name, strand.name, error=error)
