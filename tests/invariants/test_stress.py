# SPDX-License-Identifier: LGPL-2.1-or-later
"""C3, C4 and C9 over the whole path: 8 threads change 8 domains, 20 subscribers come and go.

What each subscriber is told, events and gaps, must cover the numbers from its registration on
without a hole and without an overlap, and each domain must be told to be suspended and resumed
by turns. The full size is marked ``long``; a shortened one is in every run.
"""

import random
import sys
import threading
from collections.abc import Iterator
from typing import Final

import pytest

import virevents
from tests.dispatch.fakes import TIMEOUT
from virevents import Connection, Domain, Gap, Lifecycle, LifecycleEvent
from virevents.connection import Subscription
from virevents.errors import StateError

_DOMAINS: Final = 8
_THREADS: Final = 8
_PASSING: Final = 20
_FULL: Final = 200_000
_SHORT: Final = 8_000
_LONG_TIMEOUT: Final = 600.0
_UNLOSSY: Final = 2 * _FULL


class _Reader:
    """A subscriber: checks what it is told as it comes.

    Args:
        connection: Where it subscribes.
        capacity: The most events that wait for it.
        stops_after: After so many events it takes no more until it is let go; 0 for never.
    """

    def __init__(self, connection: Connection, capacity: int, stops_after: int = 0) -> None:
        self.delivered = 0
        self.told_lost = 0
        self.first = 0  # the first number that it was told of, in an event or a gap
        self.last = 0  # the newest
        self.releases = 0
        self.wrong: list[str] = []
        self.go = threading.Event()
        self.has_stopped = threading.Event()
        self._stops_after = stops_after
        self._states: dict[str, Lifecycle] = {}
        self.since = connection.stats().last_sequence
        self.subscription: Subscription = connection.subscribe(
            self._on_event, capacity=capacity, on_gap=self._on_gap, on_release=self._on_release
        )

    @property
    def covered(self) -> int:
        """How many numbers it was told of."""
        return self.last - self.first + 1 if self.first else 0

    def _on_event(self, event: LifecycleEvent) -> None:
        self._follow(event.sequence, event.sequence)
        name = event.domain.name
        if self._states.get(name) is event.event:
            self.wrong.append(f"{name} was {event.event} twice, at {event.sequence}")
        self._states[name] = event.event
        self.delivered += 1
        if self.delivered == self._stops_after:
            self.has_stopped.set()
            self.go.wait(_LONG_TIMEOUT)

    def _on_gap(self, gap: Gap) -> None:
        self._follow(gap.first, gap.last)
        self.told_lost += gap.count or 0
        self._states.clear()  # what is lost may be an odd number of turns

    def _follow(self, first: int, last: int) -> None:
        if self.last and first != self.last + 1:
            self.wrong.append(f"{first} follows {self.last}")
        self.first = self.first or first
        self.last = last

    def _on_release(self) -> None:
        self.releases += 1

    def check(self) -> None:
        """What holds for every subscriber, once it is closed."""
        stats = self.subscription.stats
        assert self.wrong == []
        assert self.subscription.is_closed
        assert self.releases == 1
        assert stats.errors == 0
        assert stats.delivered == self.delivered
        assert self.told_lost <= stats.dropped
        assert self.covered == self.delivered + self.told_lost


class _Storm:
    """Threads that suspend and resume domains until enough events were made."""

    def __init__(self, connection: Connection, events: int) -> None:
        self._connection = connection
        self._domains = [_make_domain(connection, number) for number in range(_DOMAINS)]
        self.first = connection.stats().last_sequence
        self._events = events
        self._made = [0] * _THREADS
        self._threads = [
            threading.Thread(target=self._change, args=(number,)) for number in range(_THREADS)
        ]

    @property
    def made(self) -> int:
        """How many events there are by now."""
        return sum(self._made)

    def _change(self, number: int) -> None:
        chance = random.Random(number)
        while self._made[number] < self._events // _THREADS:
            domain = chance.choice(self._domains)
            try:
                if chance.random() < 0.5:
                    domain.suspend()
                else:
                    domain.resume()
            except StateError:
                continue  # another thread was faster, or nobody changed it back
            self._made[number] += 1

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(_LONG_TIMEOUT)
        assert self.is_over()


def _make_domain(connection: Connection, number: int) -> Domain:
    return connection.create(
        f"<domain type='test'><name>d{number}</name><memory>1024</memory>"
        "<os><type>hvm</type></os></domain>"
    )


def _pass_by(connection: Connection, storm: _Storm, capacity: int) -> list[_Reader]:
    """Subscribe and close, twenty at a time and one after the other, while the storm lasts."""
    chance = random.Random(7)
    present = [_Reader(connection, capacity) for _ in range(_PASSING)]
    gone: list[_Reader] = []
    storm.start()
    while not storm.is_over():
        if len(present) < _PASSING:
            present.append(_Reader(connection, capacity))
        else:
            leaving = present.pop(chance.randrange(_PASSING))
            assert leaving.subscription.close(wait=True)
            gone.append(leaving)
    for reader in present:
        reader.subscription.close()
    return [*gone, *present]


def _check_stopped(stopped: list[_Reader], pushed: int, capacity: int) -> None:
    """Who is closed amid its events has these, those in the gap, and those that waited."""
    for reader in stopped:
        is_inside, stats = reader.has_stopped.is_set(), reader.subscription.stats
        reader.subscription.close(wait=False)
        reader.go.set()
        assert is_inside
        assert stats.delivered == 10
        assert stats.delivered + stats.dropped + stats.pending == pushed
        # In the mailbox, and in the hands of the worker, who took what was in it.
        assert stats.pending <= 2 * capacity


def _run(events: int, capacity: int) -> None:
    with virevents.open("test:///default") as connection:
        storm = _Storm(connection, events)
        steady = [_Reader(connection, capacity) for _ in range(3)]
        stopped = [_Reader(connection, capacity, stops_after=10) for _ in range(2)]
        passing = _pass_by(connection, storm, capacity)
        storm.join()
        pushed = connection.stats().last_sequence - storm.first
        assert pushed == storm.made
        assert all(reader.subscription.drain(_LONG_TIMEOUT) for reader in steady)
        _check_stopped(stopped, pushed, capacity)
        for reader in (*steady, *stopped):
            reader.subscription.close()
    for reader in (*steady, *stopped, *passing):
        reader.check()
    for reader in steady:
        assert reader.delivered + reader.told_lost == pushed
        assert reader.covered == pushed
        assert capacity < pushed or reader.told_lost == 0
    assert len(passing) >= _PASSING
    for reader in passing:
        assert not reader.first or reader.first > reader.since


@pytest.fixture
def switch_interval(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set how often threads take turns, for the length of a test."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(before)


_VARIANTS: Final = pytest.mark.parametrize(
    ("capacity", "switch_interval"),
    [
        pytest.param(_UNLOSSY, 0.005, id="nothing is lost"),
        pytest.param(100, 0.005, id="capacity 100"),
        pytest.param(_UNLOSSY, 1e-6, id="switching every microsecond"),
        pytest.param(100, 1e-6, id="capacity 100, switching every microsecond"),
    ],
    indirect=["switch_interval"],
)


@_VARIANTS
def test_c3_c4_c9_in_short(capacity: int, switch_interval: None) -> None:
    _run(_SHORT, capacity)


@pytest.mark.long
@pytest.mark.timeout(_LONG_TIMEOUT)
@_VARIANTS
def test_c3_c4_c9_for_200_000_events(capacity: int, switch_interval: None) -> None:
    _run(_FULL, capacity)


def test_a_reader_finds_holes_and_swaps() -> None:
    """The check itself would fail: a number left out, one told twice, two events swapped."""
    with virevents.open("test:///default") as connection:
        domain = connection.lookup("test")
        reader = _Reader(connection, 100)
        for change in (domain.suspend, domain.resume, domain.suspend):
            change()
        assert reader.subscription.drain(TIMEOUT)
        assert reader.wrong == []
        reader._follow(reader.last + 2, reader.last + 2)
        reader._follow(reader.last, reader.last)
        reader._states["test"] = Lifecycle.RESUMED
        domain.resume()
        assert reader.subscription.drain(TIMEOUT)
        assert len(reader.wrong) == 4  # the hole, the repetition, what follows them, the swap
        reader.subscription.close()
