# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Birth``: which process an object was made in.

It stands apart because a forked child inherits every object and none of the threads: what a
parent opened must refuse to work there, and take no lock, send no byte, run no hook.

Locking: none; the generation changes only in a child, before it has a second thread.

Invariants, each with a test of its name in ``tests/sync/test_fork.py``:
    child_is_refused   ``check`` raises in the child and never in the parent
"""

import os
from collections.abc import Callable
from typing import Final

from virevents.errors import ForkedError

__all__ = ["Birth", "after_fork_in_child"]

_generation = 0  # changed only by a fork, in the child, while it has one thread


def _count_fork() -> None:
    global _generation  # noqa: PLW0603  (one per process by nature)
    _generation += 1


def after_fork_in_child(function: Callable[[], None]) -> None:
    """Run *function* in every forked child; does nothing where there is no fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


after_fork_in_child(_count_fork)


class Birth:
    """The process that an object belongs to."""

    __slots__ = ("_generation",)

    def __init__(self) -> None:
        self._generation: Final = _generation

    @property
    def is_foreign(self) -> bool:
        """Whether this process is a forked child of the one the object was made in."""
        return self._generation != _generation

    def check(self, what: str) -> None:
        """Refuse to go on in a forked child.

        Args:
            what: The object, for the error ("connection to test:///default").

        Raises:
            ForkedError: This process is not the one that made the object.
        """
        if self._generation != _generation:
            raise ForkedError(
                f"{what} was opened before a fork and does not work in the child: "
                "open a connection of its own there"
            )
