# SPDX-License-Identifier: LGPL-2.1-or-later
"""Delivery in one process, beside libvirt-python in the same run: prints a table.

    bench/bench_dispatch.py [--runs N] [--quick]

Each figure is the median of N processes (5 by default), ours and libvirt's in turns, so that a
machine whose speed drifts drifts for both. CPU is the process's own. The aims are the project's.
The end is 1 when one is missed and 0 otherwise, also where python3-libvirt is not installed and
there is nothing to compare with (which the table says).
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

HERE: Final = Path(__file__).parent
LIBVIRT_PYTHON: Final = "/usr/bin/python3"

# Where the C program cannot be built: what libvirt's own dispatch took elsewhere, as a part of what
# libvirt-python took there in the same minutes (0.82 of 3.02 us a delivery).
C_PART: Final = 0.82 / 3.02

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of measurements: what is run, and of how much."""

    what: str
    callbacks: int
    events: int
    delivery: str = "isolated"

    @property
    def arguments(self) -> list[str]:
        """For the measuring programs."""
        return [self.what, str(self.callbacks), str(self.events)]


@dataclass(frozen=True, slots=True)
class Aim:
    """What ours is to reach, as a ratio to libvirt's in the same run."""

    name: str
    measurement: Measurement
    figure: str
    least: float
    bigger_is_better: bool = False

    def verdict(self, ours: float, theirs: float) -> tuple[float, bool]:
        """How many times better ours is, and whether that is enough."""
        factor = ours / theirs if self.bigger_is_better else theirs / ours
        return factor, factor >= self.least


def measurements(*, is_quick: bool) -> list[Measurement]:
    """All of them; *is_quick* takes a tenth of the events."""
    part = 10 if is_quick else 1
    return [
        *(
            Measurement("dispatch", callbacks, events // part, delivery)
            for delivery in ("isolated", "direct")
            for callbacks, events in ((1, 40_000), (10, 40_000), (100, 16_000))
        ),
        Measurement("publish", 1, 100_000 // part),
        Measurement("latency", 0, 2_000 // part),
    ]


def aims(rows: list[Measurement]) -> list[Aim]:
    """The project's aims for *rows*, lock checks off."""
    made: list[Aim] = []
    for row in rows:
        if row.what == "dispatch" and row.callbacks >= 10 and row.delivery == "isolated":
            name = f"CPU a delivery, {row.callbacks} isolated callbacks"
            made.append(Aim(f"{name}: an eighth", row, "cpu_us_per_delivery", 8))
            made.append(Aim(f"{name}: half of C's", row, "c_cpu_us_per_delivery", 2))
        elif row.what == "publish":
            made.append(Aim("events/s: four times", row, "events_per_s", 4, bigger_is_better=True))
        elif row.what == "latency":
            made.append(Aim("latency p50: no worse", row, "p50_us", 1))
            made.append(Aim("latency p99: no worse", row, "p99_us", 1))
    return made


def run(program: list[str], *, is_checked: bool = False) -> Figures:
    """Run one measuring process."""
    environment = {**os.environ, "VIREVENTS_LOCKCHECK": "1" if is_checked else "0"}
    done = subprocess.run(
        program, check=True, capture_output=True, text=True, timeout=600, env=environment
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def build_c_peer(folder: Path) -> Path | None:
    """Build the C program; None where it cannot be."""
    program = folder / "measure_libvirt"
    source = str(HERE / "measure_libvirt.c")
    try:
        command = ["cc", "-O2", "-o", str(program), source, "-lvirt"]
        done = subprocess.run(command, check=False, capture_output=True)
    except OSError:
        return None
    return program if done.returncode == 0 else None


def run_in_c(row: Measurement, program: Path | None) -> Figures:
    """Run the C program once for *row*, where there is one."""
    if program is None or row.what != "dispatch":
        return {}
    # It runs its loop in one piece, so it needs no more events than that takes a moment.
    figures = run([str(program), str(row.callbacks), str(min(row.events, 4_000))])
    return {f"c_{name}": value for name, value in figures.items()}


def add_c_figure(off: Figures, on: Figures, theirs: Figures) -> None:
    """Put C's figure beside ours: measured, or the known part of libvirt-python's."""
    theirs.setdefault("c_cpu_us_per_delivery", theirs["cpu_us_per_delivery"] * C_PART)
    for ours in (off, on):
        ours["c_cpu_us_per_delivery"] = ours["cpu_us_per_delivery"]


def medians(samples: list[Figures]) -> Figures:
    """The median of each figure."""
    return {name: median(sample[name] for sample in samples) for name in samples[0]}


def has_libvirt() -> bool:
    """Whether the peer can be run."""
    probe = [LIBVIRT_PYTHON, "-c", "import libvirt"]
    try:
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="processes for each figure")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    options = parser.parse_args()
    rows = measurements(is_quick=options.quick)
    peer = has_libvirt()
    if not peer:
        print("python3-libvirt is not installed: there is nothing to compare with")
    with TemporaryDirectory() as folder:
        in_c = build_c_peer(Path(folder)) if peer else None
        if peer and in_c is None:
            print(
                f"no C compiler or libvirt headers: C's figure is {C_PART:.2f} of libvirt-python's"
            )
        off, on, theirs = measure_all(rows, options.runs, with_peer=peer, in_c=in_c)
    print_table(rows, off, on, theirs)
    return print_aims(aims(rows), off, theirs) if peer else 0


def measure_all(
    rows: list[Measurement], runs: int, *, with_peer: bool, in_c: Path | None
) -> tuple[dict[Measurement, Figures], dict[Measurement, Figures], dict[Measurement, Figures]]:
    """Run everything in turns; medians with checks off, with checks on, and of the peer."""
    results: tuple[dict[Measurement, Figures], ...] = ({}, {}, {})
    for row in rows:
        samples: tuple[list[Figures], ...] = ([], [], [])
        ours = [sys.executable, str(HERE / "measure_ours.py"), *row.arguments, row.delivery]
        peer = [LIBVIRT_PYTHON, str(HERE / "measure_libvirt.py"), *row.arguments]
        for _ in range(runs):
            samples[0].append(run(ours))
            if with_peer:
                samples[2].append(run(peer) | run_in_c(row, in_c))
            samples[1].append(run(ours, is_checked=True))
        for result, sample in zip(results, samples, strict=True):
            if sample:
                result[row] = medians(sample)
        if with_peer and row.what == "dispatch":
            add_c_figure(results[0][row], results[1][row], results[2][row])
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results[0], results[1], results[2]


def print_table(
    rows: list[Measurement],
    off: dict[Measurement, Figures],
    on: dict[Measurement, Figures],
    theirs: dict[Measurement, Figures],
) -> None:
    """One line a figure."""
    print(f"{'what':<12}{'callbacks':>10}  {'delivery':<10}{'figure':<22}", end="")
    print(f"{'ours':>12}{'checks on':>12}{'libvirt':>12}{'ratio':>8}")
    for row in rows:
        for figure, value in off[row].items():
            peer = theirs.get(row, {}).get(figure)
            print(f"{row.what:<12}{row.callbacks or 1:>10}  {row.delivery:<10}{figure:<22}", end="")
            print(f"{value:>12,.2f}{on[row][figure]:>12,.2f}", end="")
            print(f"{peer:>12,.2f}{value / peer:>8.2f}" if peer else f"{'-':>12}{'-':>8}")


def print_aims(
    wanted: list[Aim], off: dict[Measurement, Figures], theirs: dict[Measurement, Figures]
) -> int:
    """One line an aim; 1 when one is missed."""
    has_missed = False
    for aim in wanted:
        ours, peer = off[aim.measurement][aim.figure], theirs[aim.measurement][aim.figure]
        factor, is_reached = aim.verdict(ours, peer)
        has_missed |= not is_reached
        word = "reached" if is_reached else "MISSED"
        print(f"{word:<8}{aim.name}: {factor:.2f} times, aim {aim.least:.2f}")
    return int(has_missed)


if __name__ == "__main__":
    sys.exit(main())
