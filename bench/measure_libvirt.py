# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same measurements on ``test:///default`` of libvirt-python; prints one JSON object.

``measure_libvirt.py WHAT CALLBACKS EVENTS``; see ``measure_ours.py``. It runs in the interpreter
for which the distribution built python3-libvirt and imports nothing of ours. libvirt-python allows
one unfiltered lifecycle registration on a connection, so many callbacks are many connections; they
share the process's one test driver.
"""

import gc
import json
import os
import sys
import threading
import time

import libvirt

# Between two calls of the latency measurement, in seconds.
PAUSE = 0.0005


class Rig:
    """Connections with one callback each, and an event loop that can be made to stand."""

    def __init__(self, callbacks: int) -> None:
        libvirt.virEventRegisterDefaultImpl()
        self.may_run = threading.Event()
        self.stands = threading.Event()
        self.may_run.set()
        self.counts = [0] * callbacks
        # The loop looks round at least this often, so that it can be told to stand.
        libvirt.virEventAddTimeout(20, lambda *_: None, None)
        threading.Thread(target=self.run_loop, daemon=True).start()
        self.connections = [libvirt.open("test:///default") for _ in range(max(1, callbacks))]
        self.domain = self.connections[0].lookupByName("test")
        for number in range(callbacks):
            self.connections[number].domainEventRegisterAny(
                None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.count, number
            )

    def run_loop(self) -> None:
        """Run libvirt's default loop, unless it is to stand."""
        while True:
            if not self.may_run.is_set():
                self.stands.set()
                self.may_run.wait()
            libvirt.virEventRunDefaultImpl()

    def count(
        self, _connection: object, _domain: object, _event: int, _detail: int, number: int
    ) -> None:
        """Count; the callback."""
        self.counts[number] += 1

    def stand(self) -> None:
        """Have the loop stand, and wait until it does."""
        self.stands.clear()
        self.may_run.clear()
        self.stands.wait(10)

    def publish(self, events: int) -> None:
        """Change the domain's state *events* times."""
        suspend, resume = self.domain.suspend, self.domain.resume
        for _ in range(events // 2):
            suspend()
            resume()

    def wait_for(self, events: int) -> None:
        """Wait until every callback has got *events*."""
        pause = threading.Event()
        while min(self.counts, default=events) < events:
            pause.wait(0.001)


def measure_dispatch(rig: Rig, events: int) -> dict[str, float]:
    """CPU of delivering *events* that were queued while the loop stood."""
    rig.stand()
    rig.publish(events)
    gc.collect()
    before = time.process_time()
    rig.may_run.set()
    rig.wait_for(events)
    cpu = time.process_time() - before
    return {"cpu_us_per_delivery": cpu / (events * len(rig.counts)) * 1e6}


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


def measure_latency(rig: Rig, events: int) -> dict[str, float]:
    """From the return of a call to the first line of the callback, in us."""
    clock = time.perf_counter
    arrived: list[float] = []
    rig.connections[0].domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_: arrived.append(clock()), None
    )
    waits: list[float] = []
    pause = threading.Event()
    for number in range(events):
        (rig.domain.resume if number % 2 else rig.domain.suspend)()
        returned = clock()
        pause.wait(PAUSE)
        while len(arrived) <= number:
            pause.wait(PAUSE)
        waits.append((arrived[number] - returned) * 1e6)
    waits.sort()
    return {"p50_us": waits[len(waits) // 2], "p99_us": waits[len(waits) * 99 // 100]}


def main(what: str, callbacks: int, events: int) -> dict[str, float]:
    """Measure *what*."""
    rig = Rig(0 if what == "latency" else callbacks)
    measure = {
        "dispatch": measure_dispatch,
        "publish": measure_publish,
        "latency": measure_latency,
    }[what]
    return measure(rig, events)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))), flush=True)
    # libvirt's loop still runs in its thread; the interpreter's own end has crashed beneath it.
    os._exit(0)
