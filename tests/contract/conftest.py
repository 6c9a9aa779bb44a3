# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the contract share: a connection to the test driver, and what was heard."""

import threading
from collections.abc import Callable, Iterator

import pytest

import virevents
from virevents.model import DomainEvent, Gap, LifecycleEvent

PATIENCE = 20.0  # seconds; only a failing test uses them


class Heard:
    """A callback that keeps what it is called with, and can be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.items: list[DomainEvent | Gap | str] = []
        self.threads: list[str] = []

    def __call__(self, item: DomainEvent | Gap) -> None:
        with self._changed:
            self.items.append(item)
            self.threads.append(threading.current_thread().name)
            self._changed.notify_all()

    def note(self, word: str) -> None:
        """Keep a word of the test's own in the order of the rest."""
        with self._changed:
            self.items.append(word)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait until *count* items were heard."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.items) >= count, PATIENCE), self.items

    @property
    def events(self) -> list[LifecycleEvent]:
        """The lifecycle events among the items."""
        return [item for item in self.items if isinstance(item, LifecycleEvent)]

    @property
    def words(self) -> list[str]:
        """The events as words."""
        return [str(event.event) for event in self.events]

    @property
    def sequences(self) -> list[int]:
        """Their numbers."""
        return [event.sequence for event in self.events]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def conn() -> Iterator[virevents.Connection]:
    with virevents.open("test:///default") as connection:
        yield connection


@pytest.fixture
def domain(conn: virevents.Connection) -> virevents.Domain:
    return conn.lookup("test")


def flip(domain: virevents.Domain, times: int = 1) -> None:
    """Suspend and resume: two events each time."""
    for _ in range(times):
        domain.suspend()
        domain.resume()


def define(conn: virevents.Connection, number: int) -> virevents.Domain:
    """Define and start a domain of its own number."""
    made = conn.define(
        f"<domain type='test'><name>d{number}</name>"
        f"<uuid>11111111-0000-4000-8000-{number:012d}</uuid>"
        "<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
    )
    made.start()
    return made


def run_all(*functions: Callable[[], object]) -> None:
    """Run each in a thread of its own, and fail if one does not end or raises."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001  (shown below)
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert errors == []
