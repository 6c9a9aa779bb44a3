# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deliveries whose consumer comes and takes: streams, and callbacks on an asyncio loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from unittest.mock import patch

import pytest

from tests.dispatch.fakes import Listener, batch
from virevents.dispatch import AsyncioDelivery, PulledDelivery, Taken, to_asyncio
from virevents.model import DomainEvent, Gap
from virevents.sync import Gate, is_loop_thread


class _Elsewhere:
    """A worker that works when it is told to."""

    def __init__(self) -> None:
        self.line: deque[Callable[[], object]] = deque()

    def __call__(self, function: Callable[[], object]) -> None:
        self.line.append(function)

    def run_all(self) -> None:
        while self.line:
            self.line.popleft()()


def _closed_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


async def _settle() -> None:
    """Give the loop its turns."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_one_hand_over_to_a_consumer() -> None:
    told: list[str] = []
    listener = Listener()
    delivery = PulledDelivery(listener.callback, 3, lambda: told.append("come"))
    gate = Gate("all of it")
    delivery(listener.callback, batch(2))
    delivery(listener.callback, batch(2, first=3))
    delivery.add_gap(Gap(5, 6, None))
    delivery.mark(gate)
    assert told == ["come"]
    taken = delivery.take()
    assert (taken.gap, [event.sequence for event in taken.events]) == (Gap(1, 6, None), [2, 3, 4])
    assert (delivery.put, delivery.lost) == (4, 1)
    before = gate.is_open
    assert delivery.take() == Taken(None, [], is_over=False)
    assert (before, gate.is_open) == (False, True)
    uses: list[Callable[[], object]] = [
        lambda: delivery(listener.callback, batch(1, first=7)),
        lambda: delivery.add_gap(Gap(8, 8, 1)),
        lambda: delivery.mark(Gate("another")),
        lambda: delivery.end(listener.callback),
    ]
    for use in uses:
        told.clear()
        use()
        while delivery.take().events:
            pass
        delivery.take()
        assert told == ["come"]
    assert delivery.take().is_over
    delivery.end(listener.callback)
    assert told == ["come"]


@pytest.mark.parametrize("is_closed", [False, True])
def test_the_end_of_a_closed_one_drops_what_waits(is_closed: bool) -> None:
    listener = Listener()
    delivery = PulledDelivery(listener.callback, 10, lambda: None)
    delivery(listener.callback, batch(2))
    listener.callback.is_closed = is_closed
    delivery.end(listener.callback)
    assert len(delivery.take(1).events) == (0 if is_closed else 1)


def test_one_hand_over_to_the_loop() -> None:
    async def program() -> None:
        loop, listener = asyncio.get_running_loop(), Listener()
        genuine = loop.call_soon_threadsafe
        with patch.object(loop, "call_soon_threadsafe", side_effect=genuine) as hand_over:
            delivery = to_asyncio(loop, listener.callback, run_elsewhere=_Elsewhere())
            for number in range(1, 601):
                delivery(listener.callback, batch(1, first=number))
            assert hand_over.call_count == 1
            assert listener.events == []
            await _settle()
            assert listener.sequences == list(range(1, 601))
            delivery(listener.callback, batch(1, first=601))
            await _settle()
            assert hand_over.call_count == 2
        assert len(listener.events) == 601

    asyncio.run(program())


def test_it_runs_on_the_loop_and_gives_others_their_turn() -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()
        seen: list[tuple[int, bool]] = []
        turns: list[int] = []
        listener = Listener(on_event=lambda event: seen.append((event.sequence, is_loop_thread())))
        delivery = to_asyncio(loop, listener.callback, run_elsewhere=_Elsewhere())
        delivery(listener.callback, batch(300))
        loop.call_soon(lambda: turns.append(len(seen)))
        await _settle()
        assert turns == [256]
        assert seen == [(number, True) for number in range(1, 301)]

    asyncio.run(program())


def test_gap_and_end_come_in_their_places() -> None:
    async def program() -> None:
        listener = Listener()
        delivery = to_asyncio(
            asyncio.get_running_loop(), listener.callback, capacity=2, run_elsewhere=_Elsewhere()
        )
        delivery(listener.callback, batch(5))
        delivery.end(listener.callback)
        await _settle()
        assert listener.told[0] == Gap(1, 3, 3)
        assert listener.sequences == [4, 5]
        assert listener.told[-1] == "released"

    asyncio.run(program())


def test_a_closed_callback_is_not_called_on_the_loop() -> None:
    async def program() -> None:
        listener = Listener()
        delivery = to_asyncio(
            asyncio.get_running_loop(), listener.callback, run_elsewhere=_Elsewhere()
        )
        delivery(listener.callback, batch(2))
        listener.callback.is_closed = True
        await _settle()
        assert listener.told == []
        delivery.end(listener.callback)
        await _settle()
        assert listener.told == ["released"]

    asyncio.run(program())


def test_loop_refuses(caplog: pytest.LogCaptureFixture) -> None:
    listener, elsewhere = Listener(), _Elsewhere()
    delivery = to_asyncio(_closed_loop(), listener.callback, capacity=1, run_elsewhere=elsewhere)
    with caplog.at_level(logging.WARNING, "virevents.dispatch"):
        delivery(listener.callback, batch(2))
    assert "callback -1 (listener): its asyncio loop is closed; it ends" in caplog.text
    assert listener.callback.is_closed
    assert listener.told == []
    elsewhere.run_all()
    assert listener.told == ["released"]


def test_loop_refuses_what_it_had_accepted_before_it_was_closed() -> None:
    """The hand-over was taken by a loop that never ran it: the end comes on a worker."""
    listener, elsewhere = Listener(), _Elsewhere()
    loop = asyncio.new_event_loop()
    delivery = to_asyncio(loop, listener.callback, run_elsewhere=elsewhere)
    delivery(listener.callback, batch(2))
    loop.close()
    listener.callback.is_closed = True
    delivery.end(listener.callback)
    delivery.end(listener.callback)
    assert listener.releases == 0
    elsewhere.run_all()
    assert listener.told == ["released"]


def test_loop_refuses_the_end_itself() -> None:
    listener, elsewhere = Listener(), _Elsewhere()
    delivery: AsyncioDelivery = to_asyncio(
        _closed_loop(), listener.callback, run_elsewhere=elsewhere
    )
    delivery.end(listener.callback)
    elsewhere.run_all()
    assert listener.told == ["released"]


def test_a_raising_callback_ends_nothing() -> None:
    async def program() -> None:
        def fail(_: DomainEvent) -> None:
            raise SystemExit

        listener = Listener(on_event=fail)
        delivery = to_asyncio(
            asyncio.get_running_loop(), listener.callback, run_elsewhere=_Elsewhere()
        )
        delivery(listener.callback, batch(3))
        await _settle()
        assert listener.callback.errors == 3

    asyncio.run(program())
