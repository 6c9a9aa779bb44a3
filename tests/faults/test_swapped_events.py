# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: two threads swapped two events of one domain, pushing after the unlock."""

from typing import Final

import pytest

from tests.dispatch.fakes import resumed, suspended
from virevents.dispatch import EventQueue
from virevents.model import LifecycleEvent
from virevents.sync import DOMAIN, RankedLock
from virevents.testing.schedules import Run, ScheduleError, explore


class _Domain:
    """Changes its state and tells of it as our drivers do: under its lock."""

    def __init__(self, queue: EventQueue) -> None:
        self._queue: Final = queue
        self._lock: Final = RankedLock(DOMAIN)
        self.states: Final[list[str]] = []

    def change(self, state: str) -> None:
        event = suspended() if state == "suspended" else resumed()
        with self._lock:
            self.states.append(state)
            self._queue.push(event)


class _PushesLate(_Domain):
    """The planted fault: the lock is let go between the change and the push."""

    def change(self, state: str) -> None:
        event = suspended() if state == "suspended" else resumed()
        with self._lock:
            self.states.append(state)
        self._queue.push(event)


def check(kind: type[_Domain]) -> None:
    """Whatever the schedule, the events tell the states in the order in which they came."""

    def scenario(run: Run) -> None:
        queue = EventQueue(10, lambda: None)
        domain = kind(queue)
        run.thread(domain.change, "suspended", name="suspender")
        run.thread(domain.change, "resumed", name="resumer")

        def told() -> None:
            events = [event for event in queue.drain() if isinstance(event, LifecycleEvent)]
            assert [str(event.event) for event in events] == domain.states

        run.finally_(told)

    assert explore(scenario, preemptions=2).is_exhausted


def test_ours_pushes_under_the_lock() -> None:
    check(_Domain)


def test_a_planted_late_push_is_found() -> None:
    with pytest.raises(ScheduleError):
        check(_PushesLate)
