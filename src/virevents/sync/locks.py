# SPDX-License-Identifier: LGPL-2.1-or-later
"""``RankedLock``: a plain lock that, where locks are checked, refuses a wrong order at once.

It stands apart as the only door to ``threading``'s locks. With checks off (the default)
``RankedLock(KIND)`` *is* a ``threading.Lock``: same object, same speed, and Ctrl-C cannot leave
it held by a ``with`` block. With ``VIREVENTS_LOCKCHECK=1`` it is a ``CheckedLock``, which raises
``LockOrderError`` before it would block, so walking a bad path once is enough; no bad luck of
timing is needed.

Locking: a ``CheckedLock`` keeps its book in thread-local state (``threads.this_thread``).

Invariants, each with a test of its name in ``tests/sync/test_locks.py``:
    downwards_only   a lock is granted only while every held one is of an earlier step
    both_named       the error names both locks and both places
    nothing_on_loop  a turn is never granted on a loop thread
"""

import os
import sys
from types import TracebackType
from typing import Final, Protocol

from virevents.errors import LockOrderError
from virevents.sync.primitives import primitives
from virevents.sync.table import LockClass, Step
from virevents.sync.threads import is_loop_thread, this_thread

__all__ = [
    "CheckedLock",
    "Lock",
    "RankedLock",
    "are_locks_checked",
    "assert_held",
    "assert_nothing_held",
    "call_site",
]

_SYNC_FOLDER: Final = os.path.dirname(__file__)  # noqa: PTH120  (compared with co_filename)


class Lock(Protocol):
    """What every lock of ours can do; the same as ``threading.Lock``."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:  # noqa: FBT001
        """Take the lock; see ``threading.Lock.acquire``."""
        ...

    def release(self) -> None:
        """Let the lock go."""
        ...

    def locked(self) -> bool:
        """Tell whether somebody holds it."""
        ...

    def __enter__(self) -> bool:
        """Take the lock."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Let the lock go."""
        ...


def call_site() -> str:
    """Return ``file:line`` of the nearest caller outside the sync room."""
    frame = sys._getframe(1)  # noqa: SLF001  (the documented way to ask for a frame)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SYNC_FOLDER):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def describe(lock: "CheckedLock", site: str) -> str:
    """Return how an error names a lock and the place where it was taken."""
    return f"the {lock.kind.name} lock at {site}"


class CheckedLock:
    """A lock that knows its class and who holds it, and refuses a wrong order.

    Safe from any thread. Not re-entrant.

    Args:
        kind: Its row of the lock table.
        raw: The lock that really blocks; a schedule explorer hands in its own.
    """

    def __init__(self, kind: LockClass, raw: Lock) -> None:
        self.kind: Final = kind
        self._raw: Final = raw

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Take the lock, after checking that the order allows it.

        Raises:
            LockOrderError: A held lock is not of an earlier step, or this is a turn and the
                thread runs an event loop.
        """
        site = call_site()
        self._check_order(site)
        is_taken = self._raw.acquire(blocking, timeout)
        if is_taken:
            this_thread.held.append((self, site))
        return is_taken

    def release(self) -> None:
        """Let the lock go; locks may be released in any order."""
        held = this_thread.held
        for position in range(len(held) - 1, -1, -1):
            if held[position][0] is self:
                del held[position]
                break
        else:
            raise LockOrderError(
                "a lock is released by the thread that holds it",
                wanted=f"release of {describe(self, call_site())}",
                held="nothing of that name on this thread",
            )
        self._raw.release()

    def locked(self) -> bool:
        """Tell whether somebody holds it."""
        return self._raw.locked()

    def is_held(self) -> bool:
        """Tell whether the calling thread holds it."""
        return any(lock is self for lock, _ in this_thread.held)

    def __enter__(self) -> bool:
        """Take the lock."""
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Let the lock go."""
        self.release()

    def __repr__(self) -> str:
        """Name the class of lock and whether it is held."""
        return f"<CheckedLock {self.kind.name} {'held' if self.locked() else 'free'}>"

    def _check_order(self, site: str) -> None:
        for lock, where in this_thread.held:
            if lock.kind.step >= self.kind.step:
                raise LockOrderError(
                    "locks go downwards, one of a step (turn, owner, leaf)",
                    wanted=describe(self, site),
                    held=describe(lock, where),
                )
        if self.kind.step is Step.TURN and is_loop_thread():
            raise LockOrderError(
                "a turn is never taken on a loop thread",
                wanted=describe(self, site),
                held=f"the event loop, {this_thread.where or 'asyncio'}",
            )


def are_locks_checked() -> bool:
    """Tell whether locks made from now on are checked."""
    return primitives().is_checked


def RankedLock(kind: LockClass) -> Lock:  # noqa: N802  (it stands where a class would)
    """Make a lock of the class *kind*: a bare ``threading.Lock``, or a checked one.

    Args:
        kind: A row of the lock table.
    """
    current = primitives()
    raw = current.make_lock(kind.name)
    return CheckedLock(kind, raw) if current.is_checked else raw


def assert_held(lock: Lock) -> None:
    """Fail where locks are checked and the calling thread does not hold *lock*.

    Raises:
        LockOrderError: It does not.
    """
    if isinstance(lock, CheckedLock) and not lock.is_held():
        raise LockOrderError(
            "a function whose name ends in _locked is called with its lock held",
            wanted=f"the {lock.kind.name} lock held at {call_site()}",
            held="not by this thread",
        )


def assert_nothing_held(doing: str, *, above: Step = Step.TURN) -> None:
    """Fail where locks are checked and this thread holds a lock.

    Args:
        doing: What is about to happen, for the error.
        above: Locks of a step before this one may be held; the default allows none.

    Raises:
        LockOrderError: A lock is held.
    """
    for lock, where in this_thread.held:
        if lock.kind.step >= above:
            raise LockOrderError(
                "no lock of ours is held here",
                wanted=f"{doing} at {call_site()}",
                held=describe(lock, where),
            )
