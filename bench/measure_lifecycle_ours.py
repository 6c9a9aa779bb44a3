# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of real QEMU domains through virevents, in a process of its own; prints one JSON object.

``measure_lifecycle_ours.py ROM ROUNDS PAIRS CYCLES``. Its twin is ``measure_lifecycle_libvirt.py``.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import virevents

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


def main() -> int:
    """Measure and print."""
    rom = sys.argv[1]
    rounds, pairs, cycles = map(int, sys.argv[2:])
    with (
        tempfile.TemporaryDirectory(prefix="vb") as root,
        virevents.open(f"qemu:///embed?root={root}") as connection,
    ):
        print(json.dumps(measure(connection, rom, rounds, pairs, cycles)))
    return 0


def measure(
    connection: virevents.Connection, rom: str, rounds: int, pairs: int, cycles: int
) -> Figures:
    """Take all figures."""
    arrivals = Arrivals()
    connection.subscribe(lambda event: arrivals.note(event.domain.name, int(event.event)))
    machines: list[Machine] = []
    for number in range(4):
        domain = connection.define(domain_xml(number, rom))
        machines.append(Machine(domain.name, domain.start, domain.destroy))
    figures = measure_starts(machines[0], arrivals, rounds)
    before = time.process_time()
    figures["cycles_per_s_1"] = measure_cycles(machines[:1], cycles)
    figures["cycle_cpu_ms"] = (time.process_time() - before) / cycles * 1e3
    figures["cycles_per_s_4"] = measure_cycles(machines, cycles)
    domain = connection.lookup(machines[0].name)
    domain.start()
    figures |= measure_pauses(domain.suspend, domain.resume, time.process_time, pairs)
    domain.destroy()
    for machine in machines:
        connection.lookup(machine.name).undefine()
    return figures


if __name__ == "__main__":
    sys.exit(main())
