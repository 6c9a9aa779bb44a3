# SPDX-License-Identifier: LGPL-2.1-or-later
"""C8 and C9 over rooms: blocked callbacks delay nobody, and every event is accounted for."""

import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.dispatch.fakes import TIMEOUT, Listener, resumed, suspended
from virevents.dispatch import Callback, EventState, Filter, Hooks, Pool, isolated
from virevents.loop import LoopThread
from virevents.model import DomainEvent, DomainIdentity, Gap
from virevents.sync import Gate

_BLOCKED: Final = 64
_EVENTS: Final = 10_000


class _Machine:
    """A loop thread, a pool and an event state: all that a driver lives on."""

    def __init__(self, core: int = 4) -> None:
        self._thread = LoopThread("loop of the machine")
        self.pool = Pool(self._thread.loop.call_later, core=core)
        self.state = EventState(self._thread.loop)
        self._thread.start()

    def subscribe(self, listener: Listener, capacity: int = 2 * _EVENTS) -> None:
        delivery = isolated(self.pool, listener.callback, capacity=capacity)
        self.state.register(listener.callback, delivery)

    def drain(self, listener: Listener) -> bool:
        """Return when all that was pushed has reached *listener*."""
        gate = Gate("the delivery")
        self.state.mark(listener.callback, gate)
        return gate.wait(TIMEOUT)

    def end(self) -> None:
        self.state.close()
        assert self.pool.stop().wait(TIMEOUT)
        assert self._thread.stop(TIMEOUT)


@pytest.fixture
def machine() -> Iterator[_Machine]:
    made = _Machine()
    yield made
    made.end()


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Another thread's turn as often as the interpreter can give it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_c8_the_65th_gets_everything_while_64_are_blocked(machine: _Machine) -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def hang(_: DomainEvent) -> None:
        inside.release()
        go.wait()

    hanging = [Listener(on_event=hang) for _ in range(_BLOCKED)]
    live = Listener()
    for listener in (*hanging, live):
        machine.subscribe(listener)
    machine.state.push(suspended())
    assert all(inside.acquire(timeout=TIMEOUT) for _ in hanging)
    for _ in range(_EVENTS - 1):
        machine.state.make_room()
        machine.state.push(suspended())
    is_through = machine.drain(live)
    counts = [len(listener.events) for listener in hanging]
    go.set()
    assert is_through
    assert live.sequences == list(range(1, _EVENTS + 1))
    assert counts == [1] * _BLOCKED
    machine.state.close()
    assert all(listener.callback.released.wait(TIMEOUT) for listener in (*hanging, live))
    assert all(listener.releases == 1 for listener in hanging)


def _hanging(hook: str, hang: Callable[[*tuple[object, ...]], None]) -> Callback:
    def fail(_: DomainEvent) -> None:
        raise KeyError("a user's fault")

    def succeed(_: DomainEvent) -> None:
        """Do nothing."""

    hooks = Hooks(**{hook: hang})
    return Callback(fail if hook == "on_error" else succeed, Filter(), hooks=hooks)


@pytest.mark.parametrize("hook", ["on_gap", "on_error", "on_release"])
def test_c8_blocked_hooks_delay_nobody(machine: _Machine, hook: str) -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def hang(*_: object) -> None:
        inside.release()
        go.wait()

    hanging = [_hanging(hook, hang) for _ in range(8)]
    live = Listener()
    for callback in hanging:
        delivery = isolated(machine.pool, callback, capacity=1)
        machine.state.register(callback, delivery)
        if hook == "on_gap":
            delivery.add_gap(Gap(1, 1, 1))
    machine.subscribe(live)
    machine.state.push(suspended())
    if hook == "on_release":
        for callback in hanging:
            machine.state.deregister(callback)
    is_inside = all(inside.acquire(timeout=TIMEOUT) for _ in hanging)
    for _ in range(100):
        machine.state.push(suspended())
    is_through = machine.drain(live)
    go.set()
    assert (is_inside, is_through) == (True, True)
    assert live.sequences == list(range(1, 102))


def test_c6_hooks_come_once_and_in_their_places(machine: _Machine) -> None:
    def fail(event: DomainEvent) -> None:
        if event.sequence % 2:
            raise SystemExit(event.sequence)

    listeners = [Listener(on_event=fail) for _ in range(5)]
    for listener in listeners:
        machine.subscribe(listener)
    for _ in range(10):
        machine.state.push(suspended())
    assert all(machine.drain(listener) for listener in listeners)
    machine.state.close()
    for listener in listeners:
        assert listener.callback.released.wait(TIMEOUT)
        assert [str(error) for error in listener.errors] == ["1", "3", "5", "7", "9"]
        assert listener.told[-1] == "released"
        assert listener.releases == 1


def test_c9_delivered_lost_and_pending_are_what_was_put(machine: _Machine) -> None:
    """The reader stops in its third event; it is closed with its mailbox full."""
    go, inside = threading.Event(), threading.Event()

    def stop_in_the_third(event: DomainEvent) -> None:
        if event.sequence == 3:
            inside.set()
            assert go.wait(TIMEOUT)

    listener, witness = Listener(on_event=stop_in_the_third), Listener()
    machine.subscribe(listener, capacity=100)
    machine.subscribe(witness)
    for _ in range(3):
        machine.state.push(suspended())
    assert inside.wait(TIMEOUT)
    for _ in range(1_000):
        machine.state.push(suspended())
    assert machine.drain(witness)
    delivery = listener.callback.delivery
    assert delivery is not None
    assert (delivery.put, delivery.lost) == (1_003, 900)
    assert listener.callback.begun == 3
    go.set()
    assert machine.drain(listener)
    assert listener.sequences == [1, 2, 3, *range(904, 1_004)]
    assert listener.gaps == [Gap(4, 903, 900)]


class _Accounted(Listener):
    """Checks the order and adds up what it is told; does a little work now and then."""

    def __init__(self, seed: int) -> None:
        super().__init__(on_event=self._work)
        self._random = random.Random(seed)
        self.last: dict[str, float] = {}

    def _work(self, event: DomainEvent) -> None:
        name = event.domain.name
        assert event.time > self.last.get(name, 0.0), "an event of one domain came out of order"
        self.last[name] = event.time
        for _ in range(self._random.randrange(30)):
            pass

    @property
    def lost(self) -> int:
        return sum(gap.count or 0 for gap in self.gaps)


class _Domain:
    """A domain that one thread changes; the time of an event counts its changes."""

    def __init__(self, number: int, state: EventState) -> None:
        self._identity = DomainIdentity(f"d{number}", f"uuid {number}", number)
        self._state = state

    def change(self, times: int) -> None:
        for count in range(1, times + 1):
            self._state.make_room()
            make = suspended if count % 2 else resumed
            self._state.push(make(self._identity, float(count)))


def _come_and_go(machine: _Machine, passing: list[_Accounted], capacity: int) -> None:
    for number, listener in enumerate(passing, 1):
        machine.subscribe(listener, capacity)
        machine.state.push(suspended(DomainIdentity("visitor", "visitor", 99), float(number)))
        machine.state.deregister(listener.callback)


def _run_all(work: list[threading.Thread]) -> None:
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(TIMEOUT)


@pytest.mark.parametrize("capacity", [100, 100_000])
def test_c3_c4_c9_under_a_switch_interval_of_a_microsecond(
    machine: _Machine, capacity: int, switching_often: None
) -> None:
    changes, threads = 150, 4
    steady = [_Accounted(seed) for seed in range(6)]
    passing = [_Accounted(100 + seed) for seed in range(20)]
    for listener in steady:
        machine.subscribe(listener, capacity)
    domains = [_Domain(number, machine.state) for number in range(threads)]
    work = [threading.Thread(target=domain.change, args=(changes,)) for domain in domains]
    work.append(threading.Thread(target=_come_and_go, args=(machine, passing, capacity)))
    _run_all(work)
    pushed = machine.state.queue.last_sequence
    assert pushed == threads * changes + len(passing)
    for listener in steady:
        assert machine.drain(listener)
        assert len(listener.events) + listener.lost == pushed
        assert listener.callback.errors == 0
        assert capacity < pushed or listener.sequences == list(range(1, pushed + 1))
    for listener in passing:
        assert listener.callback.released.wait(TIMEOUT)
        assert (listener.releases, listener.callback.errors) == (1, 0)
        assert listener.sequences == sorted(set(listener.sequences))
