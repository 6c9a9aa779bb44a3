# SPDX-License-Identifier: LGPL-2.1-or-later
"""C9: what is at the bound, beyond the overflow of one mailbox."""

import virevents
from tests.connection.harness import Signal
from tests.contract.stage import Blocked, Recorder, busy_loop, change
from virevents import Gap, LifecycleEvent
from virevents.dispatch.state import HIGH_WATER
from virevents.model import RebootEvent


def test_c9_the_queue_never_drops(conn: virevents.Connection, domain: virevents.Domain) -> None:
    """Up to the mark nothing waits; then all of it comes, to whoever has room."""
    recorder = Recorder()
    subscription = conn.subscribe(recorder, domain=domain, capacity=HIGH_WATER)
    with busy_loop(conn):
        change(domain, HIGH_WATER // 2 - 2)
        assert conn.stats().queued == HIGH_WATER - 4
    assert subscription.drain(20)
    assert len(recorder.events) == HIGH_WATER - 4
    assert subscription.stats.dropped == 0


def test_c9_an_event_born_on_the_loop_thread_flushes_first(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    state = conn.driver_state
    left: list[int] = []
    done = Signal("the loop's turn")
    numbers: list[int] = []
    subscription = conn.subscribe(
        lambda e: numbers.append(e.sequence), event_id="all", capacity=2 * HIGH_WATER
    )

    def on_the_loop() -> None:
        identity = domain.connection.reading().lookup_uuid(domain.uuid)
        for _ in range(HIGH_WATER):
            state.push(RebootEvent(identity, 0.0))
        state.make_room()
        left.append(len(state.queue))
        state.push(RebootEvent(identity, 0.0))
        done.set()

    state.loop.call(on_the_loop)
    done.wait()
    assert left == [0]
    assert subscription.drain(20)
    assert numbers == list(range(1, HIGH_WATER + 2))


def test_c9_a_mailbox_overflows_alone(conn: virevents.Connection, domain: virevents.Domain) -> None:
    blocked, free = Blocked(), Recorder()
    full = conn.subscribe(blocked, capacity=3)
    with conn.subscribe(free) as other, conn.events(capacity=5) as stream:
        change(domain, 20)
        assert other.drain(20)
        items = [stream.get(20) for _ in range(6)]
    assert free.numbers == list(range(1, 41))
    assert other.stats.dropped == 0
    assert items[0] == Gap(1, 35, 35)
    assert [item.sequence for item in items if isinstance(item, LifecycleEvent)] == [
        36,
        37,
        38,
        39,
        40,
    ]
    blocked.go_on.set()
    assert full.drain(20)
    assert full.stats.delivered + full.stats.dropped == 40


def test_c9_a_gap_that_must_go_itself_is_merged_into_the_next(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with conn.events(capacity=2) as stream, conn.subscribe(lambda _: None) as flushed:
        for _ in range(4):
            change(domain, 2)
            assert flushed.drain(20)
        assert stream.get(20) == Gap(1, 14, 14)


def test_c9_events_that_do_not_match_are_not_counted(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with (
        conn.events(capacity=1, only={"resumed"}) as stream,
        conn.subscribe(lambda _: None) as flushed,
    ):
        change(domain, 3)
        assert flushed.drain(20)
        assert stream.get(20) == Gap(2, 4, 2)
        item = stream.get(20)
        assert isinstance(item, LifecycleEvent)
        assert item.sequence == 6


def test_c9_a_gap_of_a_reconnect_has_no_count(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    """What the remote driver will tell after it lost its peer, to each delivery."""
    gaps: list[Gap] = []
    told = Signal("the gap hook")

    def on_gap(gap: Gap) -> None:
        gaps.append(gap)
        told.set()

    conn.subscribe(lambda _: None, on_gap=on_gap)
    (callback,) = conn.driver_state.registry.callbacks
    with conn.events() as stream:
        lost = Gap(1, 5, None)
        stream.delivery.add_gap(lost)
        assert stream.get(20) == lost
    assert callback.delivery is not None
    callback.delivery.add_gap(lost)  # type: ignore[attr-defined]
    told.wait()
    assert gaps == [lost]
    assert Gap.covering(lost, 6, 9, 4) == Gap(1, 9, None)
