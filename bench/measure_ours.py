# SPDX-License-Identifier: LGPL-2.1-or-later
"""One measurement of virevents in a process of its own; prints one JSON object.

``measure_ours.py WHAT CALLBACKS EVENTS [isolated|direct]`` with WHAT one of

    dispatch   events are queued while the loop stands, then the loop runs: CPU per delivery
    publish    a thread suspends and resumes a test domain, callbacks listen: events/s, CPU
    latency    one call at a time: from its return to the first line of the callback

``VIREVENTS_LOCKCHECK=1`` measures with lock checks on. Its twin is ``measure_libvirt.py``.
"""

import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Literal

import virevents
from virevents.connection import Subscription

DOMAIN: Final = "test"
# Between two calls of the latency measurement, in seconds.
PAUSE: Final = 0.0005


class Rig:
    """A connection, a domain, subscriptions."""

    def __init__(self, callbacks: int, delivery: str) -> None:
        self.connection: Final = virevents.open("test:///default")
        self.domain: Final = self.connection.lookup(DOMAIN)
        self.subscriptions: Final[list[Subscription]] = []
        self.counts: Final = [0] * callbacks
        for number in range(callbacks):
            self.subscriptions.append(self.subscribe(self.counter(number), delivery))

    def counter(self, number: int) -> Callable[[virevents.LifecycleEvent], object]:
        """Make a callback that does what its twin in ``measure_libvirt.py`` does: count."""
        counts = self.counts

        def count(_: virevents.LifecycleEvent) -> None:
            counts[number] += 1

        return count

    def subscribe(
        self, callback: Callable[[virevents.LifecycleEvent], object], delivery: str
    ) -> Subscription:
        """Put *callback* on with a mailbox that does not overflow."""
        how: Literal["direct", "isolated"] = "direct" if delivery == "direct" else "isolated"
        return self.connection.subscribe(callback, delivery=how, capacity=10_000_000)

    def publish(self, events: int) -> None:
        """Change the domain's state *events* times."""
        suspend, resume = self.domain.suspend, self.domain.resume
        for _ in range(events // 2):
            suspend()
            resume()

    def wait_for(self, events: int) -> None:
        """Wait until every subscription has got *events*."""
        for subscription in self.subscriptions:
            while subscription.stats.delivered < events:
                subscription.drain(60)


def measure_dispatch(rig: Rig, events: int) -> dict[str, float]:
    """CPU of delivering *events* that were queued while the loop stood."""
    stands, may_go = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        may_go.wait(120)

    # The queue's high-water mark holds modifying calls back; so the events of one round are few.
    rounds = max(1, events // 4000)
    a_round = events // rounds
    cpu = 0.0
    for number in range(1, rounds + 1):
        stands.clear()
        may_go.clear()
        rig.connection.driver_state.loop.call(stand)
        stands.wait(10)
        rig.publish(a_round)
        gc.collect()
        before = time.process_time()
        may_go.set()
        rig.wait_for(number * a_round)
        cpu += time.process_time() - before
    deliveries = rounds * a_round * len(rig.subscriptions)
    return {"cpu_us_per_delivery": cpu / deliveries * 1e6}


def measure_publish(rig: Rig, events: int) -> dict[str, float]:
    """Events a second from one publishing thread to the last delivery."""
    cpu, wall = time.process_time(), time.perf_counter()
    rig.publish(events)
    called = time.perf_counter() - wall
    rig.wait_for(events)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "events_per_s": events / wall,
        "cpu_us_per_event": cpu / events * 1e6,
        "call_us": called / events * 1e6,
    }


def measure_latency(rig: Rig, events: int, delivery: str) -> dict[str, float]:
    """From the return of a call to the first line of the callback, in us."""
    clock = time.perf_counter
    arrived: list[float] = []
    subscription = rig.subscribe(lambda _: arrived.append(clock()), delivery)
    waits: list[float] = []
    pause = threading.Event()
    for number in range(events):
        (rig.domain.resume if number % 2 else rig.domain.suspend)()
        returned = clock()
        pause.wait(PAUSE)
        while len(arrived) <= number:
            pause.wait(PAUSE)
        waits.append((arrived[number] - returned) * 1e6)
    subscription.close()
    waits.sort()
    return {"p50_us": waits[len(waits) // 2], "p99_us": waits[len(waits) * 99 // 100]}


def main(what: str, callbacks: int, events: int, delivery: str) -> dict[str, float]:
    """Measure *what*."""
    rig = Rig(0 if what == "latency" else callbacks, delivery)
    try:
        if what == "dispatch":
            return measure_dispatch(rig, events)
        if what == "publish":
            return measure_publish(rig, events)
        return measure_latency(rig, events, delivery)
    finally:
        rig.connection.close()


if __name__ == "__main__":
    how = sys.argv[4] if len(sys.argv) > 4 else "isolated"
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), how)))
