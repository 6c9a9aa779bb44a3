# SPDX-License-Identifier: LGPL-2.1-or-later
"""A callback on record: the function, what it wants, and the end of its life.

It stands apart from the registry, which only lists it, and from the delivery, which only brings
events to it: here is what both rely on, that a closed callback begins no call and that its
release hook runs exactly once, after the last call.

Locking:
    ``_lock`` (MAILBOX, a leaf) guards the count of calls in flight and the end. A count and not
    a flag: two threads may be inside, and the one that leaves first must not free what the
    other still uses. The user's code runs with nothing held.

Invariants, each with a test of its name in ``tests/dispatch/test_callback.py``:
    none_after_close   once ``is_closed`` no further call begins
    released_once      the release hook runs once, after the last call, whoever comes last
    raising_is_counted whatever the function raises is logged, counted and offered to ``on_error``
"""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVarTuple

from virevents.clock import monotonic
from virevents.dispatch.filters import Filter
from virevents.errors import LocalProtocolError
from virevents.model import DomainEvent, Gap
from virevents.sync import (
    MAILBOX,
    Failure,
    Gate,
    RankedLock,
    Role,
    assert_nothing_held,
    call_out,
    in_role,
    is_loop_thread,
    report,
)

if TYPE_CHECKING:
    from virevents.dispatch.delivery import Delivery

__all__ = ["Callback", "Hooks"]

Ts = TypeVarTuple("Ts")

_log: Final = logging.getLogger("virevents.dispatch")


class Hooks:
    """The three things besides events that a subscriber may want to be told. Immutable.

    Args:
        on_gap: Called with a ``Gap`` in the place of the lost events, on the same strand.
        on_error: Called with the event and the exception when the callback raised.
        on_release: Called once, after the last call (libvirt: freecb).
    """

    __slots__ = ("on_error", "on_gap", "on_release")

    def __init__(
        self,
        *,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[DomainEvent, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> None:
        for name, hook in (("on_gap", on_gap), ("on_error", on_error), ("on_release", on_release)):
            if hook is not None and not callable(hook):
                raise LocalProtocolError(f"{name}: expected a callable or None, met {hook!r}")
        self.on_gap: Final = on_gap
        self.on_error: Final = on_error
        self.on_release: Final = on_release


_NO_HOOKS: Final = Hooks()


class Callback:
    """One callable on record; made by ``CallbackRegistry.add``, which gives it its number.

    Args:
        function: Called with each event.
        wanted: Which events.
        owner: Whom it belongs to, for ``remove_connection``; compared by identity.
        hooks: What else to call.
        name: For logs and statistics; the function's own name by default.
        after_release: Book-keeping of ours, run after the release hook with nothing held.
    """

    def __init__(
        self,
        function: Callable[[DomainEvent], object],
        wanted: Filter,
        *,
        owner: object = None,
        hooks: Hooks = _NO_HOOKS,
        name: str | None = None,
        after_release: Callable[[], None] | None = None,
    ) -> None:
        if not callable(function):
            raise LocalProtocolError(f"expected a callable, met {function!r}")
        self.wanted: Final = wanted
        self.owner: Final = owner
        self.released: Final = Gate(f"the end of the callback {name or function!r}")
        self._label: Final = name or getattr(function, "__qualname__", None) or repr(function)
        self.id = -1  # published: set once by the registry, before anybody else sees it
        # published: set once by the registry; a callback whose start is not known yet has none
        self.since = sys.maxsize
        self.is_closed = False  # one way: False to True, read without
        self.delivery: Delivery | None = None  # published: set once, before it is listed
        self.begun = 0  # by its one runner at a time, read without
        self.errors = 0  # likewise
        self.slowest = 0.0  # likewise; seconds
        self.thread_ident = 0  # likewise; the runner's thread, 0 when nobody runs it
        self._lock: Final = RankedLock(MAILBOX)
        self._in_flight = 0  # guarded by _lock
        self._is_ending = False  # guarded by _lock; one way
        self._is_released = False  # guarded by _lock; one way
        self._function: Callable[[DomainEvent], object] | None = function  # by the last, to None
        self._hooks: Hooks = hooks  # likewise, to no hooks
        self._after_release: Final = after_release

    @property
    def name(self) -> str:
        """Its number and name, as logs and errors say it."""
        return f"callback {self.id} ({self._label})"

    @property
    def is_running(self) -> bool:
        """Whether a call is in flight now."""
        return self.thread_ident != 0

    def begin(self) -> bool:
        """Count a call, or a run of calls, in; False when it must not begin any more."""
        with self._lock:
            if self._is_released or self.is_closed:
                return False
            self._in_flight += 1
        return True

    def finish(self) -> None:
        """Count it out; the last one out of an ended callback releases it."""
        with self._lock:
            self._in_flight -= 1
            is_last = self._is_last_locked()
        if is_last:
            self._release()

    def end(self) -> None:
        """Begin the end: no event will come. Released now, or by the last call in flight.

        Idempotent. Holds nothing, runs the release hook: never under a lock.
        """
        with self._lock:
            self._is_ending = True
            is_last = self._is_last_locked()
        if is_last:
            self._release()

    def run(self, events: Sequence[DomainEvent]) -> None:
        """Call the function with each of *events* until it is closed.

        This is ``call_out`` written out (the hot loop of the whole library).

        Raises:
            LockOrderError: Where locks are checked and this thread holds one of ours.
        """
        assert_nothing_held(f"the call of {self._label}")
        function = self._function
        if function is None:
            return
        self.thread_ident = threading.get_ident()
        begun = self.begun
        slowest = self.slowest
        before = monotonic()
        try:
            for event in events:
                if self.is_closed:
                    break
                self.begun = begun = begun + 1
                try:
                    function(event)  # call_out, inlined
                except BaseException as error:  # noqa: BLE001  (C8; as call_out)
                    self.note_error(event, error)
                now = monotonic()
                if now - before > slowest:  # noqa: PLR1730  (max() costs as much as the call)
                    slowest = now - before
                before = now
        finally:
            self.thread_ident = 0
            self.slowest = slowest

    def tell_gap(self, gap: Gap) -> None:
        """Tell of lost events: by the gap hook, or in the log."""
        hook = self._hooks.on_gap
        if hook is None:
            report(
                _log,
                logging.WARNING,
                "%s lost events %d to %d (%s of them matched): it is too slow for its capacity",
                self.name,
                gap.first,
                gap.last,
                "unknown" if gap.count is None else gap.count,
            )
        elif not self.is_closed:
            self._call_hook("on_gap", hook, gap)

    def note_error(self, event: DomainEvent, error: BaseException) -> None:
        """Log and count what the function raised on *event*, and offer it to ``on_error``."""
        self.errors += 1
        text = "%s raised %s on %r"
        report(_log, logging.ERROR, text, self.name, type(error).__name__, event, error=error)
        hook = self._hooks.on_error
        if hook is not None:
            self._call_hook("on_error", hook, event, error)

    def _call_hook(self, what: str, hook: Callable[[*Ts], object], *args: *Ts) -> None:
        """Run a hook as the callback itself is run: caught, counted, its thread known."""
        before, self.thread_ident = self.thread_ident, threading.get_ident()
        try:
            if isinstance(call_out(f"{what} of {self.name}", hook, *args), Failure):
                self.errors += 1
        finally:
            self.thread_ident = before

    def _is_last_locked(self) -> bool:
        if not self._is_ending or self._in_flight or self._is_released:
            return False
        self._is_released = True
        return True

    def _release(self) -> None:
        hook = self._hooks.on_release
        self._function, self._hooks = None, _NO_HOOKS
        self.is_closed = True
        try:
            if hook is not None:
                # On whichever thread ends it: nothing there may wait for this very hook (C5).
                with in_role(Role.LOOP if is_loop_thread() else Role.WORKER, self.name):
                    self._call_hook("on_release", hook)
        finally:
            if self._after_release is not None:
                self._after_release()
            self.released.open()
