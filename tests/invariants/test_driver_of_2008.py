# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver of the shape of 2008: its one lock is held over the flush, given up round each call.

The question of that rework's reviewer, as a test: callbacks have to look the domain up again,
which takes the driver's lock; why does that not deadlock? Because ``unlocked(lock)`` gives it up.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.dispatch.fakes import TIMEOUT, WEB1, WEB2
from virevents.dispatch import (
    Callback,
    CallbackRegistry,
    DispatchFunc,
    EventQueue,
    Filter,
    Hooks,
    dispatch_default,
    dispatch_queue,
    unlocked,
)
from virevents.errors import DomainNotFoundError, LockOrderError
from virevents.loop import Loop, LoopThread
from virevents.model import (
    DomainEvent,
    DomainIdentity,
    Lifecycle,
    LifecycleEvent,
    ResumedDetail,
    SuspendedDetail,
)
from virevents.sync import DRIVER, Gate, Lock, RankedLock


class _Domain:
    """A domain of that driver; all of it is guarded by the driver's lock."""

    def __init__(self, identity: DomainIdentity) -> None:
        self.identity: Final = identity
        self.is_running = True


class _DriverOf2008:
    """One lock, one queue, one list of callbacks, one timer.

    Args:
        loop: Its timer's.
        dispatch_func: Made of the lock: how callbacks are called from the flush.
    """

    def __init__(self, loop: Loop, dispatch_func: Callable[[Lock], DispatchFunc]) -> None:
        self.lock: Final = RankedLock(DRIVER)
        self._dispatch_func: Final = dispatch_func(self.lock)
        self._timer: Final = loop.make_waker(self.flush)
        self._queue: Final = EventQueue(100, self._timer)
        self.registry: Final = CallbackRegistry(self._queue.start)
        self._domains: Final = {one.name: _Domain(one) for one in (WEB1, WEB2)}

    def lookup(self, name: str) -> _Domain:
        with self.lock:
            if name not in self._domains:
                raise DomainNotFoundError(f"no domain with matching name {name!r}")
            return self._domains[name]

    def suspend(self, domain: _Domain) -> None:
        self._change(domain, Lifecycle.SUSPENDED, is_running=False)

    def resume(self, domain: _Domain) -> None:
        self._change(domain, Lifecycle.RESUMED, is_running=True)

    def _change(self, domain: _Domain, event: Lifecycle, *, is_running: bool) -> None:
        detail = ResumedDetail.UNPAUSED if is_running else SuspendedDetail.PAUSED
        with self.lock:
            if domain.is_running is not is_running:
                domain.is_running = is_running
                self._queue.push(LifecycleEvent(domain.identity, event, detail, 0.0))

    def register(self, function: Callable[[DomainEvent], object], freed: Gate) -> Callback:
        callback = Callback(function, Filter(), hooks=Hooks(on_release=freed.open))
        self.registry.add(callback)
        return callback

    def deregister(self, callback: Callback) -> None:
        """Only mark: the flush that is under way, or the next one, purges."""
        self.registry.mark_deleted(callback)
        self._timer()

    def flush(self) -> None:
        """The timer's function: the driver's lock is held throughout, as it was in 2008."""
        with self.lock:
            dispatch_queue(self._queue, self.registry, self._dispatch_func)
        self.registry.purge_marked()

    def close(self) -> None:
        self._timer.close()
        self._queue.close()
        self.registry.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop that runs."""
    thread = LoopThread("loop of 2008")
    thread.start()
    yield thread.loop
    assert thread.stop(TIMEOUT)


def test_a_callback_looks_up_suspends_deregisters_itself_and_registers_another(
    loop: Loop,
) -> None:
    driver = _DriverOf2008(loop, unlocked)
    seen: list[tuple[str, str, str]] = []
    gates = {name: Gate(name) for name in ("first was freed", "second was freed", "told")}

    def note(who: str, event: DomainEvent) -> None:
        assert isinstance(event, LifecycleEvent)
        seen.append((who, event.domain.name, str(event.event)))

    def second(event: DomainEvent) -> None:
        note("second", event)
        gates["told"].open()

    def first(event: DomainEvent) -> None:
        note("first", event)
        domain = driver.lookup(event.domain.name)
        driver.deregister(mine)
        driver.register(second, gates["second was freed"])
        driver.suspend(domain)

    mine = driver.register(first, gates["first was freed"])
    web1 = driver.lookup("web1")
    driver.suspend(driver.lookup("web2"))
    driver.resume(web1)  # it runs: nothing happens
    assert gates["first was freed"].wait(TIMEOUT)
    driver.suspend(web1)
    assert gates["told"].wait(TIMEOUT)
    driver.close()
    assert gates["second was freed"].wait(TIMEOUT)
    assert seen == [("first", "web2", "suspended"), ("second", "web1", "suspended")]


def test_the_callback_suspends_the_domain_that_its_event_names(loop: Loop) -> None:
    driver = _DriverOf2008(loop, unlocked)
    web1 = driver.lookup("web1")
    driver.suspend(web1)
    seen: list[str] = []
    told = Gate("the second event")
    freed = [Gate("first"), Gate("second")]

    def second(event: DomainEvent) -> None:
        assert isinstance(event, LifecycleEvent)
        seen.append(f"second: {event.event}")
        told.open()

    def first(event: DomainEvent) -> None:
        assert isinstance(event, LifecycleEvent)
        seen.append(f"first: {event.event}")
        domain = driver.lookup(event.domain.name)
        driver.register(second, freed[1])
        driver.deregister(mine)
        driver.suspend(domain)

    driver.flush()
    mine = driver.register(first, freed[0])
    driver.resume(web1)
    assert told.wait(TIMEOUT)
    assert freed[0].wait(TIMEOUT)
    assert not driver.lookup("web1").is_running
    driver.close()
    assert freed[1].wait(TIMEOUT)
    assert seen == ["first: resumed", "second: suspended"]


def test_with_the_default_function_it_is_refused_naming_the_lock() -> None:
    class _NoLoop:
        """The flush is called by the test, so that it sees what is raised."""

        def make_waker(self, function: Callable[[], None]) -> "_NoLoop":
            return self

        def __call__(self) -> None:
            """Wake nobody."""

        def close(self) -> None:
            """Nothing to end."""

    driver = _DriverOf2008(_NoLoop(), lambda _: dispatch_default)  # type: ignore[arg-type]
    seen: list[DomainEvent] = []
    freed = Gate("freed")
    driver.register(seen.append, freed)
    driver.suspend(driver.lookup("web1"))
    with pytest.raises(LockOrderError) as refused:
        driver.flush()
    assert "the driver lock at " in refused.value.held
    assert "test_driver_of_2008.py" in refused.value.held
    assert "the call of " in refused.value.wanted
    assert seen == []
    assert not driver.lock.locked()
    driver.close()
    assert freed.is_open
