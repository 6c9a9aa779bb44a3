# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the dispatcher's tests are played with: a loop turned by hand, events, a listener."""

import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

from virevents.dispatch import Callback, Filter, Hooks, Pool, Runnable
from virevents.errors import LoopStoppedError
from virevents.model import (
    DomainEvent,
    DomainIdentity,
    Gap,
    Lifecycle,
    LifecycleEvent,
    RebootEvent,
    ResumedDetail,
    SuspendedDetail,
)
from virevents.model.event import number

T = TypeVar("T")

TIMEOUT: Final = 20.0
"""For waits that end at once unless the test fails, in seconds."""

WEB1: Final = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 1)
WEB2: Final = DomainIdentity("web2", "00000000-0000-0000-0000-000000000002", 2)


def suspended(domain: DomainIdentity = WEB1, time: float = 0.0) -> LifecycleEvent:
    """An event that was not pushed."""
    return LifecycleEvent(domain, Lifecycle.SUSPENDED, SuspendedDetail.PAUSED, time)


def resumed(domain: DomainIdentity = WEB1, time: float = 0.0) -> LifecycleEvent:
    """Another."""
    return LifecycleEvent(domain, Lifecycle.RESUMED, ResumedDetail.UNPAUSED, time)


def rebooted(domain: DomainIdentity = WEB1) -> RebootEvent:
    """One of another kind."""
    return RebootEvent(domain, 0.0)


def numbered(*events: DomainEvent, first: int = 1) -> list[DomainEvent]:
    """*events* as the queue gives them out."""
    for sequence, event in enumerate(events, first):
        number(event, sequence)
    return list(events)


def batch(count: int, first: int = 1) -> list[DomainEvent]:
    """*count* events as the queue gives them out."""
    return numbered(*(suspended() for _ in range(count)), first=first)


class _Waker:
    def __init__(self, loop: "ManualLoop", function: Callable[[], None]) -> None:
        self._loop: Final = loop
        self.function: Callable[[], None] | None = function
        self.nudges = 0

    def __call__(self) -> None:
        if self not in self._loop.asked:
            self._loop.asked.append(self)

    def nudge(self) -> None:
        self.nudges += 1
        self()

    def close(self) -> None:
        self.function = None


class _Timer:
    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        self.function = None


class ManualLoop:
    """A ``Loop`` that does something only when it is turned, on the thread that turns it."""

    def __init__(self) -> None:
        self.name: Final = "manual loop"
        self.asked: Final[deque[_Waker]] = deque()
        self.wakers: Final[list[_Waker]] = []
        self.calls: Final[deque[Callable[[], None]]] = deque()
        self.timers: Final[deque[_Timer]] = deque()
        self.delays: Final[list[float]] = []
        self.is_stopped = False

    def is_current(self) -> bool:
        return False

    def call(self, function: Callable[[], None]) -> None:
        if self.is_stopped:
            raise LoopStoppedError("manual loop has stopped")
        self.calls.append(function)

    def call_later(self, delay: float, function: Callable[[], None]) -> _Timer:
        if self.is_stopped:
            raise LoopStoppedError("manual loop has stopped")
        self.delays.append(delay)
        timer = _Timer(function)
        self.timers.append(timer)
        return timer

    def make_waker(self, function: Callable[[], None]) -> _Waker:
        self.wakers.append(_Waker(self, function))
        return self.wakers[-1]

    def run(
        self, make: Callable[[], Coroutine[object, object, T]], *, timeout: float, what: str
    ) -> T:
        raise NotImplementedError

    def turn(self) -> int:
        """Run what is asked for now; returns how much that was."""
        asked = list(self.asked)
        self.asked.clear()
        for waker in asked:
            if waker.function is not None:
                waker.function()
        return len(asked)

    def turn_until_idle(self) -> None:
        """Run until nothing is asked for; a loop that never rests fails."""
        for _ in range(10_000):
            if not self.turn():
                return
        raise AssertionError("the loop never rests")

    def fire_timers(self) -> int:
        """Let all timers that are set now fire; returns how many there were."""
        due = list(self.timers)
        self.timers.clear()
        for timer in due:
            if timer.function is not None:
                timer.function()
        return len(due)


class HandPool(Pool):
    """A pool without threads: what is made ready is run by hand."""

    def __init__(self) -> None:
        super().__init__(lambda _delay, _function: None, core=1, can_grow=False)
        self.stop()  # nothing to give back when a test is done with it
        self.line: Final[deque[Runnable]] = deque()

    def ready(self, strand: Runnable) -> None:
        self.line.append(strand)

    def run_next(self) -> None:
        self.line.popleft().run()

    def run_all(self) -> None:
        while self.line:
            self.run_next()


class Listener:
    """A user's callback with all its hooks: remembers what it was told, and on which thread."""

    def __init__(
        self,
        on_event: Callable[[DomainEvent], object] = lambda _: None,
        wanted: Filter | None = None,
        owner: object = None,
    ) -> None:
        self.events: list[DomainEvent] = []
        self.told: list[object] = []  # events, gaps, and "released", in order
        self.errors: list[BaseException] = []
        self.threads: set[str] = set()
        self._on_event: Final = on_event
        self.callback: Final = Callback(
            self,
            wanted or Filter(),
            owner=owner,
            hooks=Hooks(on_gap=self._on_gap, on_error=self._on_error, on_release=self._on_release),
            name="listener",
        )

    @property
    def sequences(self) -> list[int]:
        """The numbers of the events it was called with."""
        return [event.sequence for event in self.events]

    @property
    def releases(self) -> int:
        """How often it was released."""
        return self.told.count("released")

    @property
    def gaps(self) -> list[Gap]:
        """The gaps it was told of."""
        return [item for item in self.told if isinstance(item, Gap)]

    def __call__(self, event: DomainEvent) -> None:
        self.threads.add(threading.current_thread().name)
        self.events.append(event)
        self.told.append(event)
        self._on_event(event)

    def _on_gap(self, gap: Gap) -> None:
        self.told.append(gap)

    def _on_error(self, _event: DomainEvent, error: BaseException) -> None:
        self.errors.append(error)

    def _on_release(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.told.append("released")
