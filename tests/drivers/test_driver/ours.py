# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs operations on our test driver; what they led to has the form of ``stock_libvirt.py``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypedDict

import virevents
from tests.drivers.test_driver.operations import Argument, Operation
from virevents.errors import VireventsError
from virevents.model import LifecycleEvent

PATIENCE: Final = 30.0  # seconds; only a failing test uses them

Told = tuple[str, int, int, int]


class Outcome(TypedDict):
    """What one operation led to.

    Attributes:
        events: Name and id of the domain, numbers of event and detail.
        error: The error's code.
        domains: Name, uuid, state, reason, id, is persistent, has a managed save.
    """

    events: list[Told]
    error: int | None
    domains: list[list[str | int | bool]]


class Ours:
    """A connection and what it told."""

    def __init__(self, connection: virevents.Connection) -> None:
        self.connection = connection
        self.events: list[LifecycleEvent] = []
        self._subscription = connection.subscribe(self.events.append)

    def run(self, operation: Sequence[Argument]) -> Outcome:
        """Do one operation and wait for what it told."""
        error = self._do(*operation)
        assert self._subscription.drain(PATIENCE)
        told = [(e.domain.name, e.domain.id, int(e.event), int(e.detail)) for e in self.events]
        self.events.clear()
        return Outcome(events=told, error=error, domains=self._domains())

    def _do(self, verb: Argument, *arguments: Argument) -> int | None:
        named: dict[str, Argument] = {}
        if arguments and isinstance(arguments[-1], bool):
            keyword, value = KEYWORDS[str(verb)]
            arguments, named[keyword] = arguments[:-1], value
        try:
            target, rest = self._target(str(verb), arguments)
            operation: Callable[..., object] = getattr(target, str(verb))  # type: ignore[explicit-any]
            operation(*rest, **named)
        except VireventsError as error:
            return error.code
        return None

    def _target(
        self, verb: str, arguments: Sequence[Argument]
    ) -> tuple[virevents.Connection | virevents.Domain, Sequence[Argument]]:
        if verb in ON_CONNECTION:
            return self.connection, arguments
        return self.connection.lookup(str(arguments[0])), arguments[1:]

    def _domains(self) -> list[list[str | int | bool]]:
        return sorted(
            [d.name, d.uuid, *map(int, d.state()), d.id, d.is_persistent, d.has_managed_save]
            for d in self.connection.list()
        )


KEYWORDS: Final[dict[str, tuple[str, Argument]]] = {
    "create": ("paused", True),
    "start": ("paused", True),
    "core_dump": ("mode", "crash"),
}
ON_CONNECTION: Final = {"define", "create", "restore", "lookup", "lookup_uuid", "lookup_id"}


@contextmanager
def ours(uri: str = "test:///default") -> Iterator[Ours]:
    """Open our test driver."""
    with virevents.open(uri) as connection:
        yield Ours(connection)


def run_all(wanted: Sequence[Operation]) -> list[Outcome]:
    """Run all operations on a fresh driver."""
    with ours() as opened:
        return [opened.run(operation) for operation in wanted]
