# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Subscription``: what a user holds of a callback that was put on.

It stands apart from the callback on record because it decides who waits: on a thread that runs
callbacks nothing here does (C5).

Locking: none here; see ``dispatch``.

Invariants, each with a test of its name in ``tests/connection/test_subscription.py``:
    closed_is_over     once ``close()`` returned True the callback is not running and never will
    no_wait_in_calls   on a worker or a loop thread ``close`` and ``drain`` return at once
    left_in_order      leaving a ``with`` block delivers first what was pushed before
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from virevents.clock import monotonic
from virevents.dispatch import Callback, EventState
from virevents.sync import Birth, Gate, is_callback_thread

__all__ = ["Subscription", "SubscriptionStats", "wait_for_end", "wait_for_ends"]

_log: Final = logging.getLogger("virevents.connection")

# After this many seconds a wait for a callback is logged, once, with both stacks (C5).
_LOG_AFTER: Final = 5.0

# How long leaving a with block may take to deliver what was pushed before, in seconds (C4).
_DRAIN_AT_EXIT: Final = 5.0


class SubscriptionStats(NamedTuple):
    """Figures of one subscription, at about one moment.

    Attributes:
        delivered: Events that were handed to the callback or taken from the stream.
        pending: Events that wait; once closed, those that were dropped by it.
        dropped: Events that were lost to overflow and counted in gaps.
        errors: Exceptions of the callback and of its hooks.
        slowest: The longest call, in seconds.
    """

    delivered: int
    pending: int
    dropped: int
    errors: int
    slowest: float


class Subscription:
    """A callback that was put on; made by ``Connection.subscribe``. Safe from any thread.

    As a context manager it delivers, when the block ends without an exception, what was pushed
    before (at most 5 s), and closes.
    """

    def __init__(self, state: EventState, callback: Callback) -> None:
        self._state: Final = state
        self._callback: Final = callback
        self._birth: Final = Birth()

    @property
    def id(self) -> int:
        """Its number, unique for its driver (libvirt: callback id)."""
        return self._callback.id

    @property
    def name(self) -> str:
        """Its number and the callback's name, as in log lines."""
        return self._callback.name

    @property
    def is_closed(self) -> bool:
        """Whether it begins no further call; one may still be in flight."""
        return self._callback.is_closed

    @property
    def stats(self) -> SubscriptionStats:
        """Its figures now."""
        callback = self._callback
        delivery = callback.delivery
        put, lost = (-1, 0) if delivery is None else (delivery.put, delivery.lost)
        pending = 0 if put < 0 else max(0, put - lost - callback.begun)
        return SubscriptionStats(
            delivered=callback.begun,
            pending=pending,
            dropped=lost,
            errors=callback.errors,
            slowest=callback.slowest,
        )

    def close(self, *, wait: bool = True) -> bool:
        """Put the callback off; what it has not begun is dropped.

        Args:
            wait: Wait for the call in flight and for the release hook. On a thread that runs
                callbacks (a worker, a loop thread) nothing is waited for: the release hook
                tells the end. With False no lock is taken either, so that a finalizer may call.
                **Do not wait while holding a lock, or while another thread or task waits for
                you, that the callback needs**: nothing can end that. ``wait=False`` with the
                release hook is the cure.

        Returns:
            True when the callback is not running and never runs again.
        """
        if self._birth.is_foreign:  # no lock, no hook, no wait in a forked child
            self._callback.is_closed = True
            return True
        if not wait or is_callback_thread():
            self._state.deregister_later(self._callback)
            return self._callback.released.is_open
        self._state.deregister(self._callback)
        return wait_for_end(self._callback, None)

    def drain(self, timeout: float) -> bool:
        """Wait until all that was pushed before this call was delivered, or counted in a gap.

        Args:
            timeout: The longest wait in seconds. On a thread that runs callbacks nothing is
                waited for.

        Returns:
            Whether it was; False when the subscription is closed meanwhile.
        """
        self._birth.check(self.name)
        if is_callback_thread() or self.is_closed:
            return False
        gate = Gate(f"the delivery of what {self.name} was sent")
        self._state.mark(self._callback, gate)
        return gate.wait(timeout) and not self.is_closed

    def __enter__(self) -> Self:
        """Return the subscription."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Deliver what was pushed before, unless the block raised, and close."""
        if kind is None and not self.is_closed:
            self.drain(_DRAIN_AT_EXIT)
        self.close()

    def __repr__(self) -> str:
        """Name it and say whether it is closed."""
        return f"<Subscription {self.name} {'closed' if self.is_closed else 'open'}>"


def wait_for_end(callback: Callback, timeout: float | None) -> bool:
    """Wait until *callback* was released; log once when that takes long.

    Args:
        callback: It was ended or marked before.
        timeout: The longest wait in seconds; None waits as long as the user's code runs.
    """
    first = _LOG_AFTER if timeout is None else min(timeout, _LOG_AFTER)
    if callback.released.wait(first):
        return True
    if timeout is None:
        _log.warning(
            "waited %.0f s for %s, which is still running.\n"
            "The waiting thread:\n%s\nThe callback's thread:\n%s",
            first,
            callback.name,
            "".join(traceback.format_stack()),
            stack_of(callback),
        )
        return callback.released.wait(None)
    return callback.released.wait(timeout - first)


def wait_for_ends(callbacks: Sequence[Callback], deadline: float, uri: str) -> bool:
    """Wait until all of *callbacks* were released; abandon the others, and log their names.

    Args:
        callbacks: They were ended or marked before.
        deadline: Until when, on the monotonic clock.
        uri: Whose they are, for the log.

    Returns:
        Whether all were.
    """
    stuck = [c for c in callbacks if not wait_for_end(c, max(0.0, deadline - monotonic()))]
    for callback in stuck:
        # A loop may have been closed with a hand-over that it had taken and not run.
        if callback.delivery is not None:
            callback.delivery.end(callback)
    if stuck:
        _log.warning(
            "%s: %d callbacks had not returned when it was closed and are abandoned: %s",
            uri,
            len(stuck),
            ", ".join(callback.name for callback in stuck),
        )
    return not stuck


def stack_of(callback: Callback) -> str:
    """Return the stack of the thread that runs *callback* now, or say that none does."""
    frame = sys._current_frames().get(callback.thread_ident)  # noqa: SLF001  (documented for this)
    if frame is None:
        return "(it is not running)"
    return "".join(traceback.format_stack(frame))
