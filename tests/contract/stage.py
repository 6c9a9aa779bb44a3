# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the parts of the contract are played with: changes, callbacks that block, a busy loop."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

import virevents
from tests.connection.harness import Running, Signal
from virevents import DomainEvent, LifecycleEvent

URI: Final = "test:///default"
XML: Final = (
    "<domain type='test'><name>web9</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)

Threaded: TypeAlias = Literal["isolated", "direct"]
THREADED: Final[tuple[Threaded, ...]] = ("isolated", "direct")


def change(domain: virevents.Domain, times: int = 1) -> None:
    """Suspend and resume: two events each time."""
    for _ in range(times):
        domain.suspend()
        domain.resume()


class Recorder:
    """A callback that remembers what it was called with."""

    def __init__(self) -> None:
        self.events: Final[list[LifecycleEvent]] = []

    def __call__(self, event: LifecycleEvent) -> None:
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.sequence for event in self.events]

    @property
    def words(self) -> list[str]:
        return [str(event.event) for event in self.events]


class Blocked:
    """A callback that is inside until it is let go."""

    def __init__(self) -> None:
        self.inside: Final = Signal("the call")
        self.go_on: Final = Signal("the end of the call")
        self.numbers: Final[list[int]] = []

    def __call__(self, event: DomainEvent) -> None:
        self.inside.set()
        self.go_on.wait()
        self.numbers.append(event.sequence)


@contextmanager
def busy_loop(conn: virevents.Connection) -> Iterator[None]:
    """Block the library's loop thread with a direct callback, so that no flush runs."""
    blocked = Blocked()
    domain = conn.create(XML.replace("web9", "blocker"))
    subscription = conn.subscribe(blocked, delivery="direct", domain=domain, only={"suspended"})
    domain.suspend()
    blocked.inside.wait()
    try:
        yield
    finally:
        blocked.go_on.set()
        subscription.close()


@contextmanager
def changing(uri: str = URI, threads: int = 8) -> Iterator[None]:
    """Have many threads suspend and resume the domain ``test`` during the block."""
    stop = threading.Event()

    def work() -> None:
        with virevents.open(uri) as conn:
            domain = conn.lookup("test")
            while not stop.is_set():
                # Another thread may have been faster: then the state does not allow it.
                with contextlib.suppress(virevents.StateError):
                    domain.suspend()
                with contextlib.suppress(virevents.StateError):
                    domain.resume()

    running = [Running(work) for _ in range(threads)]
    try:
        yield
    finally:
        stop.set()
        for thread in running:
            thread.result()
