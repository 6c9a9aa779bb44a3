# SPDX-License-Identifier: LGPL-2.1-or-later
"""C2: no lock of ours is held while user code runs."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator

import pytest
from typing_extensions import override  # in typing from Python 3.12

import virevents
from tests.connection.asyncio_runs import run, soon
from tests.connection.harness import Signal
from tests.contract.stage import THREADED, URI, Blocked, Threaded, busy_loop, change
from virevents import DomainEvent, Gap, LifecycleEvent, aio
from virevents.sync.threads import this_thread


class Witness:
    """Callback and hooks that look which locks their thread holds."""

    def __init__(self) -> None:
        self.held: list[object] = []
        self.places: set[str] = set()
        self.released = Signal("the release hook")

    def _look(self, place: str) -> None:
        self.held.extend(this_thread.held)
        self.places.add(place)

    def on_event(self, _: DomainEvent) -> None:
        self._look("callback")
        raise ValueError("for the error hook")

    def on_gap(self, _: Gap) -> None:
        self._look("on_gap")

    def on_error(self, *_: object) -> None:
        self._look("on_error")

    def on_release(self) -> None:
        self._look("on_release")
        self.released.set()


@pytest.mark.parametrize("delivery", THREADED)
def test_c2_no_lock_is_held_in_a_callback_or_a_hook(
    delivery: Threaded, conn: virevents.Connection, domain: virevents.Domain
) -> None:
    witness = Witness()
    with busy_loop(conn):
        subscription = conn.subscribe(
            witness.on_event,
            delivery=delivery,
            capacity=1,
            on_gap=witness.on_gap,
            on_error=witness.on_error,
            on_release=witness.on_release,
        )
        change(domain, 2)
    assert subscription.drain(20)
    subscription.close()
    expected = {"callback", "on_error", "on_release"}
    assert witness.places == (expected | {"on_gap"} if delivery == "isolated" else expected)
    assert witness.held == []


def test_c2_no_lock_is_held_in_a_hook_whoever_ends_the_subscription(
    domain: virevents.Domain,
) -> None:
    for delivery in THREADED:
        for is_waiting in (True, False):
            witness = Witness()
            with virevents.open(URI) as conn:
                subscription = conn.subscribe(
                    lambda _: None, delivery=delivery, on_release=witness.on_release
                )
                if is_waiting:
                    subscription.close(wait=False)
            witness.released.wait()
            assert witness.held == []


def test_c2_no_lock_is_held_on_an_asyncio_loop() -> None:
    async def main() -> Witness:
        witness = Witness()
        loop = asyncio.get_running_loop()
        async with aio.open(URI) as conn:
            test = await conn.lookup("test")
            async with conn.subscribe(
                witness.on_event, on_error=witness.on_error, on_release=witness.on_release
            ):
                await test.suspend()
                await test.resume()
            plain = await asyncio.to_thread(virevents.open, URI)
            plain.subscribe(
                witness.on_event,
                delivery=loop,
                on_error=witness.on_error,
                on_release=witness.on_release,
            )
            await asyncio.to_thread(plain.lookup("test").suspend)
            assert await soon(asyncio.to_thread(plain.close))
        return witness

    witness = run(main)
    assert witness.places == {"callback", "on_error", "on_release"}
    assert witness.held == []


class LogWatch(logging.Handler):
    """A user's log handler."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.held: list[object] = []
        self.texts: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.held.extend(this_thread.held)
        self.texts.append(record.getMessage())


@pytest.fixture
def log_watch() -> Iterator[LogWatch]:
    watch = LogWatch()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(watch)
    yield watch
    root.removeHandler(watch)
    root.setLevel(level)


def test_c2_no_log_call_is_made_under_a_lock(log_watch: LogWatch) -> None:
    def fail(_: LifecycleEvent) -> None:
        raise ValueError("for the log")

    blocked, released = Blocked(), Signal("the release hook")
    conn = virevents.open(URI)
    domain = conn.lookup("test")
    conn.subscribe(fail)
    conn.subscribe(fail, delivery="direct")
    conn.subscribe(blocked, on_release=released.set)
    with busy_loop(conn):
        lossy = conn.subscribe(lambda _: None, capacity=1)
        change(domain, 2)
    assert lossy.drain(20)
    blocked.inside.wait()
    assert not conn.close(timeout=0.05)
    blocked.go_on.set()
    released.wait()
    said = "\n".join(log_watch.texts)
    for expected in ("raised ValueError", "lost events", "had not returned"):
        assert expected in said
    assert log_watch.held == []


def test_c2_what_is_taken_out_under_a_lock_is_let_go_of_after_it(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    """The last reference to an event may run a finalizer: by overflow, close and the end."""
    held: list[object] = []
    gone: list[int] = []
    watched: list[weakref.ref[LifecycleEvent]] = []

    def on_gone(_: weakref.ref[LifecycleEvent]) -> None:
        held.extend(this_thread.held)
        gone.append(1)

    blocked = Blocked()
    conn.subscribe(lambda e: watched.append(weakref.ref(e, on_gone)), delivery="direct")
    lossy = conn.subscribe(blocked, capacity=2)
    full = conn.subscribe(blocked)
    stream = conn.events(capacity=2)
    change(domain, 5)
    blocked.inside.wait()
    with conn.expect(domain, "suspended", timeout=20):
        domain.suspend()
    lossy.close(wait=False)
    full.close(wait=False)
    stream.close()
    with busy_loop(conn):
        change(conn.create("<domain type='test'><name>a</name><memory>1</memory>"
                           "<os><type>hvm</type></os></domain>"), 3)  # fmt: skip
        blocked.go_on.set()
    conn.close()
    assert len(watched) >= 11
    gc.collect()  # what waits for an event is a cycle until then
    assert len(gone) == len(watched)
    assert held == []
