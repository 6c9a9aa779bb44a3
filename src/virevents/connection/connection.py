# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Connection``: what a user holds of a hypervisor.

It stands apart from the driver, which many connections may share: a connection has its own
subscriptions, its own end, and decides which calls may be made where.

Locking:
    ``_lock`` (CONNECTION, an owner) guards the phase and the set of subscriptions; nothing is
    called under it. A subscription enters the set before its callback is registered, and looks
    at the phase again after: so ``close`` meets every callback, and none outlives it.

Invariants, each with a test of its name in ``tests/connection/test_connection.py``:
    silent_after_close   after ``close()`` returned True no callback runs
    close_ends           ``close`` ends from any state, twice, from inside a callback
    refused_when_closed  every call on a closed connection raises ``ClosedError``
    none_outlives        what it started with autodestroy ends with it, however the two race
"""

import contextlib
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Final, Literal, Self, TypeVar, overload

from virevents.clock import monotonic
from virevents.connection.arguments import FilePath, absolute_path, start_mode
from virevents.connection.deliveries import DeliveryName, make_delivery
from virevents.connection.domain import Domain
from virevents.connection.expect import Expectation
from virevents.connection.filters import EventIds, Only, make_filter
from virevents.connection.process import Machinery, Process, SharedDriver, destroy_owned
from virevents.connection.statistics import ConnectionStats, connection_stats
from virevents.connection.streams import EventStream, taken_from_a_stream
from virevents.connection.subscription import Subscription, wait_for_ends
from virevents.dispatch import (
    Callback,
    Delivery,
    DirectDelivery,
    EventState,
    Filter,
    Hooks,
)
from virevents.drivers import Capability, ConnectionUri, Driver, StartMode
from virevents.errors import ClosedError, InvalidArgumentError, ReadOnlyError
from virevents.model import DomainEvent, Gap, Lifecycle, LifecycleEvent, canonical_uuid
from virevents.sync import (
    CONNECTION,
    Birth,
    Gate,
    RankedLock,
    is_callback_thread,
    is_loop_thread,
    refuse_to_block,
)

__all__ = ["CLOSE_MAY_TAKE", "Connection"]

E = TypeVar("E", bound=DomainEvent)

# How long ``close`` waits for callbacks that are still running, in seconds: all of it is to end
# within 5 s.
CLOSE_MAY_TAKE: Final = 4.5


class _Phase(Enum):
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Connection:
    """An open hypervisor; made by ``virevents.open``. Safe from any thread.

    As a context manager it closes at the end of the block.
    """

    def __init__(
        self,
        uri: ConnectionUri,
        process: Process,
        machinery: Machinery,
        shared: SharedDriver,
        driver: Driver,
        *,
        read_only: bool,
    ) -> None:
        self._uri: Final = uri
        self._process: Final = process
        self._machinery: Final = machinery
        self._shared: Final = shared
        self._driver: Final = driver
        self._read_only: Final = read_only
        self._birth: Final = Birth()
        self._closed: Final = Gate(f"the end of the connection to {uri}")
        self._lock: Final = RankedLock(CONNECTION)
        self._phase = _Phase.OPEN  # guarded by _lock
        self._is_open = True  # one way: True to False under _lock or in a fork, read without
        self._may_modify = not read_only  # one way: likewise
        self._callbacks: set[Callback] = set()  # guarded by _lock; not yet released

    @property
    def uri(self) -> str:
        """The URI that it was opened with."""
        return str(self._uri)

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more calls."""
        return not self._is_open

    @property
    def is_read_only(self) -> bool:
        """Whether modifying calls are refused."""
        return self._read_only

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The operations that its driver has."""
        return self._driver.capabilities

    # -- looking domains up

    def list(self, *, active: bool | None = None) -> list[Domain]:
        """List the domains; with *active*, only the running or only the inactive ones."""
        return [Domain(self, identity) for identity in self.reading().domains(active=active)]

    def lookup(self, name: str) -> Domain:
        """Find a domain by name; raises ``DomainNotFoundError``."""
        return Domain(self, self.reading().lookup_name(name))

    def lookup_uuid(self, uuid: str) -> Domain:
        """Find a domain by uuid, in any spelling; raises ``DomainNotFoundError``."""
        try:
            canonical = canonical_uuid(uuid)
        except ValueError as error:
            raise InvalidArgumentError(str(error)) from error
        return Domain(self, self.reading().lookup_uuid(canonical))

    def lookup_id(self, domain_id: int) -> Domain:
        """Find a running domain by id; raises ``DomainNotFoundError``."""
        return Domain(self, self.reading().lookup_id(domain_id))

    # -- bringing domains up

    def define(self, xml: str) -> Domain:
        """Define a domain, or update the definition of the one with that uuid.

        Raises:
            DefinitionError: The XML is not understood; names the element and its line.
        """
        return Domain(self, self.modifying("define").define(xml))

    def create(self, xml: str, *, paused: bool = False, autodestroy: bool = False) -> Domain:
        """Start a domain that is gone when it stops.

        Args:
            xml: Its definition.
            paused: Leave its processors paused.
            autodestroy: Destroy it when this connection closes, or this process ends.
        """
        mode = StartMode.PAUSED if paused else StartMode.RUNNING
        owner = self if autodestroy else None
        identity = self.modifying("create").create(xml, mode, autodestroy_owner=owner)
        if autodestroy:
            self.note_owned()
        return Domain(self, identity)

    def restore(self, path: FilePath, *, paused: bool | None = None) -> Domain:
        """Start a domain from a file that ``Domain.save`` wrote.

        Args:
            path: The file.
            paused: Whether to leave it paused; None for the state it was saved in.
        """
        file = absolute_path(path)
        return Domain(self, self.modifying("restore").restore(file, start_mode(paused)))

    # -- events

    @overload
    def subscribe(
        self,
        callback: Callable[[LifecycleEvent], object],
        *,
        event_id: Literal["lifecycle"] = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        delivery: DeliveryName = "isolated",
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[LifecycleEvent, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> Subscription: ...

    @overload
    def subscribe(
        self,
        callback: Callable[[DomainEvent], object],
        *,
        event_id: EventIds,
        domain: Domain | None = None,
        only: Only | None = None,
        delivery: DeliveryName = "isolated",
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[DomainEvent, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> Subscription: ...

    def subscribe(  # noqa: PLR0913  (each has a default and is given by name)
        self,
        callback: Callable[[E], object],
        *,
        event_id: EventIds = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        delivery: DeliveryName = "isolated",
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[E, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> Subscription:
        """Put *callback* on: it is called with every matching event from now on (C4).

        Args:
            callback: Called with each event. The same function may be put on many times.
            event_id: Which kinds of event; "all" for every one.
            domain: Of this domain only.
            only: These lifecycle events only.
            delivery: "isolated": on a worker thread, delaying nobody else (C8). "direct": on
                the loop thread; it must return fast and may make no call that waits. An asyncio
                loop: on that loop's thread, likewise.
            capacity: The most events that wait for it; above, the oldest go into a gap (C9).
                Up to 256 that a worker has taken for it wait beside.
            on_gap: Called with a ``Gap`` in the place of lost events, on the same strand.
            on_error: Called with the event and the exception when the callback raised.
            on_release: Called once, after the last call (C6).

        Raises:
            ClosedError: The connection is closed.
            LocalProtocolError: A callback or hook is not callable, or *capacity* is below 1.
            InvalidArgumentError: A word is not known.
        """
        hooks = Hooks(on_gap=on_gap, on_error=on_error, on_release=on_release)  # type: ignore[arg-type]
        made = self.register(
            callback,  # type: ignore[arg-type]  # the filter lets only that kind through
            make_filter(event_id, domain, only),
            lambda record: make_delivery(record, delivery, capacity, self._machinery),
            hooks=hooks,
        )
        return Subscription(self._driver.state, made)

    @overload
    def events(
        self,
        *,
        event_id: Literal["lifecycle"] = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> EventStream[LifecycleEvent]: ...

    @overload
    def events(
        self,
        *,
        event_id: EventIds,
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> EventStream[DomainEvent]: ...

    def events(
        self,
        *,
        event_id: EventIds = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> EventStream[LifecycleEvent] | EventStream[DomainEvent]:
        """Make a stream of events from now on, and of gaps where some were lost.

        The filters are those of ``subscribe``. The stream ends when the connection does.
        """
        streams: list[EventStream[DomainEvent]] = []

        def deliver(record: Callback) -> Delivery:
            streams.append(EventStream(self._driver.state, record, capacity))
            return streams[0].delivery

        self.register(taken_from_a_stream, make_filter(event_id, domain, only), deliver)
        return streams[0]

    def expect(self, domain: Domain, event: Lifecycle | str, *, timeout: float) -> Expectation:
        """Listen for a lifecycle event of *domain* while a block runs, then wait for it.

        Args:
            domain: The domain.
            event: The event, or its word ("stopped").
            timeout: The longest time in seconds, from the block's beginning.

        Returns:
            A context manager; its ``event`` is there after the block. The block's end raises
            ``ExpectTimeout`` when the event did not come.
        """
        wanted = make_filter("lifecycle", domain, (event,))

        def listen(function: Callable[[DomainEvent], object]) -> Callback:
            return self.register(
                function, wanted, lambda _: DirectDelivery(), after_release=expectation.end
            )

        expectation = Expectation(
            f"{domain.name} {event}", timeout, listen, self._driver.state.deregister
        )
        return expectation

    def register(
        self,
        function: Callable[[DomainEvent], object],
        wanted: Filter,
        deliver: Callable[[Callback], Delivery],
        *,
        hooks: Hooks | None = None,
        after_release: Callable[[], None] | None = None,
    ) -> Callback:
        """Put a callback on record with a delivery of its own; for faces built on this one.

        When the connection is closed meanwhile, either this raises and the release hook is never
        called, or the callback is on record, closed, and its release hook is called once.

        Args:
            function: The callback.
            wanted: Which events.
            deliver: Makes its delivery.
            hooks: Its hooks.
            after_release: Book-keeping after its release.

        Raises:
            ClosedError: The connection is closed.
        """
        self.reading()

        def forget() -> None:
            with self._lock:
                self._callbacks.discard(record)
            if after_release is not None:
                after_release()

        record = Callback(
            function, wanted, owner=self, hooks=hooks or Hooks(), after_release=forget
        )
        self._enter(record)
        try:
            delivery = deliver(record)
        except BaseException:
            forget()
            record.released.open()  # ``close`` may wait for it; its hook is not run: it never was
            raise
        # The driver may close under us; what follows then ends the callback.
        with contextlib.suppress(ClosedError):
            self._driver.state.register(record, delivery)
        if not self._is_open:  # closed meanwhile, perhaps before the callback was listed
            record.is_closed = True
            delivery.end(record)
            self._driver.state.deregister_later(record)
        return record

    def _enter(self, record: Callback) -> None:
        """Have ``close`` meet *record*; from here on it ends like every other."""
        with self._lock:
            is_open = self._phase is _Phase.OPEN
            if is_open:
                self._callbacks.add(record)
        if not is_open:
            self._refuse()

    # -- looking inside, and the end

    def stats(self) -> ConnectionStats:
        """Return figures of the connection, its driver and the threads it lives on."""
        driver = self.reading()
        with self._lock:
            callbacks = list(self._callbacks)
        return connection_stats(self.uri, driver, self._machinery, callbacks)

    def begin_close(self) -> bool:
        """Refuse new calls and begin no further callback; wait for nothing.

        Returns:
            Whether this call began the end (no other did before).
        """
        with self._lock:
            if self._phase is not _Phase.OPEN:
                return False
            self._phase = _Phase.CLOSING
            self._is_open = self._may_modify = False
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback.is_closed = True
        return True

    def close(self, *, timeout: float = CLOSE_MAY_TAKE) -> bool:
        """Close the connection: from any state, twice, from inside a callback (C11).

        In this order: refuse new calls; take its callbacks off; destroy what it started with
        autodestroy and let the driver go, which ends waits on it with an error; only then wait
        for callbacks that are still running.

        Args:
            timeout: The longest wait for callbacks in seconds. On a thread that runs callbacks
                nothing is waited for.

        Returns:
            Whether all its callbacks have ended. Those that have not are logged; their release
            hooks run when they return.
        """
        if self._birth.is_foreign:
            self.abandon()
            return True
        self.begin_close()
        return self.finish_close(timeout=timeout, may_wait=not is_callback_thread())

    def finish_close(self, *, timeout: float = CLOSE_MAY_TAKE, may_wait: bool) -> bool:
        """Do the rest of ``close`` after ``begin_close``; for faces built on this one.

        Args:
            timeout: The longest wait for callbacks in seconds.
            may_wait: Whether the caller runs no callback, so that it may wait for one.
        """
        deadline = monotonic() + timeout
        if not self._take_the_end():
            if not may_wait:
                return self._closed.is_open and self._have_all_ended()
            # Who took the end may run a callback itself, and then waited for none.
            return self._closed.wait(timeout) and self._wait_for_callbacks(deadline)
        self.put_callbacks_off()
        self._process.discard(self)
        if is_loop_thread():
            self._machinery.run_close(lambda: self._let_go(deadline, may_wait=False))
            return self._have_all_ended()
        return self._let_go(deadline, may_wait=may_wait)

    def put_callbacks_off(self) -> None:
        """Take its callbacks off and end them, once no more can come; waits for nothing."""
        self._driver.state.registry.remove_connection(self)

    def _let_go(self, deadline: float, *, may_wait: bool) -> bool:
        try:
            self._process.release_driver(self._shared, owner=self)
            has_ended = self._wait_for_callbacks(deadline) if may_wait else self._have_all_ended()
            self._process.leave(self._machinery, deadline)
        finally:
            self._closed.open()
        return has_ended

    def note_owned(self) -> None:
        """See that a domain just started with autodestroy ends, if this was closed meanwhile."""
        if not self._is_open:  # the end may have come before the driver knew of the domain
            destroy_owned(self._driver, self)

    def _have_all_ended(self) -> bool:
        with self._lock:
            return not self._callbacks

    def abandon(self) -> None:
        """Refuse every call from now on; in a forked child, where nothing else may be done."""
        self._is_open = self._may_modify = False

    def _take_the_end(self) -> bool:
        with self._lock:
            is_mine = self._phase is _Phase.CLOSING
            self._phase = _Phase.CLOSED
        return is_mine

    def _wait_for_callbacks(self, deadline: float) -> bool:
        with self._lock:
            left = list(self._callbacks)
        return wait_for_ends(left, deadline, self.uri)

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Name it and say its phase."""
        return f"<Connection {self.uri} {self._phase.value}>"

    # -- which calls may be made

    @property
    def is_foreign(self) -> bool:
        """Whether this process is a forked child of the one that opened it."""
        return self._birth.is_foreign

    @property
    def driver_state(self) -> EventState:
        """The event state of its driver; for faces built on this one."""
        return self._driver.state

    def run_elsewhere(self, function: Callable[[], object]) -> None:
        """Run *function* soon on a thread of the bounded pool; for faces built on this one."""
        self._machinery.run_elsewhere(function)

    def run_close(self, function: Callable[[], object]) -> None:
        """Run the end of this soon on a thread that waits for no call; for such faces."""
        self._machinery.run_close(function)

    def reading(self) -> Driver:
        """Return the driver for a call that changes nothing.

        Raises:
            ClosedError: The connection is closed.
            ForkedError: It was opened by a parent process.
        """
        if not self._is_open:
            self._refuse()
        return self._driver

    def modifying(self, operation: str) -> Driver:
        """Return the driver for a call that changes something and may wait.

        Args:
            operation: Its name, for errors.

        Raises:
            ClosedError: The connection is closed.
            ForkedError: It was opened by a parent process.
            ReadOnlyError: It is read-only.
            WouldBlockError: This thread runs an event loop.
        """
        if not self._may_modify:
            self.reading()
            raise ReadOnlyError(
                f"operation forbidden: read only access prevents {operation} on {self.uri}"
            )
        refuse_to_block(operation)
        return self._driver

    def _refuse(self) -> None:
        self._birth.check(f"the connection to {self.uri}")
        raise ClosedError(f"the connection to {self.uri} is closed")
