# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of real QEMU domains, beside a real libvirtd in the same run: prints a table.

    bench/bench_lifecycle.py [--runs N] [--quick]

Each figure is the median of N processes (3 by default), ours and libvirt's in turns. Ours is
client and driver in one process, libvirt's CPU is the daemon's alone. The aims are the project's.
The end is 1 when one is missed and 0 otherwise, also where there is no libvirtd to compare with
(which the table says).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.interop.libvirtd.private_libvirtd import (  # noqa: E402  (found by the line above)
    SYSTEM_PYTHON,
    PrivateLibvirtd,
    what_is_missing,
)
from virevents.testing.guests import GUESTS  # noqa: E402

Figures = dict[str, float]

# figure: what it is, and how many times better than libvirt's it is to be; None has no aim.
FIGURES: Final[dict[str, tuple[str, float | None]]] = {
    "start_ms": ("start() to STARTED, ms", 4),
    "destroy_ms": ("destroy() to STOPPED, ms", 4),
    "cycles_per_s_1": ("start+destroy a second, one at a time", 4),
    "cycles_per_s_4": ("start+destroy a second, four at a time", 4),
    "cycle_cpu_ms": ("CPU of a start+destroy, ms", 2),
    "pause_call_us": ("suspend or resume, call to return, us", None),
    "pause_cpu_us": ("CPU of a suspend or resume, us", 2),
}
BIGGER_IS_BETTER: Final = frozenset({"cycles_per_s_1", "cycles_per_s_4"})


def run(program: list[str]) -> Figures:
    """Run one measuring process."""
    environment = {**os.environ, "VIREVENTS_LOCKCHECK": "0"}
    done = subprocess.run(
        program, check=True, stdout=subprocess.PIPE, text=True, timeout=600, env=environment
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def measure_all(runs: int, sizes: list[str], *, with_peer: bool) -> tuple[Figures, Figures]:
    """Run both sides in turns; the medians."""
    ours: list[Figures] = []
    theirs: list[Figures] = []
    with TemporaryDirectory(prefix="vb") as folder:
        rom = str(GUESTS["rom-idle"].write(Path(folder)))
        for _ in range(runs):
            ours.append(run([sys.executable, str(HERE / "measure_lifecycle_ours.py"), rom, *sizes]))
            if with_peer:
                theirs.append(run_peer(rom, sizes))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return medians(ours), medians(theirs)


def run_peer(rom: str, sizes: list[str]) -> Figures:
    """Run libvirt's side once, with a daemon of its own."""
    with PrivateLibvirtd() as libvirtd:
        pid = (libvirtd.base / "pid").read_text().strip()
        program = str(HERE / "measure_lifecycle_libvirt.py")
        return run([str(SYSTEM_PYTHON), program, libvirtd.uri(), pid, rom, *sizes])


def medians(samples: list[Figures]) -> Figures:
    """The median of each figure."""
    return {name: median(one[name] for one in samples) for name in samples[0]} if samples else {}


def print_table(ours: Figures, theirs: Figures) -> int:
    """One line a figure; 1 when an aim is missed."""
    has_missed = False
    print(f"{'figure':<42}{'ours':>10}{'libvirt':>10}{'better':>9}{'aim':>6}")
    for name, (words, aim) in FIGURES.items():
        print(f"{words:<42}{ours[name]:>10,.1f}", end="")
        if not theirs:
            print()
            continue
        is_rate = name in BIGGER_IS_BETTER
        better = ours[name] / theirs[name] if is_rate else theirs[name] / ours[name]
        print(f"{theirs[name]:>10,.1f}{better:>8.2f}x", end="")
        if aim is None:
            print(f"{'-':>6}")
        else:
            print(f"{aim:>5.0f}x  {'reached' if better >= aim else 'MISSED'}")
            has_missed |= better < aim
    return int(has_missed)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="processes for each side")
    parser.add_argument("--quick", action="store_true", help="a few of everything")
    options = parser.parse_args()
    if shutil.which("qemu-system-x86_64") is None:
        print("qemu-system-x86_64 is not installed: there is nothing to measure")
        return 1
    missing = what_is_missing()
    if missing:
        print(f"{missing}: there is nothing to compare with")
    sizes = ["5", "50", "5"] if options.quick else ["15", "400", "12"]
    ours, theirs = measure_all(options.runs, sizes, with_peer=not missing)
    return print_table(ours, theirs)


if __name__ == "__main__":
    sys.exit(main())
