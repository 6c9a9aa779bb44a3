# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the operations of one open QEMU driver share: its domains, its directory, its ways.

It stands apart because the operations are many and each kind of them is a module; none needs to
know another, all need this.

Locking:
    ``_lock`` (DRIVER, an owner) guards the next id. `turn` takes a domain's turn (TURN); what is
    done under it may wait for the disk and for the loop thread (`on_loop`), for nothing else.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_estate.py``:
    absent_is_absent  a domain that went while a call waited for its turn is not found
    ids_grow          each start has an id that was not used before
    closed            after `close` no run begins
    dumped            a dump that fails is followed by what was to follow it, and is waited for
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from virevents.clock import monotonic
from virevents.definition import DomainDefinition
from virevents.dispatch import EventState
from virevents.drivers.base import DriverContext
from virevents.drivers.domains import DomainList
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.drivers.qemu.sweeping import Sweeper
from virevents.drivers.uri import ConnectionUri
from virevents.errors import (
    ClosedError,
    HostError,
    LoopStoppedError,
    StateError,
    VireventsError,
)
from virevents.model import UNKNOWN_CAUSE, Cause, Detail, DomainState, Lifecycle, LifecycleEvent
from virevents.sync import DRIVER, Gate, RankedLock, primitives

__all__ = ["Estate", "disk", "invalid", "run_of", "state_of"]

T = TypeVar("T")

_log: Final = logging.getLogger("virevents.drivers.qemu")

# How long a monitor command may take. libvirt waits for ever; a hang shows in nothing else.
_ANSWER_WITHIN: Final = 30.0
# Added to the deadlines of the steps within, which tell better what was waited for.
_MORE: Final = 45.0


class Estate:
    """What the operations of one driver share; safe from any thread.

    Args:
        uri: The resolved URI.
        context: The loop and the clock.
        directory: The directory, locked.
        state: Takes the events.
    """

    def __init__(
        self,
        uri: ConnectionUri,
        context: DriverContext,
        directory: DomainDirectory,
        state: EventState,
    ) -> None:
        self.uri: Final = uri
        self.context: Final = context
        self.directory: Final = directory
        self.state: Final = state
        self.domains: Final[DomainList[QemuDomain]] = DomainList()
        self.sweeper: Final = Sweeper(context.loop)
        self.leaving: Final[set[asyncio.Task[None]]] = set()  # loop thread only
        self.answer_within: Final = float(uri.parameter("monitor_timeout") or _ANSWER_WITHIN)
        # Dumps a guest's memory by itself; set once, before the driver is opened.
        self.auto_dump: Callable[[QemuDomain, QemuRun], None] | None = None
        # The domains of which something was found when the driver was opened, by uuid; some are
        # not listed any more. Filled before any other thread has the driver.
        self.found: Final[dict[str, QemuDomain]] = {}
        self._lock: Final = RankedLock(DRIVER)
        self._last_id = 0  # guarded by _lock
        self._dumps: set[Gate] = set()  # guarded by _lock; the ends of those that go on
        self._is_closed = False  # one way: False to True, read without

    def close(self) -> None:
        """Let no run begin from now on. Idempotent."""
        self._is_closed = True

    def next_id(self) -> int:
        """Return an id that no run had."""
        with self._lock:
            self._last_id += 1
            return self._last_id

    def skip_ids(self, last: int) -> None:
        """Give out no id up to *last* any more."""
        with self._lock:
            self._last_id = max(self._last_id, last)

    def tell_found(self, uuid: str) -> None:
        """Tell what was found of a domain when the driver was opened, if nobody was told yet."""
        domain = self.found.get(uuid)
        if domain is not None:
            with domain.lock:
                domain.let_out_locked()

    @contextmanager
    def turn(self, uuid: str) -> Iterator[QemuDomain]:
        """Take a domain's turn, with room in the event queue for what the block may push.

        Raises:
            DomainNotFoundError: There is none, or it went meanwhile.
        """
        domain = self.domains.by_uuid(uuid)
        with domain.turn:
            self.domains.check_present(domain)
            self.state.make_room()
            self.tell_found(uuid)
            yield domain

    @contextmanager
    def coming(
        self, definition: DomainDefinition, make: Callable[[DomainDefinition], QemuDomain]
    ) -> Iterator[tuple[QemuDomain, bool]]:
        """Take the turn of the domain that *definition* names, a new one if there is none.

        As ``DomainList.coming``, with room in the event queue.
        """
        with self.domains.coming(definition, make) as (domain, is_new):
            self.state.make_room()
            self.tell_found(definition.uuid)
            yield domain, is_new

    def active_run(self, domain: QemuDomain) -> QemuRun:
        """Return the run of an active domain.

        Raises:
            StateError: It is not running.
        """
        run = run_of(domain)
        if run is None:
            raise invalid(domain, "domain is not running", "a running domain")
        return run

    def begin_run(self, domain: QemuDomain, begin_locked: Callable[[], None]) -> None:
        """Have *begin_locked* note a run, under the domain's lock, unless the driver is closed.

        Raises:
            ClosedError: It is.
        """
        with domain.lock:
            # The closer sets the flag, then looks for runs: it sees this one, or we see the flag.
            if self._is_closed:
                raise ClosedError(f"{self.uri} is closed")
            begin_locked()

    def push_locked(
        self,
        domain: QemuDomain,
        event: Lifecycle,
        detail: Detail,
        cause: Cause = UNKNOWN_CAUSE,
    ) -> None:
        """Make a lifecycle event and push it, under the domain's lock."""
        now = self.context.clock.time()
        self.state.push(LifecycleEvent.from_object(domain, event, detail, now, cause))

    def on_loop(
        self,
        make: Callable[[], Coroutine[object, object, T]],
        what: str,
        within: float | None = None,
    ) -> T:
        """Run a coroutine on the loop thread and wait for it, holding nothing but a turn."""
        timeout = self.answer_within + _MORE if within is None else within
        return self.context.loop.run(make, timeout=timeout, what=what)

    def dump_then(self, domain: QemuDomain, run: QemuRun, done: Callable[[], None]) -> None:
        """Dump the guest's memory on a thread of its own, then have the loop call *done*.

        On the thread, as in any call, the domain's turn is held. A dump that fails is logged, and
        what was to follow it follows.
        """
        ended = Gate(f"the dump of QEMU {run.pid}")
        with self._lock:
            self._dumps.add(ended)
        primitives().start_thread(
            f"virevents-dump-{run.pid}", lambda: self._dump(domain, run, done, ended)
        )

    def _dump(
        self, domain: QemuDomain, run: QemuRun, done: Callable[[], None], ended: Gate
    ) -> None:
        try:
            if self.auto_dump is not None:
                with domain.turn:
                    self.state.make_room()
                    self.auto_dump(domain, run)
        except (VireventsError, OSError) as error:
            _log.error("could not dump the memory of %s: %s", domain.identity.name, error)
        finally:
            self._tell_loop(done)
            with self._lock:
                self._dumps.discard(ended)
            ended.open()

    def wait_for_dumps(self, timeout: float) -> bool:
        """Wait for the end of the dumps that were begun; tells whether all have ended."""
        with self._lock:
            dumps = list(self._dumps)
        deadline = monotonic() + timeout
        return all(ended.wait(max(0.0, deadline - monotonic())) for ended in dumps)

    def _tell_loop(self, done: Callable[[], None]) -> None:
        try:
            self.context.loop.call(done)
        except LoopStoppedError as error:
            _log.debug("after the loop's end: %s", error)


def run_of(domain: QemuDomain) -> QemuRun | None:
    """Return the domain's run, None when it is off."""
    with domain.lock:
        return domain.run


def state_of(domain: QemuDomain) -> DomainState:
    """Return the domain's state."""
    with domain.lock:
        return domain.state.state


def invalid(domain: QemuDomain, what: str, required: str) -> StateError:
    """Return the error of a call that the domain's state does not allow."""
    return StateError(
        f"Requested operation is not valid: {what}",
        state=str(state_of(domain)),
        required=required,
    )


@contextmanager
def disk(what: str) -> Iterator[None]:
    """Tell an error of the disk as the failure of *what*."""
    try:
        yield
    except OSError as error:
        raise HostError(f"{what}: {error}") from error
