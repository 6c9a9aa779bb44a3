# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all connections of one process share: the loop thread, the pools, the open drivers.

It stands apart because these begin with the first connection and end with the last, whoever
that is, and because two connections to one resolved URI share one driver (C12).

Locking:
    ``_lock`` (PROCESS, an owner) guards what is marked below. Nothing is opened, started, closed
    or waited for under it: who finds a driver being opened or closed waits at its gate, and
    looks again.

Invariants, each with a test of its name in ``tests/connection/test_process.py``:
    one_per_uri      connections to one resolved URI share one driver, also when they race
    counted          a driver is closed when its last connection is, once
    nothing_left     after the last connection no thread and no descriptor is left
    fresh_in_child   a forked child has a record of its own
"""

import atexit
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from virevents.clock import SYSTEM_CLOCK, Clock, monotonic
from virevents.dispatch import Pool, Runnable
from virevents.drivers import DRIVERS, ConnectionUri, Driver, DriverContext, DriverFactory
from virevents.errors import OpenError, OperationTimeoutError, VireventsError
from virevents.loop import LoopThread
from virevents.sync import (
    PROCESS,
    Gate,
    RankedLock,
    Role,
    after_fork_in_child,
    is_callback_thread,
    is_caller_thread,
)

if TYPE_CHECKING:
    from virevents.connection.connection import Connection

__all__ = ["Machinery", "Process", "SharedDriver", "current_process", "destroy_owned"]

_log: Final = logging.getLogger("virevents.connection")

# How many calls of sessions and of asyncio programs that need a turn run at once.
_CALL_WORKERS: Final = 8

# How long the interpreter's exit waits for callbacks that are still running, in seconds: all of
# it is to end within 5 s.
EXIT_MAY_TAKE: Final = 4.5


class Machinery:
    """The threads that connections live on: one loop, workers for strands, workers for calls."""

    def __init__(self) -> None:
        self.loop_thread: Final = LoopThread()
        call_later = self.loop_thread.loop.call_later
        self.pool: Final = Pool(call_later)
        self.calls: Final = Pool(
            call_later,
            name="virevents-call",
            core=_CALL_WORKERS,
            can_grow=False,
            role=Role.CALLER,
        )
        # Of its own: a close must not stand in line behind the very calls that it ends.
        self.closes: Final = Pool(
            call_later,
            name="virevents-close",
            core=_CALL_WORKERS,
            can_grow=False,
            role=Role.CALLER,
        )
        self.users = 0  # guarded by the process lock

    def start(self) -> None:
        """Start the loop thread; by whoever made this."""
        self.loop_thread.start()

    def run_elsewhere(self, function: Callable[[], object]) -> None:
        """Run *function* soon on a thread that may wait."""
        self.calls.ready(_Call(function))

    def run_close(self, function: Callable[[], object]) -> None:
        """Run the end of a connection soon on a thread that may wait."""
        self.closes.ready(_Call(function))

    def stop(self, deadline: float) -> None:
        """End all threads; those stuck in a callback end when it returns."""
        workers_ended = self.pool.stop()
        callers_ended = (self.calls.stop(), self.closes.stop())
        if not is_callback_thread():
            workers_ended.wait(max(0.0, deadline - monotonic()))
            if not is_caller_thread():  # it would wait for itself
                for ended in callers_ended:
                    ended.wait(max(0.0, deadline - monotonic()))
        may_wait = 0.0 if is_callback_thread() else max(0.1, deadline - monotonic())
        self.loop_thread.stop(may_wait)


class _Call(Runnable):
    """A function on its way to a worker."""

    @property
    def name(self) -> str:
        """For logs."""
        return "a call"

    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Final = function

    def run(self) -> None:
        """Run it."""
        self._function()


@dataclass(slots=True)
class SharedDriver:
    """One driver on its way: opening, open, closing, closed.

    Attributes:
        key: The resolved URI.
        opened: Opens when the driver is there, or failed to open.
        closed: Opens when it is gone.
        users: How many connections hold it.  # guarded by the process lock
        driver: The driver.  # set before ``opened`` opens, read behind it
        error: Why there is none.  # likewise
    """

    key: str
    opened: Gate
    closed: Gate
    users: int = 0
    driver: Driver | None = None
    error: VireventsError | None = None


class Process:
    """The record of one process; safe from any thread.

    Args:
        clock: Given to drivers.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock: Final = clock
        self._lock: Final = RankedLock(PROCESS)
        self._machinery: Machinery | None = None  # guarded by _lock
        self._shared: dict[str, SharedDriver] = {}  # guarded by _lock
        self._connections: dict[int, Connection] = {}  # guarded by _lock

    def enter(self) -> Machinery:
        """Count a connection in; start the threads for the first."""
        machinery = self._enter(None)
        if machinery is not None:
            return machinery
        # Made with nothing held, for asyncio logs the making of a loop. Another thread may be
        # faster; then this one goes again, in the way that every one goes.
        fresh = Machinery()
        fresh.start()
        machinery = self._enter(fresh) or fresh
        if machinery is not fresh:
            fresh.stop(monotonic())
        return machinery

    def _enter(self, fresh: Machinery | None) -> Machinery | None:
        with self._lock:
            self._machinery = self._machinery or fresh
            if self._machinery is not None:
                self._machinery.users += 1
            return self._machinery

    def leave(self, machinery: Machinery, deadline: float) -> None:
        """Count a connection out; end the threads after the last."""
        with self._lock:
            machinery.users -= 1
            is_last = machinery.users == 0
            if is_last and self._machinery is machinery:
                self._machinery = None
        if is_last:
            machinery.stop(deadline)

    def add(self, connection: "Connection") -> None:
        """Record an open connection, for the exit."""
        with self._lock:
            self._connections[id(connection)] = connection

    def discard(self, connection: "Connection") -> None:
        """Forget a closed connection."""
        with self._lock:
            self._connections.pop(id(connection), None)

    def hold_driver(
        self, uri: ConnectionUri, machinery: Machinery, timeout: float
    ) -> tuple[SharedDriver, Driver]:
        """Open the driver of *uri*, or share the one that is open.

        Raises:
            OpenError: No driver has this scheme, or it could not be opened.
            OperationTimeoutError: Another thread's opening or closing took too long.
        """
        factory = _factory(uri)
        resolved = factory.resolve(uri)
        deadline = monotonic() + timeout
        while True:
            shared, is_mine = self._find(str(resolved))
            if is_mine:
                self._open(shared, factory, resolved, machinery)
            elif not shared.opened.wait(max(0.0, deadline - monotonic())):
                self.release_driver(shared)
                raise OperationTimeoutError(f"opening {resolved} took longer than {timeout:g} s")
            if shared.driver is not None:
                return shared, shared.driver
            if shared.error is not None:
                raise shared.error if is_mine else _another(shared.error)
            # It was on its way out; wait until it is gone and look again.
            if not shared.closed.wait(max(0.0, deadline - monotonic())):
                raise OperationTimeoutError(
                    f"{resolved} is being closed and took longer than {timeout:g} s"
                )

    def release_driver(self, shared: SharedDriver, owner: object | None = None) -> None:
        """Let a shared driver go; the last one closes it, on a thread that may wait.

        Args:
            shared: It.
            owner: Who lets it go: what was started to end with *owner* is destroyed first.
        """
        if owner is not None and shared.driver is not None:
            destroy_owned(shared.driver, owner)
        with self._lock:
            shared.users -= 1
            driver = shared.driver
            if shared.users or driver is None:
                return
            shared.driver = None  # who finds it now waits for the end
        try:
            driver.close()
        except Exception:  # noqa: BLE001  (a driver that fails to close must not keep us from closing)
            _log.exception("closing %s failed", shared.key)
        finally:
            with self._lock:
                if self._shared.get(shared.key) is shared:
                    del self._shared[shared.key]
            shared.closed.open()

    def abandon(self) -> None:
        """Have every connection refuse its calls; in a forked child, without any lock."""
        for connection in self._connections.values():
            connection.abandon()

    def close_all(self, timeout: float = EXIT_MAY_TAKE) -> None:
        """Close every open connection, all within *timeout* seconds."""
        with self._lock:
            connections = list(self._connections.values())
        deadline = monotonic() + timeout
        for connection in connections:
            # All of them before any is waited for: one that is stuck costs the others nothing.
            connection.begin_close()
            connection.put_callbacks_off()
        for connection in connections:
            connection.close(timeout=max(0.0, deadline - monotonic()))

    def _find(self, key: str) -> tuple[SharedDriver, bool]:
        with self._lock:
            shared = self._shared.get(key)
            if shared is None:
                shared = self._shared[key] = SharedDriver(
                    key, Gate(f"the opening of {key}"), Gate(f"the closing of {key}")
                )
                shared.users = 1
                return shared, True
            if shared.driver is not None or not shared.opened.is_open:
                shared.users += 1
            return shared, False

    def _open(
        self,
        shared: SharedDriver,
        factory: DriverFactory,
        resolved: ConnectionUri,
        machinery: Machinery,
    ) -> None:
        try:
            context = DriverContext(machinery.loop_thread.loop, self._clock)
            shared.driver = factory.open(resolved, context)
        except VireventsError as error:
            shared.error = error
        except OSError as error:
            shared.error = OpenError(f"{resolved}: {error}")
            shared.error.__cause__ = error
        finally:
            if shared.driver is None:
                with self._lock:
                    del self._shared[shared.key]
                shared.error = shared.error or OpenError(f"{resolved} failed to open")
                shared.closed.open()
            shared.opened.open()


def destroy_owned(driver: Driver, owner: object) -> None:
    """Have *driver* destroy what was started to end with *owner*; on a thread that may wait.

    What goes wrong is logged: it must not keep the owner from ending.
    """
    try:
        driver.destroy_owned(owner)
    except Exception:  # noqa: BLE001  (likewise of a driver that fails)
        _log.exception("%s: not all that was to end with %r was destroyed", driver.uri, owner)


def _another(error: VireventsError) -> VireventsError:
    """Return an error that says what *error* does, for another thread to raise.

    Raised on several threads, one object would collect the tracebacks of all of them.
    """
    kind = type(error)
    fresh = kind.__new__(kind)  # without its __init__: each class has arguments of its own
    fresh.args = error.args
    fresh.__dict__.update(error.__dict__)
    fresh.__cause__ = error
    return fresh


def _factory(uri: ConnectionUri) -> DriverFactory:
    factory = DRIVERS.get(uri.driver)
    if factory is None or uri.transport:
        raise OpenError(
            f"no connection driver available for {uri}: "
            f"this version has {', '.join(sorted(DRIVERS))}, each without a transport"
        )
    return factory


_process = Process()  # replaced only in a forked child, while it has one thread


def current_process() -> Process:
    """Return this process's record."""
    return _process


def _start_afresh() -> None:
    global _process  # noqa: PLW0603  (one per process by nature)
    _process.abandon()
    _process = Process()


def _close_at_exit() -> None:
    _process.close_all()


after_fork_in_child(_start_afresh)
atexit.register(_close_at_exit)
