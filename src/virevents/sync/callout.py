# SPDX-License-Identifier: LGPL-2.1-or-later
"""``call_out``: the one door to a user's code.

It stands apart so that callbacks, filters and hooks are all run the same way: with nothing held,
their exceptions caught whatever they are, logged, and counted by the caller.

Locking: holds none, and fails where locks are checked if the thread holds one.

Invariants, each with a test of its name in ``tests/sync/test_callout.py``:
    nothing_held     under a lock the call is refused before it begins, naming the lock
    all_is_caught    ``SystemExit`` and ``KeyboardInterrupt`` end no thread of ours
    log_is_foreign   a log handler or filter that raises ends no strand, worker or flush
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, TypeVarTuple

from virevents.sync.locks import assert_nothing_held

__all__ = ["Failure", "call_out", "report"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log: Final = logging.getLogger("virevents.sync")


@dataclass(frozen=True, slots=True)
class Failure:
    """What a user's code raised.

    Attributes:
        error: The exception itself.
    """

    error: BaseException


def call_out(name: str, function: Callable[[*Ts], T], *args: *Ts) -> T | Failure:
    """Run a user's *function* with *args*.

    Args:
        name: Whose it is and what, for the log ("on_release of callback 3 (print)").
        function: The user's code.
        args: Its arguments.

    Returns:
        What it returned, or a ``Failure`` when it raised anything at all.

    Raises:
        LockOrderError: Where locks are checked and this thread holds a lock of ours.
    """
    assert_nothing_held(f"the call of {name}")
    try:
        return function(*args)
    except BaseException as error:  # noqa: BLE001  (this is the door; see C8)
        report(_log, logging.ERROR, "%s raised %s", name, type(error).__name__, error=error)
        return Failure(error)


def report(
    log: logging.Logger, level: int, text: str, *args: object, error: BaseException | None = None
) -> None:
    """Log from a strand, a worker or the flush, where nothing that is raised may escape.

    Handlers and filters are a user's code: most catch their own errors, a filter need not.

    Args:
        log: The logger.
        level: The level.
        text: The message.
        args: Its arguments.
        error: Whose traceback to add.

    Raises:
        LockOrderError: Where locks are checked and this thread holds a lock of ours.
    """
    assert_nothing_held("a log call")
    # Nothing can be done about it: to log it is what just failed.
    with contextlib.suppress(BaseException):
        log.log(level, text, *args, exc_info=error)
