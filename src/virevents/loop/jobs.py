# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Job``: one coroutine that another thread waits for.

It stands apart from the loop because it has two owners: the loop thread runs it, the caller's
thread waits at its gate, and whoever ends it first decides the outcome.

Locking: none. ``_outcome`` is a one-place line: the first to take its token sets the result, and
the gate opens after; the waiter reads only behind the gate.

Invariants, each with a test of its name in ``tests/loop/test_jobs.py``:
    one_outcome    result, failure and stop may race: one wins, the waiter sees that one
    ends_anyhow    a job that is never begun ends when the loop stops
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final, Generic, TypeVar

from virevents.errors import InternalError, OperationTimeoutError
from virevents.sync import Gate

__all__ = ["Job"]

T_co = TypeVar("T_co", covariant=True)


class Job(Generic[T_co]):
    """A coroutine on its way through a loop.

    Args:
        make: Makes the coroutine; called on the loop thread.
        what: What it does, for errors.
    """

    def __init__(self, make: Callable[[], Coroutine[object, object, T_co]], what: str) -> None:
        self.what: Final = what
        self._make: Final = make
        self._gate: Final = Gate(f"the end of {what}")
        self._token: Final = deque([None])  # whoever pops it sets the outcome
        self._task: asyncio.Task[T_co] | None = None  # loop thread only
        self._value: list[T_co] = []  # set by the token's taker, read behind the gate
        self._error: BaseException | None = None  # likewise

    def begin(self) -> None:
        """Start the coroutine; on the loop thread."""
        if self._gate.is_open:
            return
        try:
            self._task = asyncio.ensure_future(self._make())
        except Exception as error:  # noqa: BLE001  (handed to the waiter)
            self.fail(error)
        else:
            self._task.add_done_callback(self._on_done)

    def cancel(self) -> None:
        """Cancel the coroutine; on the loop thread. Its waiter has gone."""
        if self._task is not None:
            self._task.cancel()

    def fail(self, error: BaseException) -> None:
        """End the wait with *error*, unless it has ended; from any thread."""
        if self._take_token():
            self._error = error
            self._gate.open()

    def result(self, timeout: float, *, on_timeout: Callable[[], None]) -> T_co:
        """Wait for the end.

        Raises:
            OperationTimeoutError: It did not come within *timeout* seconds.
        """
        if not self._gate.wait(timeout):
            if self._take_token():
                self._error = OperationTimeoutError(f"{self.what} took longer than {timeout:g} s")
                self._gate.open()
                on_timeout()
            # Who was faster has the token and is about to open the gate: what it sets is read
            # behind the gate only.
            self._gate.wait(None)
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _take_token(self) -> bool:
        try:
            self._token.pop()
        except IndexError:
            return False
        return True

    def _on_done(self, task: asyncio.Task[T_co]) -> None:
        if task.cancelled():
            self.fail(InternalError(f"{self.what} was cancelled"))
            return
        error = task.exception()
        if error is not None:
            self.fail(error)
        elif self._take_token():
            self._value.append(task.result())
            self._gate.open()
