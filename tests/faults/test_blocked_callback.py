# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: one blocked callback stopped all others, and the loop with them."""

import threading
from collections.abc import Callable

import pytest

from tests.dispatch.fakes import TIMEOUT, Listener, ManualLoop, suspended
from virevents.dispatch import Delivery, DirectDelivery, EventState, Pool, isolated
from virevents.model import DomainEvent

_CORE = 2
_MakeDelivery = Callable[[Pool, Listener], Delivery]


def _isolated(pool: Pool, listener: Listener) -> Delivery:
    return isolated(pool, listener.callback)


def _on_the_flushing_thread(_pool: Pool, _listener: Listener) -> Delivery:
    return DirectDelivery()  # the planted fault: one thread for all


class _NeverGrows(Pool):
    """The planted fault: as many threads as there are, and no more."""

    def _watch(self) -> None:
        self._is_watched = False


class _Scene:
    """*blocked* callbacks that hang until they are let go, and one behind them that lives."""

    def __init__(self, kind: type[Pool], deliver: _MakeDelivery, blocked: int) -> None:
        self.loop = ManualLoop()
        self.pool = kind(self.loop.call_later, core=_CORE)
        self.state = EventState(self.loop)
        self.blocked = blocked
        self.arrived, self.flushed = threading.Event(), threading.Event()
        self.inside = threading.Semaphore(0)
        self.is_flush_stuck = False
        self._go = threading.Event()
        self._flusher = threading.Thread(target=self._flush)
        self.listeners = [Listener(on_event=self._hang) for _ in range(blocked)]
        self.listeners.append(Listener(on_event=lambda _: self.arrived.set()))
        for listener in self.listeners:
            self.state.register(listener.callback, deliver(self.pool, listener))

    def begin(self) -> None:
        """Push an event and have another thread flush."""
        self.state.push(suspended())
        self._flusher.start()

    def end(self) -> None:
        """Let the blocked ones go, and end everything."""
        self._go.set()
        self._flusher.join(TIMEOUT)
        self.state.close()
        assert all(listener.callback.released.wait(TIMEOUT) for listener in self.listeners)
        assert self.pool.stop().wait(TIMEOUT)

    def _hang(self, _: DomainEvent) -> None:
        if threading.current_thread() is self._flusher:
            self.is_flush_stuck = True
            self.flushed.set()
        self.inside.release()
        assert self._go.wait(TIMEOUT)

    def _flush(self) -> None:
        self.loop.turn_until_idle()
        self.flushed.set()


def check(kind: type[Pool], deliver: _MakeDelivery, blocked: int) -> None:
    """*blocked* callbacks hang; the one behind them gets its event."""
    scene = _Scene(kind, deliver, blocked)
    scene.begin()
    try:
        assert scene.flushed.wait(TIMEOUT)
        assert not scene.is_flush_stuck, "a blocked callback stops another"
        for _ in range(min(blocked, _CORE)):
            assert scene.inside.acquire(timeout=TIMEOUT)
        while scene.loop.fire_timers():
            pass  # the pool looks again for as long as somebody is in its line
        is_stuck = scene.pool.workers <= blocked and len(scene.pool._ready) > 0
        assert not is_stuck, "a blocked callback stops another"
        assert scene.arrived.wait(TIMEOUT)
    finally:
        scene.end()


@pytest.mark.parametrize("blocked", [1, 2, 9])
def test_ours_goes_on(blocked: int) -> None:
    check(Pool, _isolated, blocked)


def test_a_planted_single_thread_is_found() -> None:
    with pytest.raises(AssertionError, match="a blocked callback stops another"):
        check(Pool, _on_the_flushing_thread, 1)


def test_a_planted_fixed_pool_is_found() -> None:
    with pytest.raises(AssertionError, match="a blocked callback stops another"):
        check(_NeverGrows, _isolated, 2)
