# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Gate``: the one door through which a thread waits for another.

It stands apart so that every wait can be checked: it begins with nothing held but a turn, never
on a loop thread, and it is one-shot, so that it cannot be missed.

Locking: none of ours; the one-shot event underneath is safe from any thread.

Invariants, each with a test of its name in ``tests/sync/test_gate.py``:
    opened_is_open     a wait after ``open`` returns at once, for every waiter
    nothing_held       a wait under an owner or a leaf is refused before it blocks
    not_on_a_loop      a wait on a loop thread is refused before it blocks
"""

from typing import Final

from virevents.errors import LockOrderError
from virevents.sync.locks import are_locks_checked, assert_nothing_held, call_site
from virevents.sync.primitives import OneShot, primitives
from virevents.sync.table import Step
from virevents.sync.threads import is_loop_thread, refuse_to_block, this_thread

__all__ = ["Gate"]


class Gate:
    """A one-shot gate, closed at first; safe from any thread.

    Args:
        name: What the wait is for, in words for errors and stacks ("the end of callback 3").
    """

    __slots__ = ("_event", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._event: Final[OneShot] = primitives().make_one_shot(name)

    def open(self) -> None:
        """Let every waiter pass, present and future. Idempotent."""
        self._event.set()

    @property
    def is_open(self) -> bool:
        """Whether it was opened."""
        return self._event.is_set()

    def wait(self, timeout: float | None) -> bool:
        """Wait until the gate is open.

        Args:
            timeout: The longest wait in seconds, or None for a wait whose ender is certain.

        Returns:
            Whether the gate is open.

        Raises:
            LockOrderError: Where locks are checked: an owner or leaf lock is held, or this is a
                loop thread.
            WouldBlockError: This is a loop thread, where locks are not checked.
        """
        if are_locks_checked():  # also when it is open: walking a bad path once is enough
            self._check()
        if self._event.is_set():
            return True
        refuse_to_block(f"waiting for {self.name}")
        return self._event.wait(timeout)

    def _check(self) -> None:
        assert_nothing_held(f"waiting at the gate for {self.name}", above=Step.OWNER)
        if is_loop_thread():
            raise LockOrderError(
                "a loop thread waits at no gate",
                wanted=f"waiting at the gate for {self.name} at {call_site()}",
                held=f"the event loop, {this_thread.where or 'asyncio'}",
            )
