# SPDX-License-Identifier: LGPL-2.1-or-later
"""``call_out``: the one door to a user's code.

It stands apart so that callbacks, filters and hooks are all run the same way: with nothing held,
their exceptions caught whatever they are, logged, and counted by the caller.

Locking: holds none, and fails where locks are checked if the thread holds one.

Invariants, each with a test of its name in ``tests/sync/test_callout.py``:
    nothing_held     under a lock the call is refused before it begins, naming the lock
    all_is_caught    ``SystemExit`` and ``KeyboardInterrupt`` end no thread of ours
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, TypeVarTuple

from virevents.sync.locks import assert_nothing_held

__all__ = ["Failure", "call_out"]

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
        _log.error("%s raised %s", name, type(error).__name__, exc_info=error)
        return Failure(error)
