# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library knows of the thread it runs on: its role, and the locks it holds.

It stands apart because locks, gates and call-outs all ask it, and each asks only about the
calling thread.

Locking: none. All state is thread-local, and thus confined to its thread.

Invariants, each with a test of its name in ``tests/sync/test_threads.py``:
    roles_nest      leaving a role restores the one before it
    loop_is_found   a running asyncio loop makes its thread a loop thread, whoever started it
"""

import threading
from asyncio import events as asyncio_events
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Final

from virevents.errors import WouldBlockError

if TYPE_CHECKING:
    from virevents.sync.locks import CheckedLock

__all__ = [
    "Role",
    "in_role",
    "is_callback_thread",
    "is_caller_thread",
    "is_loop_thread",
    "refuse_to_block",
    "this_thread",
]


class Role(Enum):
    """Which of the library's threads this is; a user's thread has no role."""

    LOOP = "a loop thread"
    WORKER = "a worker"
    CALLER = "a thread for calls that wait"


# Looking a member up on its class costs as much as all the rest of the question below.
_LOOP: Final = Role.LOOP
_WORKER: Final = Role.WORKER


class _ThisThread(threading.local):
    """Per-thread facts; the defaults below are every new thread's."""

    role: Role | None = None  # confined to its thread
    where: str = ""  # confined to its thread; what made it a loop thread or worker

    def __init__(self) -> None:
        self.held: list[tuple[CheckedLock, str]] = []  # confined to its thread


this_thread = _ThisThread()

# Documented for implementers of loops; unlike get_running_loop it does not raise where no loop
# runs, and this is asked on every modifying call.
_running_loop = asyncio_events._get_running_loop  # noqa: SLF001  (see above)


@contextmanager
def in_role(role: Role, where: str) -> Iterator[None]:
    """Mark the calling thread for the length of the block.

    Args:
        role: What the thread is meanwhile.
        where: A name for errors and logs ("the virevents loop").
    """
    before = this_thread.role, this_thread.where
    this_thread.role, this_thread.where = role, where
    try:
        yield
    finally:
        this_thread.role, this_thread.where = before


def is_loop_thread() -> bool:
    """Tell whether this thread runs an event loop now: ours, or any asyncio loop."""
    return this_thread.role is _LOOP or _running_loop() is not None


def is_callback_thread() -> bool:
    """Tell whether this thread runs callbacks now, so that it must not wait for one (C5)."""
    role = this_thread.role
    return role is _WORKER or role is _LOOP or _running_loop() is not None


def is_caller_thread() -> bool:
    """Tell whether this thread makes calls for sessions and asyncio programs."""
    return this_thread.role is Role.CALLER


def refuse_to_block(operation: str) -> None:
    """Raise before a call that would wait, where waiting would stop an event loop (C7).

    Raises:
        WouldBlockError: The calling thread runs an event loop.
    """
    if this_thread.role is _LOOP or _running_loop() is not None:
        raise WouldBlockError(
            f"{operation} would wait, and this thread runs an event loop "
            f"({this_thread.where or 'asyncio'}): call it on another thread, "
            "or await its namesake in virevents.aio"
        )
