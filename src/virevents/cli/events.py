# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virevents events``: show events as they come, of any number of hypervisors.

It stands apart from the other verbs because it listens.

Confined to the asyncio loop of the main thread: one stream a hypervisor, one task a stream. So
the events of one hypervisor stay in order, no two lines mix, and a reader of our output that is
slow fills bounded streams, which then say what was lost.

Invariants, each with a test of its name in ``tests/cli/test_events.py``:
    exactly_count   with ``--count N`` N events are printed, however fast more come
    gaps_shown      lost events are said in their place
    ordered         the events of each hypervisor are in order
"""

import asyncio
import contextlib
import logging
import math
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import typer

import virevents
from virevents.cli.connecting import (
    Connect,
    chosen_uri,
    failed_to_connect,
    find_async,
    named_uri,
)
from virevents.cli.ends import FAILED, TERMINATED, Fail, OutputClosed
from virevents.cli.printing import as_json, as_text, print_line
from virevents.errors import VireventsError
from virevents.model import DomainEvent, EventId, Gap, Lifecycle, WireEnum

__all__ = ["events"]

W = TypeVar("W", bound=WireEnum)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to listen for, and where."""

    uris: tuple[str, ...]
    event_ids: frozenset[EventId]
    only: frozenset[Lifecycle] | None
    domains: tuple[str, ...]
    timeout: float | None


def _complete_event(incomplete: str) -> Iterator[str]:
    return (word for word in ["all", *map(str, EventId)] if word.startswith(incomplete))


def _complete_only(incomplete: str) -> Iterator[str]:
    before, comma, begun = incomplete.rpartition(",")
    return (f"{before}{comma}{one}" for one in map(str, Lifecycle) if one.startswith(begun))


def _finite(seconds: float | None) -> float | None:
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter("expected a number of seconds")
    return seconds


def events(
    context: typer.Context,
    uris: Annotated[
        list[str] | None, typer.Argument(metavar="[URI]...", help="Hypervisors to listen to.")
    ] = None,
    *,
    domain: Annotated[
        list[str] | None, typer.Option(help="Of this domain only (id, uuid, name); repeatable.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Of this event id; repeatable, or with commas; all for every one.",
            autocompletion=_complete_event,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT,...",
            help="Of lifecycle these only: started,stopped.",
            autocompletion=_complete_only,
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, metavar="N", help="End after N events.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", callback=_finite, help="End after S seconds."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    timestamp: Annotated[bool, typer.Option("--timestamp", help="Show times.")] = False,
    list_ids: Annotated[bool, typer.Option("--list", help="List the event ids.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what is done.")] = False,
    connect: Connect = None,
) -> None:
    """Show events as they come, until Ctrl-C, --count or --timeout.

    With --count the exit status is 0 after N events, and 1 when --timeout came first.
    """
    if list_ids:
        for one in EventId:
            print_line(str(one))
        return
    if verbose:
        logging.getLogger("virevents").setLevel(logging.INFO)
    named = named_uri(context, connect)
    hosts = dict.fromkeys([*([named] if named else []), *(uris or [])])
    wanted = _Wanted(
        uris=tuple(hosts) or (chosen_uri(context, connect),),
        event_ids=_event_ids(event),
        only=None if only is None else _parsed(Lifecycle, only.split(","), "--only"),
        domains=tuple(domain or ()),
        timeout=timeout,
    )
    show = _Show(_make_line(wanted, json=json, timestamp=timestamp), count, verbose=verbose)
    asyncio.run(_listen_until_told(wanted, show))
    if show.is_terminated:
        raise typer.Exit(TERMINATED)
    if show.is_short:
        raise typer.Exit(FAILED)


def _event_ids(given: list[str] | None) -> frozenset[EventId]:
    words = [word for one in given or ["lifecycle"] for word in one.split(",")]
    return frozenset(EventId) if "all" in words else _parsed(EventId, words, "--event")


def _parsed(kind: type[W], words: Collection[str], option: str) -> frozenset[W]:
    try:
        return frozenset(kind.parse(word) for word in words)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _make_line(
    wanted: _Wanted, *, json: bool, timestamp: bool
) -> Callable[[str, DomainEvent | Gap], str]:
    def line(uri: str, item: DomainEvent | Gap) -> str:
        if json:
            return as_json(uri, item)
        prefix = f"{uri} " if len(wanted.uris) > 1 else ""
        return as_text(item, prefix=prefix, with_time=timestamp)

    return line


class _Show:
    """What is printed, and when it is enough."""

    def __init__(
        self,
        line: Callable[[str, DomainEvent | Gap], str],
        most: int | None,
        *,
        verbose: bool,
    ) -> None:
        self._line: Final = line
        self._most: Final = most
        self._is_verbose: Final = verbose
        self._shown = 0  # loop thread only
        self.is_terminated = False  # one way: False to True, read without

    @property
    def is_enough(self) -> bool:
        """Whether as many as wanted were printed."""
        return self._most is not None and self._shown >= self._most

    @property
    def is_short(self) -> bool:
        """Whether fewer were printed than wanted."""
        return self._most is not None and not self.is_enough

    def item(self, uri: str, item: DomainEvent | Gap) -> None:
        """Print an event, or a gap, which does not count."""
        print_line(self._line(uri, item))
        self._shown += not isinstance(item, Gap)

    def listening(self, uri: str) -> None:
        """Say that events come from now on, where the user wants to know."""
        if self._is_verbose:
            typer.echo(f"virevents: listening to {uri}", err=True)


class _Host:
    """One hypervisor that is listened to."""

    def __init__(self, connection: virevents.aio.Connection, wanted: _Wanted) -> None:
        self._uri: Final = connection.uri
        self._wanted: Final = wanted
        # Listening begins before the domains are looked up, so none of their events is missed.
        self.stream: Final = connection.events(event_id=wanted.event_ids, only=wanted.only)
        self._uuids: frozenset[str] | None = None  # loop thread only; None for every domain

    async def begin(self, connection: virevents.aio.Connection) -> None:
        """Look the wanted domains up."""
        if self._wanted.domains:
            found = [await find_async(connection, name) for name in self._wanted.domains]
            self._uuids = frozenset(one.uuid for one in found)

    async def show(self, show: _Show, hosts: Collection["_Host"]) -> None:
        """Print what comes, until the stream ends or it is enough."""
        async for item in self.stream:
            if isinstance(item, Gap) or self._uuids is None or item.domain.uuid in self._uuids:
                show.item(self._uri, item)
            if show.is_enough:
                for host in hosts:
                    host.stream.close()
                return


async def _listen_until_told(wanted: _Wanted, show: _Show) -> None:
    """Listen; SIGTERM ends it as Ctrl-C does, by cancelling, so that no step is cut in two."""
    listening = asyncio.ensure_future(_listen(wanted, show))

    def terminate() -> None:
        show.is_terminated = True
        listening.cancel()

    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        await listening
    except asyncio.CancelledError:
        if not show.is_terminated:
            raise


async def _listen(wanted: _Wanted, show: _Show) -> None:
    async with AsyncExitStack() as stack:
        hosts = []
        for uri in wanted.uris:
            try:
                connection = await stack.enter_async_context(
                    virevents.aio.open(uri, read_only=True)
                )
            except VireventsError as error:
                raise failed_to_connect(uri, error) from error
            host = _Host(connection, wanted)
            try:
                await host.begin(connection)
            except VireventsError as error:
                raise Fail(str(error)) from error
            hosts.append(host)
            show.listening(uri)
        await _until_enough(wanted, show, hosts)


async def _until_enough(wanted: _Wanted, show: _Show, hosts: Collection[_Host]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wanted.timeout):
            await _show_all(show, hosts)


async def _show_all(show: _Show, hosts: Collection[_Host]) -> None:
    failed: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as tasks:
            for host in hosts:
                tasks.create_task(host.show(show, hosts))
    except* (OutputClosed, Fail) as group:
        failed.extend(group.exceptions)
    if failed:  # not raised up there: Python 3.11.2 would put it into a group again
        raise failed[0]  # the first to fail ended the others
