# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam under ``sync``: where locks, one-shot events, lines and threads really come from.

It stands apart so that a schedule explorer can put its own in their place and run the very code
that ships, one thread at a time. Everything above asks ``primitives()`` when it *makes* a lock,
gate, line or thread, never later; nothing on a hot path looks here.

Locking: none; ``install`` is for tests and is called while no other thread of ours runs.

Invariants, each with a test of its name in ``tests/sync/test_primitives.py``:
    bare_by_default   with checks off a ranked lock is a ``threading.Lock`` itself
    restored          leaving ``installed`` puts the former primitives back
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from virevents.sync.doorbell import Doorbell, SystemDoorbell, WakeDescriptor, WakeSignal

if TYPE_CHECKING:
    from virevents.sync.locks import Lock

__all__ = ["OneShot", "Primitives", "SystemPrimitives", "installed", "primitives"]

T = TypeVar("T")


class OneShot(Protocol):
    """What a gate is made of: ``threading.Event`` without ``clear``."""

    def is_set(self) -> bool:
        """Tell whether it was set."""
        ...

    def set(self) -> None:
        """Set it; idempotent."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or *timeout* seconds; tell whether it is set."""
        ...


class Primitives(Protocol):
    """Makers of everything that blocks or switches threads."""

    @property
    def is_checked(self) -> bool:
        """Whether ranked locks check their order."""
        ...

    def make_lock(self, name: str) -> "Lock":
        """Make a lock that is free."""
        ...

    def make_one_shot(self, name: str) -> OneShot:
        """Make an event that is not set."""
        ...

    def make_line(self, kind: type[T], name: str) -> "deque[T]":
        """Make a deque whose append and popleft any thread may call without a lock."""
        ...

    def make_doorbell(self, name: str) -> Doorbell:
        """Make a bell that idle workers wait at."""
        ...

    def make_wake_signal(self, name: str) -> WakeSignal:
        """Make the signal that wakes a loop."""
        ...

    def start_thread(self, name: str, target: Callable[[], None]) -> None:
        """Start a daemon thread."""
        ...


class SystemPrimitives:
    """The real ones.

    Args:
        is_checked: Whether ranked locks check their order.
    """

    def __init__(self, *, is_checked: bool) -> None:
        self._is_checked: Final = is_checked

    @property
    def is_checked(self) -> bool:
        """Whether ranked locks check their order."""
        return self._is_checked

    def make_lock(self, name: str) -> "Lock":  # noqa: ARG002  (explorers use the name)
        """Make a ``threading.Lock``."""
        return threading.Lock()

    def make_one_shot(self, name: str) -> OneShot:  # noqa: ARG002
        """Make a ``threading.Event``."""
        return threading.Event()

    def make_line(self, kind: type[T], name: str) -> "deque[T]":  # noqa: ARG002
        """Make a ``collections.deque``."""
        return deque()

    def make_doorbell(self, name: str) -> Doorbell:  # noqa: ARG002
        """Make a bell on an eventfd, or on a socketpair where there is none."""
        return SystemDoorbell()

    def make_wake_signal(self, name: str) -> WakeSignal:  # noqa: ARG002
        """Make a descriptor that becomes readable when signalled."""
        return WakeDescriptor()

    def start_thread(self, name: str, target: Callable[[], None]) -> None:
        """Start a daemon ``threading.Thread``."""
        threading.Thread(target=target, name=name, daemon=True).start()


_current: Primitives = SystemPrimitives(is_checked=os.environ.get("VIREVENTS_LOCKCHECK") == "1")


def primitives() -> Primitives:
    """Return the makers in force."""
    return _current


@contextmanager
def installed(other: Primitives) -> Iterator[None]:
    """Put *other* in force for the length of the block (for tests and explorers)."""
    global _current  # noqa: PLW0603  (the one seam; see the module docstring)
    before = _current
    _current = other
    try:
        yield
    finally:
        _current = before
