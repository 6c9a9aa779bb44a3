# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Strand``: one subscription's mailbox and the order of its calls."""

import gc
import threading
import weakref

from tests.dispatch.fakes import TIMEOUT, HandPool, Listener, ManualLoop, batch
from virevents.dispatch import Callback, Filter, Pool, isolated
from virevents.dispatch.isolated import EVENTS_A_TURN
from virevents.model import DomainEvent, Gap
from virevents.sync import Gate, is_callback_thread


def test_in_order() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback)
    strand(listener.callback, batch(2))
    strand(listener.callback, batch(2, first=3))
    assert len(pool.line) == 1  # made ready once, so never on two workers at once
    pool.run_all()
    assert listener.sequences == [1, 2, 3, 4]
    strand(listener.callback, batch(1, first=5))
    pool.run_all()
    assert listener.sequences == [1, 2, 3, 4, 5]
    assert (strand.put, strand.lost) == (5, 0)


def test_in_order_on_real_workers_never_two_at_once() -> None:
    inside, worst, done = [0], [0], threading.Event()

    def on_event(event: DomainEvent) -> None:
        inside[0] += 1
        worst[0] = max(worst[0], inside[0])
        inside[0] -= 1
        if event.sequence == 2_000:
            done.set()

    listener, pool = Listener(on_event), Pool(ManualLoop().call_later, core=4)
    strand = isolated(pool, listener.callback)
    for first in range(1, 2_001, 10):
        strand(listener.callback, batch(10, first=first))
    assert done.wait(TIMEOUT)
    assert pool.stop().wait(TIMEOUT)
    assert worst == [1]
    assert listener.sequences == list(range(1, 2_001))


def test_its_name_is_its_callbacks() -> None:
    assert isolated(HandPool(), Listener().callback).name == "callback -1 (listener)"


def test_gives_way() -> None:
    pool, listener, other = HandPool(), Listener(), Listener()
    busy, quick = isolated(pool, listener.callback), isolated(pool, other.callback)
    busy(listener.callback, batch(EVENTS_A_TURN + 10))
    quick(other.callback, batch(1))
    pool.run_next()
    assert len(listener.events) == EVENTS_A_TURN
    pool.run_next()
    assert other.sequences == [1]
    pool.run_all()
    assert listener.sequences == list(range(1, EVENTS_A_TURN + 11))


def test_a_gap_is_told_where_the_lost_events_stood() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback, capacity=2)
    strand(listener.callback, batch(5))
    pool.run_all()
    assert listener.told[0] == Gap(1, 3, 3)
    assert listener.sequences == [4, 5]
    assert (strand.put, strand.lost) == (5, 3)


def test_what_was_lost_elsewhere_is_told() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback)
    strand.add_gap(Gap(1, 2, None))
    strand.add_gap(Gap(3, 3, None))
    assert len(pool.line) == 1
    pool.run_all()
    assert listener.told == [Gap(1, 3, None)]


def test_a_mark_opens_after_what_was_put_before() -> None:
    pool, listener = HandPool(), Listener(on_event=lambda _: opened.append(gate.is_open))
    opened: list[bool] = []
    strand = isolated(pool, listener.callback)
    gate, idle = Gate("two events"), Gate("nothing")
    strand(listener.callback, batch(2))
    strand.mark(gate)
    pool.run_all()
    assert opened == [False, False]
    assert gate.is_open
    strand.mark(idle)
    pool.run_all()
    assert idle.is_open


def test_last_item() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback)
    strand(listener.callback, batch(2))
    strand.end(listener.callback)
    strand.end(listener.callback)
    assert listener.releases == 0  # not here and now
    pool.run_all()
    assert [*listener.sequences, listener.told[-1]] == [1, 2, "released"]
    assert listener.releases == 1
    assert pool.strands == 0


def test_last_item_of_a_closed_callback_comes_at_once() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback, capacity=1)
    strand(listener.callback, batch(2))
    listener.callback.is_closed = True
    strand.end(listener.callback)
    pool.run_all()
    assert listener.told == ["released"]


def test_last_item_of_what_closed_itself_in_a_call() -> None:
    def close(_: DomainEvent) -> None:
        listener.callback.is_closed = True
        strand.end(listener.callback)

    listener, pool = Listener(on_event=close), HandPool()
    strand = isolated(pool, listener.callback)
    strand(listener.callback, batch(3))
    pool.run_all()
    assert [*listener.sequences, listener.told[-1]] == [1, "released"]


def test_events_of_a_callback_that_is_only_marked_are_dropped() -> None:
    pool, listener = HandPool(), Listener()
    strand = isolated(pool, listener.callback, capacity=2)
    strand(listener.callback, batch(3))
    listener.callback.is_closed = True
    pool.run_all()
    assert listener.told == []


def test_last_item_runs_on_a_worker() -> None:
    pool, listener = Pool(ManualLoop().call_later, core=1, name="ours"), Listener()
    strand = isolated(pool, listener.callback)
    strand.end(listener.callback)
    assert listener.callback.released.wait(TIMEOUT)
    assert pool.stop().wait(TIMEOUT)
    assert listener.threads == {"ours-1"}


def test_last_item_counts_for_the_pool_until_its_hook_returns() -> None:
    """A hook that blocks keeps a worker: were its strand counted out, others would get none."""
    counted: list[tuple[int, bool]] = []

    class _Listener(Listener):
        def _on_release(self) -> None:
            counted.append((pool.strands, is_callback_thread()))

    pool = Pool(ManualLoop().call_later, core=1)
    listener = _Listener()
    strand = isolated(pool, listener.callback)
    assert pool.strands == 1
    strand.end(listener.callback)
    assert listener.callback.released.wait(TIMEOUT)
    assert pool.stop().wait(TIMEOUT)
    assert counted == [(1, True)]
    assert pool.strands == 0


def test_after_the_release_nothing_of_ours_holds_the_function() -> None:
    class _Function:
        def __call__(self, event: DomainEvent) -> None:
            """A user's function that can be watched for its end."""

    gc.disable()
    try:
        pool, function = Pool(ManualLoop().call_later, core=1), _Function()
        watched = weakref.ref(function)
        callback = Callback(function, Filter())
        del function
        strand = isolated(pool, callback)
        strand(callback, batch(3))
        strand.end(callback)
        assert callback.released.wait(TIMEOUT)
        assert pool.stop().wait(TIMEOUT)
        assert watched() is None
    finally:
        gc.enable()
