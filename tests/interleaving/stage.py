# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the scenarios are played with: events, a domain, and a callback that remembers."""

from collections.abc import Callable
from typing import Final

from virevents.dispatch import Callback, EventState, Filter, Hooks, Pool, isolated
from virevents.model import (
    DomainEvent,
    DomainIdentity,
    Gap,
    Lifecycle,
    LifecycleEvent,
    StartedDetail,
)
from virevents.sync import DOMAIN, RankedLock
from virevents.testing.schedules import Run, start_loop

WEB1: Final = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 1)
UNBOUNDED: Final = 1_000


def event(time: float = 0.0) -> LifecycleEvent:
    """An event that was not pushed; its time may say which change it tells of."""
    return LifecycleEvent(WEB1, Lifecycle.STARTED, StartedDetail.BOOTED, time)


def numbered(*numbers: int) -> list[DomainEvent]:
    """Events as the queue gives them out."""
    made: list[DomainEvent] = []
    for number in numbers:
        one = event()
        object.__setattr__(one, "_sequence", number)
        made.append(one)
    return made


class Listener:
    """A user's callback with its hooks: remembers, and fails when called after its end."""

    def __init__(self, on_event: Callable[[DomainEvent], object] = lambda _: None) -> None:
        self.sequences: list[int] = []
        self.times: list[float] = []
        self.gaps: list[Gap] = []
        self.releases = 0
        self.is_inside = False
        self.must_not_run = False
        self._on_event: Final = on_event
        self.ends = 0
        hooks = Hooks(on_gap=self.gaps.append, on_release=self._on_release)
        self.callback: Final = Callback(
            self, Filter(), hooks=hooks, name="listener", after_release=self._after_release
        )

    def __call__(self, met: DomainEvent) -> None:
        assert not self.is_inside, "two calls of one subscription at once"
        assert not self.must_not_run, "called after close() returned True"
        assert not self.releases, "called after its release hook"
        self.is_inside = True
        self.sequences.append(met.sequence)
        self.times.append(met.time)
        self._on_event(met)
        assert not self.must_not_run, "close() returned True while a call was in flight"
        self.is_inside = False

    def _on_release(self) -> None:
        assert not self.is_inside, "released while a call was in flight"
        self.releases += 1

    def _after_release(self) -> None:
        self.ends += 1


class Shelf:
    """A domain that two threads change; every change is pushed under its lock."""

    def __init__(self, state: EventState) -> None:
        self._lock: Final = RankedLock(DOMAIN)
        self._state: Final = state
        self._changes = 0

    def change(self) -> None:
        """Change state and push, as a driver does."""
        with self._lock:
            self._changes += 1
            self._state.push(event(self._changes))

    def change_and_push_late(self) -> None:
        """The fault of 2008: push once the lock is let go."""
        with self._lock:
            self._changes += 1
            changes = self._changes
        self._state.push(event(changes))


def make_state(run: Run) -> EventState:
    """An event state on a loop thread of this schedule."""
    return EventState(start_loop(run))


def make_pool(core: int = 1, *, run: Run | None = None) -> Pool:
    """A pool; without a run it never grows."""
    if run is None:
        return Pool(lambda _delay, _function: None, core=core, can_grow=False, name="pool")
    return Pool(start_loop(run).call_later, core=core, name="pool")


def isolate(listener: Listener, pool: Pool, capacity: int = UNBOUNDED) -> Callable[[int], None]:
    """Put *listener* on a strand of its own; returns what hands it an event of that number."""
    strand = isolated(pool, listener.callback, capacity=capacity)
    listener.callback.delivery = strand
    return lambda number: strand(listener.callback, numbered(number))
