# SPDX-License-Identifier: LGPL-2.1-or-later
"""How events reach one callback: the dispatch functions and the direct delivery."""

from collections.abc import Sequence

import pytest

from tests.dispatch.fakes import Listener, batch
from virevents.dispatch import Callback, DirectDelivery, dispatch_default, unlocked
from virevents.errors import LockOrderError
from virevents.model import DomainEvent
from virevents.sync import DRIVER, Gate, RankedLock


def test_called_in_order() -> None:
    listener = Listener()
    dispatch_default(listener.callback, batch(4))
    assert listener.sequences == [1, 2, 3, 4]


def test_called_in_order_until_it_is_closed() -> None:
    listener = Listener()
    listener.callback.is_closed = True
    dispatch_default(listener.callback, batch(4))
    assert listener.events == []


def test_the_call_is_counted_out_whatever_happens() -> None:
    listener = Listener()
    with RankedLock(DRIVER), pytest.raises(LockOrderError):
        dispatch_default(listener.callback, batch(1))
    listener.callback.end()
    assert listener.releases == 1


def test_lock_is_given_up() -> None:
    lock = RankedLock(DRIVER)
    held: list[bool] = []
    listener = Listener(on_event=lambda _: held.append(lock.locked()))
    with lock:
        unlocked(lock)(listener.callback, batch(2))
        assert lock.locked()
    assert held == [False, False]


def test_lock_is_given_up_and_taken_again_when_the_inner_one_raises() -> None:
    lock = RankedLock(DRIVER)

    def inner(_callback: Callback, _events: Sequence[DomainEvent], /) -> None:
        raise KeyError("a fault")

    with lock:
        with pytest.raises(KeyError, match="a fault"):
            unlocked(lock, inner)(Listener().callback, batch(1))
        assert lock.locked()


def test_unlocked_wants_its_lock_held() -> None:
    with pytest.raises(LockOrderError, match="driver lock held"):
        unlocked(RankedLock(DRIVER))(Listener().callback, batch(1))


def test_held_is_refused() -> None:
    listener = Listener()
    with RankedLock(DRIVER), pytest.raises(LockOrderError, match="driver lock"):
        dispatch_default(listener.callback, batch(1))
    assert listener.events == []


def test_a_direct_delivery_calls_here_and_now() -> None:
    listener, delivery = Listener(), DirectDelivery()
    delivery(listener.callback, batch(2))
    assert listener.sequences == [1, 2]
    assert (delivery.put, delivery.lost) == (-1, 0)
    gate = Gate("all of it")
    delivery.mark(gate)
    assert gate.is_open
    delivery.end(listener.callback)
    delivery.end(listener.callback)
    assert listener.releases == 1


def test_a_direct_delivery_uses_the_dispatch_function_it_is_given() -> None:
    seen: list[int] = []

    def mine(_callback: Callback, events: Sequence[DomainEvent], /) -> None:
        seen.extend(event.sequence for event in events)

    DirectDelivery(mine)(Listener().callback, batch(3))
    assert seen == [1, 2, 3]
