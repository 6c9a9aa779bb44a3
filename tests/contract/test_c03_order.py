# SPDX-License-Identifier: LGPL-2.1-or-later
"""C3: one order, the order of the changes, for everybody."""

import virevents
from tests.connection.harness import Running
from tests.contract.stage import URI, XML, Recorder, change, changing
from virevents import Gap


def test_c3_events_of_one_domain_come_in_the_order_in_which_its_state_changed(
    conn: virevents.Connection,
) -> None:
    """Eight threads fight for one domain: suspended and resumed must alternate, everywhere."""
    isolated, direct = Recorder(), Recorder()
    with (
        conn.subscribe(isolated, capacity=1_000_000) as first,
        conn.subscribe(direct, delivery="direct") as second,
        conn.events() as events,
    ):
        with changing():
            for _ in range(1000):
                assert events.get(20) is not None
        assert first.drain(20)
        assert second.drain(20)
    for recorder in (isolated, direct):
        count = len(recorder.words)
        assert count >= 1000
        assert recorder.words == (["suspended", "resumed"] * count)[:count]


def test_c3_all_subscriptions_on_whichever_connection_see_one_and_the_same_order() -> None:
    with virevents.open(URI) as first, virevents.open(URI) as second:
        recorders = [Recorder() for _ in range(4)]
        subscriptions = [
            first.subscribe(recorders[0]),
            first.subscribe(recorders[1], delivery="direct"),
            second.subscribe(recorders[2]),
            second.subscribe(recorders[3], delivery="direct"),
        ]
        stream = second.events(only={"suspended", "resumed"})
        domains = [first.create(XML.replace("web9", f"web{n}")) for n in range(8)]
        for thread in [Running(lambda d=d: change(d, 50)) for d in domains]:  # type: ignore[misc]
            thread.result()
        assert all(subscription.drain(20) for subscription in subscriptions)
        taken = [item for _ in range(800) if not isinstance(item := stream.get(20), Gap)]
    assert all(recorder.events == recorders[0].events for recorder in recorders)
    assert taken == recorders[0].events[8:]
    assert recorders[0].numbers == list(range(1, 809))
