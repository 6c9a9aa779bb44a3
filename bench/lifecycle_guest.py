# SPDX-License-Identifier: LGPL-2.1-or-later
"""What both sides of ``bench_lifecycle.py`` agree on: the guest, and how a figure is made.

Read by two interpreters: ours, and the system's own, which has python3-libvirt. So it needs
nothing but the standard library.
"""

import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Final

MEMORY_KIB: Final = 8192
PATIENCE: Final = 60.0

Figures = dict[str, float]


def domain_xml(number: int, rom: str) -> str:
    """Define the *number*-th guest: a ROM that idles, no disk, no firmware of QEMU's."""
    return (
        f"<domain type='qemu'><name>bench{number}</name>"
        f"<uuid>6695eb01-f6a4-8304-79aa-{number:012x}</uuid>"
        f"<memory unit='KiB'>{MEMORY_KIB}</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type>"
        f"<loader readonly='yes' type='rom'>{rom}</loader></os>"
        "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
        "<memballoon model='none'/></devices></domain>"
    )


class Arrivals:
    """When each kind of event last arrived; written by a callback, awaited by the measurer."""

    def __init__(self) -> None:
        self._arrived: Final[dict[tuple[str, int], threading.Event]] = {}
        self._times: Final[dict[tuple[str, int], float]] = {}

    def expect(self, name: str, event: int) -> None:
        """Begin to wait for *event* (libvirt's number) of the domain *name*."""
        self._arrived[name, event] = threading.Event()

    def note(self, name: str, event: int) -> None:
        """Take an arrival."""
        now = time.perf_counter()
        waiting = self._arrived.get((name, event))
        if waiting is not None and not waiting.is_set():
            self._times[name, event] = now
            waiting.set()

    def time_of(self, name: str, event: int) -> float:
        """Wait for what was expected and say when it came."""
        if not self._arrived[name, event].wait(PATIENCE):
            raise TimeoutError(f"event {event} of {name} did not come")
        return self._times[name, event]


STARTED: Final = 2
STOPPED: Final = 5


class Machine:
    """One side's domain, by the calls that are measured."""

    def __init__(
        self, name: str, start: Callable[[], object], destroy: Callable[[], object]
    ) -> None:
        self.name: Final = name
        self.start: Final = start
        self.destroy: Final = destroy


def measure_starts(machine: Machine, arrivals: Arrivals, rounds: int) -> Figures:
    """Milliseconds from the call to the event, one domain, one start after the other."""
    starts, destroys = [], []
    for _ in range(rounds):
        arrivals.expect(machine.name, STARTED)
        began = time.perf_counter()
        machine.start()
        starts.append(arrivals.time_of(machine.name, STARTED) - began)
        arrivals.expect(machine.name, STOPPED)
        began = time.perf_counter()
        machine.destroy()
        destroys.append(arrivals.time_of(machine.name, STOPPED) - began)
    return {"start_ms": median(starts) * 1e3, "destroy_ms": median(destroys) * 1e3}


def measure_cycles(machines: list[Machine], cycles: int) -> float:
    """Start and destroy each machine *cycles* times, all side by side: cycles a second."""

    def work(machine: Machine) -> None:
        for _ in range(cycles):
            machine.start()
            machine.destroy()

    threads = [threading.Thread(target=work, args=(machine,)) for machine in machines]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return cycles * len(machines) / (time.perf_counter() - began)


def measure_pauses(
    suspend: Callable[[], object],
    resume: Callable[[], object],
    cpu: Callable[[], float],
    pairs: int,
) -> Figures:
    """CPU of the managing process, and the call's time, for a suspend or a resume."""
    times: list[float] = []
    before = cpu()
    for _ in range(pairs):
        for call in (suspend, resume):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
    used = cpu() - before
    return {"pause_cpu_us": used / (2 * pairs) * 1e6, "pause_call_us": median(times) * 1e6}
