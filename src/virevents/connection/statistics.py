# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an operator sees of a connection from inside: queue, threads, subscriptions.

It stands apart so that the connection does not grow with every figure somebody wants.

Immutable: values, and the function that gathers them without taking a lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from virevents.connection.process import Machinery
from virevents.connection.subscription import Subscription, SubscriptionStats
from virevents.dispatch import Callback
from virevents.drivers import Driver

__all__ = ["ConnectionStats", "connection_stats"]


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """Figures of one connection, at about one moment.

    Attributes:
        uri: Whose.
        queued: Events of the driver that await the flush.
        last_sequence: The number of the driver's newest event.
        workers: Worker threads of the process that run callbacks.
        strands: Isolated subscriptions of the process.
        subscriptions: This connection's, by name.
        running: Names of those whose callback runs now.
    """

    uri: str
    queued: int
    last_sequence: int
    workers: int
    strands: int
    subscriptions: dict[str, SubscriptionStats]
    running: tuple[str, ...]


def connection_stats(
    uri: str, driver: Driver, machinery: Machinery, callbacks: Sequence[Callback]
) -> ConnectionStats:
    """Gather the figures."""
    state = driver.state
    return ConnectionStats(
        uri=uri,
        queued=len(state.queue),
        last_sequence=state.queue.last_sequence,
        workers=machinery.pool.workers,
        strands=machinery.pool.strands,
        subscriptions={c.name: Subscription(state, c).stats for c in callbacks},
        running=tuple(c.name for c in callbacks if c.is_running),
    )
