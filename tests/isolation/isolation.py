# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one misbehaving QEMU costs the others: latencies in the second before and in that second.

    python -m tests.isolation.isolation [--trials 5]

In each trial four real domains are paused and resumed by a thread each, for a second; then again
for a second, at whose beginning a fifth one is stopped (SIGSTOP), killed (SIGKILL), or answers
with garbage or a flood of events, with a call to it in flight. It prints the 99th percentile of
both seconds and their ratio, the median of the trials; the status is 1 if a ratio is above two,
or if the call to the stopped domain did not end with a timeout error.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import virevents
from tests.survival.processes import definition_of, kill, marked
from virevents.clock import monotonic
from virevents.errors import MonitorTimeoutError

OTHERS: Final = 4
SECOND: Final = 1.0
AIM: Final = 2.0
BABBLER: Final = Path(__file__).with_name("babbler.py")
VICTIMS: Final = ("stopped", "killed", "garbage", "events")


class Stage:
    """Some domains that are well, and one of each kind that will not be."""

    def __init__(self, connection: virevents.Connection, root: Path) -> None:
        self.root = root
        self.others = [
            connection.create(definition_of(root, f"well{number}")) for number in range(OTHERS)
        ]
        emulator = root / "babbler"
        emulator.write_text(f"#!{sys.executable} -ISs\n{BABBLER.read_text()}")
        emulator.chmod(0o700)
        self.victims = {}
        for name in VICTIMS:
            xml = definition_of(root, name)
            if name in {"garbage", "events"}:
                xml = xml.replace("</domain>", _devices(emulator))
            self.victims[name] = connection.create(xml)

    def pid(self, domain: virevents.Domain) -> int:
        """The process of a domain's QEMU."""
        folder = self.root / "run" / str(domain.id)
        return next(pid for pid, found in marked(self.root).items() if found == folder)


def _devices(emulator: Path) -> str:
    return f"<devices><emulator>{emulator}</emulator></devices></domain>"


@contextlib.contextmanager
def stage(root: Path) -> Iterator[Stage]:
    """Start all of them; end them."""
    with virevents.open(f"qemu:///embed?root={root}&monitor_timeout={SECOND}") as connection:
        try:
            yield Stage(connection, root)
        finally:
            for domain in connection.list(active=True):
                with contextlib.suppress(virevents.VireventsError):
                    domain.destroy()


def latencies(others: list[virevents.Domain], lasting: float) -> list[float]:
    """Pause and resume each for so long, side by side; how long each call took."""
    taken: list[float] = []
    end = monotonic() + lasting

    def keep_on(domain: virevents.Domain) -> None:
        while (begin := monotonic()) < end:
            domain.suspend()
            between = monotonic()
            domain.resume()
            taken.extend((between - begin, monotonic() - between))

    threads = [threading.Thread(target=keep_on, args=(domain,)) for domain in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def mischief(scene: Stage, name: str) -> Callable[[], str]:
    """What makes the domain *name* misbehave, with a call to it; it returns how the call ended."""
    domain = scene.victims[name]
    pid = scene.pid(domain)

    def do() -> str:
        if name == "stopped":
            os.kill(pid, signal.SIGSTOP)
        if name == "killed":
            kill(pid)
        try:
            domain.suspend()
        except virevents.VireventsError as error:
            return type(error).__name__
        return "no error"

    return do


def measure(scene: Stage, name: str) -> tuple[float, float, str]:
    """The 99th percentiles of the second before and of the second of the mischief; its end."""
    do, ended = mischief(scene, name), []
    before = latencies(scene.others, SECOND)
    caller = threading.Thread(target=lambda: ended.append(do()))
    caller.start()
    during = latencies(scene.others, SECOND)
    caller.join()
    return quantiles(before, n=100)[98], quantiles(during, n=100)[98], ended[0]


def run(trials: int) -> list[str]:
    """Measure and print; return what missed."""
    figures: dict[str, list[tuple[float, float, str]]] = {name: [] for name in VICTIMS}
    for _ in range(trials):
        prefix = "virevents-isolation-"
        with tempfile.TemporaryDirectory(prefix=prefix) as root, stage(Path(root)) as scene:
            for name in VICTIMS:
                figures[name].append(measure(scene, name))
    missed = []
    sys.stdout.write("one QEMU is   p99 before, ms   in that second   ratio   its call\n")
    for name, rows in figures.items():
        before, during = median(row[0] for row in rows), median(row[1] for row in rows)
        ratio = median(row[1] / row[0] for row in rows)
        ends = ", ".join(sorted({row[2] for row in rows}))
        sys.stdout.write(
            f"{name:12} {before * 1000:15.2f} {during * 1000:16.2f} {ratio:7.2f}   {ends}\n"
        )
        if ratio > AIM:
            missed.append(f"{name}: {ratio:.2f} times the latency")
        if name == "stopped" and ends != MonitorTimeoutError.__name__:
            missed.append(f"the call to a stopped QEMU ended with {ends}")
    return missed


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tests.isolation.isolation", description=__doc__)
    parser.add_argument("--trials", type=int, default=5)
    missed = run(parser.parse_args().trials)
    sys.stdout.writelines(f"missed: {words}\n" for words in missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
