# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Birth``: which process an object was made in; and which descriptors no child may have.

It stands apart because a forked child inherits every object and none of the threads: what a
parent opened must refuse to work there, and take no lock, send no byte, run no hook. And it
inherits every descriptor, and holds what hangs on it, a lock or a connection, for as long as it
lives, also when its parent was killed.

Locking: none; the generation changes only in a child, before it has a second thread. The list of
what is kept from children is changed in single steps.

Invariants, each with a test of its name in ``tests/sync/test_fork.py``:
    child_is_refused   ``check`` raises in the child and never in the parent
    child_has_none     a child has nothing under the numbers that were kept from it
"""

import os
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakSet

from virevents.errors import ForkedError

__all__ = ["Birth", "after_fork_in_child", "keep_from_children"]

_generation = 0  # changed only by a fork, in the child, while it has one thread


def _count_fork() -> None:
    global _generation  # noqa: PLW0603  (one per process by nature)
    _generation += 1


def after_fork_in_child(function: Callable[[], None]) -> None:
    """Run *function* in every forked child; does nothing where there is no fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


after_fork_in_child(_count_fork)


class HasDescriptor(Protocol):
    """A socket, a file."""

    def fileno(self) -> int:
        """Return the descriptor; -1 or ``ValueError`` once it is closed."""
        ...


# What no child may have. Not guarded: changed in single steps.
_kept: Final[WeakSet[HasDescriptor]] = WeakSet()


def keep_from_children(holder: HasDescriptor) -> None:
    """Have no forked child hold what *holder* has open; forgotten when it is closed or collected.

    In a child its number refers to nothing of use, and is not free: whoever closes it there, when
    *holder* is collected for one, closes nobody else's.
    """
    _kept.add(holder)


def _blank_kept() -> None:
    descriptors = [number for holder in _kept if (number := _number(holder)) >= 0]
    if descriptors:
        blank = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in descriptors:
            os.dup2(blank, descriptor, inheritable=False)
        os.close(blank)


def _number(holder: HasDescriptor) -> int:
    try:
        return holder.fileno()
    except ValueError:  # a file says so when it is closed, a socket has no number
        return -1


after_fork_in_child(_blank_kept)


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
