# SPDX-License-Identifier: LGPL-2.1-or-later
"""C11 with calls in flight and a peer that is dead, and the order of the steps."""

import threading

import pytest

import virevents
from tests.connection.conftest import hypervisor  # noqa: F401  (a fixture)
from tests.connection.harness import Hypervisor, Running, Signal
from virevents import ClosedError, DomainEvent
from virevents.clock import monotonic


def test_c11_its_order(hypervisor: Hypervisor) -> None:  # noqa: F811
    """Refuse, take off, let the driver go, and only then wait for callbacks."""
    steps: list[str] = []
    inside, go_on, in_close = Signal("the call"), Signal(), Signal("the driver's close")
    conn = virevents.open("fake:///one")

    def callback(_: DomainEvent) -> None:
        inside.set()
        go_on.wait()
        steps.append("the callback returns")

    def on_close() -> None:
        with pytest.raises(ClosedError):
            conn.lookup("web1")
        steps.append("refused")
        if hypervisor.driver.state.registry.callbacks == ():
            steps.append("taken off")
        steps.append("the driver goes")
        in_close.set()

    hypervisor.on_close = on_close
    conn.subscribe(callback)
    conn.lookup("web1").suspend()
    inside.wait()
    closing = Running(conn.close)
    in_close.wait()
    go_on.set()
    assert closing.result()
    assert steps == ["refused", "taken off", "the driver goes", "the callback returns"]


def test_c11_with_the_peer_dead_and_a_call_in_flight(hypervisor: Hypervisor) -> None:  # noqa: F811
    """A driver ends the waits of its calls when it is closed."""
    inside, died = Signal("the operation"), threading.Event()

    def hang() -> None:
        inside.set()
        assert died.wait(20)
        raise virevents.OperationFailedError("the peer is gone")

    hypervisor.on_suspend, hypervisor.on_close = hang, died.set
    conn = virevents.open("fake:///one")
    call = Running(conn.lookup("web1").suspend)
    inside.wait()
    before = monotonic()
    assert conn.close()
    assert monotonic() - before < 1.0
    with pytest.raises(virevents.OperationFailedError):
        call.result()


def test_c11_a_call_that_comes_late_finds_it_closed(hypervisor: Hypervisor) -> None:  # noqa: F811
    """It got the driver before the close and pushes after it: an error, and no event."""
    inside, go_on = Signal("the operation"), Signal()

    def hold() -> None:
        inside.set()
        go_on.wait()

    hypervisor.on_suspend = hold
    conn = virevents.open("fake:///one")
    met: list[DomainEvent] = []
    conn.subscribe(met.append, event_id="all")
    call = Running(conn.lookup("web1").suspend)
    inside.wait()
    assert conn.close()
    go_on.set()
    with pytest.raises(ClosedError):
        call.result()
    assert met == []


def test_c11_once_the_calls_have_returned_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    for _ in range(10):
        with virevents.open("test:///default") as conn:
            for delivery in ("isolated", "direct") * 5:
                conn.subscribe(
                    lambda _: None, delivery="direct" if delivery == "direct" else "isolated"
                )
            stream = conn.events()
            conn.lookup("test").suspend()
            assert stream.get(20) is not None
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before
