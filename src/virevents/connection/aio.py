# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio face: the same connection, where every method that may wait is a coroutine.

It stands apart as a thin adapter: calls that may wait run on a bounded pool of the process, and
events come by one hand-over to the caller's loop for all that waits. Nothing is implemented
twice.

Confined to the asyncio loop that ran when the connection was opened.

Invariants, each with a test of its name in ``tests/connection/test_aio.py``:
    never_blocks     no method of this face blocks the loop
    registered_now   ``events()`` and ``subscribe()`` register when called
    close_goes_first ``close`` waits for no call that it ends
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import TracebackType
from typing import Final, Literal, ParamSpec, Self, TypeVar, overload

from virevents.connection import connection as threaded
from virevents.connection import opening
from virevents.connection.arguments import FilePath
from virevents.connection.async_domain import Domain
from virevents.connection.async_events import (
    AsyncCallback,
    AsyncEventStream,
    AsyncSubscription,
    is_in_callback,
)
from virevents.connection.filters import EventIds, Only, make_filter
from virevents.connection.process import current_process
from virevents.connection.statistics import ConnectionStats
from virevents.connection.streams import taken_from_a_stream
from virevents.dispatch import Callback, Hooks
from virevents.drivers import Capability
from virevents.errors import ClosedError, ExpectTimeout, InternalError
from virevents.model import DomainEvent, Gap, Lifecycle, LifecycleEvent

__all__ = [
    "AsyncEventStream",
    "AsyncSubscription",
    "Connection",
    "Domain",
    "Expectation",
    "open",
]

E = TypeVar("E", bound=DomainEvent)
P = ParamSpec("P")
T = TypeVar("T")


class Connection:
    """An open hypervisor, for asyncio; made by ``virevents.aio.open``.

    Its methods are those of ``virevents.Connection``; those that may wait are coroutines.
    Cancelling one leaves the connection usable; what the call was doing is done to its end.
    """

    def __init__(self, inner: threaded.Connection) -> None:
        self._inner: Final = inner
        self._loop: Final = asyncio.get_running_loop()

    @property
    def uri(self) -> str:
        """The URI that it was opened with."""
        return self._inner.uri

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more calls."""
        return self._inner.is_closed

    @property
    def is_read_only(self) -> bool:
        """Whether modifying calls are refused."""
        return self._inner.is_read_only

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The operations that its driver has."""
        return self._inner.capabilities

    async def list(self, *, active: bool | None = None) -> list[Domain]:
        """List the domains; with *active*, only the running or only the inactive ones."""
        return [Domain(self, found) for found in await self.call(self._inner.list, active=active)]

    async def lookup(self, name: str) -> Domain:
        """Find a domain by name."""
        return Domain(self, await self.call(self._inner.lookup, name))

    async def lookup_uuid(self, uuid: str) -> Domain:
        """Find a domain by uuid."""
        return Domain(self, await self.call(self._inner.lookup_uuid, uuid))

    async def lookup_id(self, domain_id: int) -> Domain:
        """Find a running domain by id."""
        return Domain(self, await self.call(self._inner.lookup_id, domain_id))

    async def define(self, xml: str) -> Domain:
        """Define a domain, or update the definition of the one with that uuid."""
        return Domain(self, await self.call(self._inner.define, xml))

    async def create(self, xml: str, *, paused: bool = False, autodestroy: bool = False) -> Domain:
        """Start a domain that is gone when it stops."""
        inner = self._inner
        made = await self.call(inner.create, xml, paused=paused, autodestroy=autodestroy)
        return Domain(self, made)

    async def restore(self, path: FilePath, *, paused: bool | None = None) -> Domain:
        """Start a domain from a file that ``save`` wrote."""
        return Domain(self, await self.call(self._inner.restore, path, paused=paused))

    @overload
    def events(
        self,
        *,
        event_id: Literal["lifecycle"] = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> AsyncEventStream[LifecycleEvent]: ...

    @overload
    def events(
        self,
        *,
        event_id: EventIds,
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> AsyncEventStream[DomainEvent]: ...

    def events(
        self,
        *,
        event_id: EventIds = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
    ) -> AsyncEventStream[LifecycleEvent] | AsyncEventStream[DomainEvent]:
        """Make a stream of events from now on, and of gaps where some were lost.

        Registered by this call, not at the first item. It ends when the connection does.
        """
        return self._stream(event_id, domain, only, capacity)

    @overload
    def subscribe(
        self,
        callback: Callable[[LifecycleEvent], object],
        *,
        event_id: Literal["lifecycle"] = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[LifecycleEvent, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> AsyncSubscription: ...

    @overload
    def subscribe(
        self,
        callback: Callable[[DomainEvent], object],
        *,
        event_id: EventIds,
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[DomainEvent, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> AsyncSubscription: ...

    def subscribe(  # noqa: PLR0913  (each has a default and is given by name)
        self,
        callback: Callable[[E], object],
        *,
        event_id: EventIds = "lifecycle",
        domain: Domain | None = None,
        only: Only | None = None,
        capacity: int = 10_000,
        on_gap: Callable[[Gap], object] | None = None,
        on_error: Callable[[E, BaseException], object] | None = None,
        on_release: Callable[[], object] | None = None,
    ) -> AsyncSubscription:
        """Put *callback* on, to be called on this loop, one event after the other.

        It may be a coroutine function: the next event is begun when it has returned. A plain
        function must not block. Registered by this call. The arguments are those of
        ``virevents.Connection.subscribe``.
        """
        # The filter lets only that kind of event through.
        hooks = Hooks(on_gap=on_gap, on_error=on_error, on_release=on_release)  # type: ignore[arg-type]
        function = AsyncCallback(callback)  # type: ignore[arg-type]
        stream = self._stream(event_id, domain, only, capacity, hooks=hooks, function=function)
        return AsyncSubscription(stream, self._inner.driver_state, function)

    def expect(self, domain: Domain, event: Lifecycle | str, *, timeout: float) -> "Expectation":
        """Listen for a lifecycle event of *domain* while an ``async with`` block runs.

        See ``virevents.Connection.expect``.
        """
        return Expectation(self, domain, event, timeout)

    async def stats(self) -> ConnectionStats:
        """Return figures of the connection, its driver and the threads it lives on."""
        return await self.call(self._inner.stats)

    async def close(self) -> bool:
        """Close the connection; see ``virevents.Connection.close``.

        Returns:
            Whether all its callbacks have ended.
        """
        if self._inner.is_foreign:
            return self._inner.close()
        self._inner.begin_close()
        finish = partial(self._inner.finish_close, may_wait=not is_in_callback())
        return await _elsewhere(self._inner.run_close, finish)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that may wait on a thread of the process's bounded pool.

        Raises:
            ClosedError: The connection is closed.
            ForkedError: It was opened by a parent process, whose threads are not here.
        """
        self._inner.reading()
        return await _elsewhere(self._inner.run_elsewhere, partial(function, *args, **kwargs))

    async def __aenter__(self) -> Self:
        """Return the connection."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.close()

    def __repr__(self) -> str:
        """Name it."""
        return f"<aio {self._inner!r}>"

    def _stream(
        self,
        event_id: EventIds,
        domain: Domain | None,
        only: Only | None,
        capacity: int,
        *,
        hooks: Hooks | None = None,
        function: AsyncCallback | None = None,
    ) -> AsyncEventStream[DomainEvent]:
        made: list[AsyncEventStream[DomainEvent]] = []
        inner = self._inner

        def deliver(record: Callback) -> AsyncEventStream[DomainEvent]:
            made.append(
                AsyncEventStream(
                    record,
                    capacity,
                    inner.driver_state,
                    inner.run_elsewhere,
                    has_runner=function is not None,
                )
            )
            return made[0]

        wanted = make_filter(event_id, None if domain is None else domain.uuid, only)
        inner.register(function or taken_from_a_stream, wanted, deliver, hooks=hooks)
        return made[0]


class Expectation:
    """An asynchronous context manager; made by ``Connection.expect``."""

    def __init__(
        self, connection: Connection, domain: Domain, event: Lifecycle | str, timeout: float
    ) -> None:
        self._connection: Final = connection
        self._domain: Final = domain
        self._word: Final = event
        self._what: Final = f"{domain.name} {event}"
        self._timeout: Final = timeout
        self._deadline = 0.0  # by the task in the block
        self._stream: AsyncEventStream[LifecycleEvent] | None = None  # by the task in the block
        self._event: LifecycleEvent | None = None  # by the task in the block

    @property
    def event(self) -> LifecycleEvent:
        """The event that came; there once the block has ended without an exception."""
        if self._event is None:
            raise InternalError(f"{self._what} has not come yet: read it after the block")
        return self._event

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._deadline = asyncio.get_running_loop().time() + self._timeout
        self._stream = self._connection.events(domain=self._domain, only={self._word})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the event, unless the block raised.

        Raises:
            ExpectTimeout: It did not come in time.
            ClosedError: The connection was closed first.
        """
        stream = self._stream
        if stream is None:
            return
        try:
            if kind is None:
                await self._wait(stream)
        finally:
            stream.close()

    async def _wait(self, stream: AsyncEventStream[LifecycleEvent]) -> None:
        try:
            async with asyncio.timeout_at(self._deadline):
                async for item in stream:
                    if not isinstance(item, Gap):
                        self._event = item
                        return
        except TimeoutError:
            raise ExpectTimeout(
                f"expected {self._what} within {self._timeout:g} s; it did not come"
            ) from None
        raise ClosedError(f"the connection was closed while {self._what} was expected")


class _Opening(Awaitable[Connection]):
    """What ``open`` returns: awaitable, and an asynchronous context manager."""

    def __init__(self, make: Callable[[], Awaitable[Connection]]) -> None:
        self._make: Final = make
        self._connection: Connection | None = None  # by the task in the block

    def __await__(self) -> Generator[object, None, Connection]:
        return self._make().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self._make()
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()


def open(uri: str, *, read_only: bool = False, timeout: float = 30.0) -> _Opening:
    """Give what opens a hypervisor when it is awaited, or entered by ``async with``.

    The arguments and errors are those of ``virevents.open``.
    """

    async def make() -> Connection:
        process = current_process()
        # The opening itself needs a thread that may wait; the process is entered for it.
        machinery = process.enter()

        def open_inner() -> threaded.Connection:
            try:
                return opening.open(uri, read_only=read_only, timeout=timeout)
            finally:
                process.leave(machinery, 0.0)

        # Nobody else could close it, if this is cancelled while it is being opened.
        inner = await _elsewhere(
            machinery.run_elsewhere, open_inner, on_untaken=threaded.Connection.close
        )
        return Connection(inner)

    return _Opening(make)


async def _elsewhere(
    run_elsewhere: Callable[[Callable[[], object]], None],
    function: Callable[[], T],
    on_untaken: Callable[[T], object] = lambda _: None,
) -> T:
    """Run *function* on a thread that may wait; what it returns or raises comes here.

    Args:
        run_elsewhere: Runs a function there.
        function: What to run.
        on_untaken: Run there with what it returned when nobody awaits it any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(value: T) -> None:
        if future.cancelled():
            run_elsewhere(lambda: on_untaken(value))
        else:
            future.set_result(value)

    def fail(error: BaseException) -> None:
        if not future.cancelled():
            future.set_exception(error)

    def run() -> None:
        try:
            value = function()
        except BaseException as error:  # noqa: BLE001  (raised again where it is awaited)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(fail, error)
            return
        try:
            loop.call_soon_threadsafe(deliver, value)
        except RuntimeError:  # likewise
            on_untaken(value)

    run_elsewhere(run)
    return await future
