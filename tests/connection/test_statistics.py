# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator sees of a connection."""

import virevents
from tests.connection.harness import Hypervisor, Signal, stopped_loop


def test_figures_of_queue_threads_and_subscriptions(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        inside, go_on = Signal("the call"), Signal()

        def callback(_: virevents.DomainEvent) -> None:
            inside.set()
            go_on.wait()

        subscription = conn.subscribe(callback)
        stream = conn.events()
        with stopped_loop(hypervisor.driver):
            conn.lookup("web1").suspend()
            stats = conn.stats()
            assert (stats.uri, stats.queued, stats.last_sequence) == ("fake:///one", 1, 1)
            assert stats.running == ()
        inside.wait()
        stats = conn.stats()
        assert (stats.queued, stats.strands, stats.running) == (0, 1, (subscription.name,))
        assert stats.workers >= 1
        assert stats.subscriptions[subscription.name].delivered == 1
        assert len(stats.subscriptions) == 2
        go_on.set()
        stream.close()
        assert subscription.close()


def test_another_connections_subscriptions_are_not_shown(conn: virevents.Connection) -> None:
    with virevents.open("test:///default") as other, other.events():
        assert conn.stats().subscriptions == {}
        assert len(other.stats().subscriptions) == 1
