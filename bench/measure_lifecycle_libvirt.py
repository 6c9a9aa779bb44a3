# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of real QEMU domains through a real libvirtd; prints one JSON object.

``measure_lifecycle_libvirt.py URI DAEMON_PID ROM ROUNDS PAIRS CYCLES``, run by the system's own
interpreter. CPU is the daemon's: what the client uses is not counted. Its twin is
``measure_lifecycle_ours.py``.
"""

import json
import os
import sys
import threading
from pathlib import Path

import libvirt

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.lifecycle_guest import (
    Arrivals,
    Figures,
    Machine,
    domain_xml,
    measure_cycles,
    measure_pauses,
    measure_starts,
)

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and its ended threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> int:
    """Measure and print."""
    uri, pid, rom = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    rounds, pairs, cycles = map(int, sys.argv[4:])
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=run_loop, daemon=True).start()
    connection = libvirt.open(uri)
    print(json.dumps(measure(connection, pid, rom, rounds, pairs, cycles)))
    connection.close()
    return 0


def run_loop() -> None:
    """Run libvirt's event loop."""
    while True:
        libvirt.virEventRunDefaultImpl()


def measure(
    connection: "libvirt.virConnect", pid: int, rom: str, rounds: int, pairs: int, cycles: int
) -> Figures:
    """Take all figures."""
    arrivals = Arrivals()
    connection.domainEventRegisterAny(
        None,
        libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        lambda _conn, domain, event, _detail, _opaque: arrivals.note(domain.name(), event),
        None,
    )
    machines = []
    for number in range(4):
        domain = connection.defineXML(domain_xml(number, rom))
        machines.append(Machine(domain.name(), domain.create, domain.destroy))
    machines[0].start()  # the first start of a daemon asks QEMU what it can
    machines[0].destroy()
    figures = measure_starts(machines[0], arrivals, rounds)
    before = cpu_of(pid)
    figures["cycles_per_s_1"] = measure_cycles(machines[:1], cycles)
    figures["cycle_cpu_ms"] = (cpu_of(pid) - before) / cycles * 1e3
    figures["cycles_per_s_4"] = measure_cycles(machines, cycles)
    domain = connection.lookupByName(machines[0].name)
    domain.create()
    figures |= measure_pauses(domain.suspend, domain.resume, lambda: cpu_of(pid), pairs)
    domain.destroy()
    for machine in machines:
        connection.lookupByName(machine.name).undefine()
    return figures


if __name__ == "__main__":
    sys.exit(main())
