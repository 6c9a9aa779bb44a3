# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain whose QEMU hangs, dies or babbles costs the others: prints a table.

    bench/bench_isolation.py [--rounds N]

Two domains are suspended and resumed without a pause, each by a thread of its own. In each round
a third one is disturbed: its QEMU is stopped while a call waits for it (SIGSTOP), killed (SIGKILL),
or sends what is no QMP. The calls' 99th percentile in the second after that is to be at most twice
that of the second before. What waits for the disturbed QEMU has to end with an error.
The end is 1 when an aim is missed.
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import virevents
from virevents.errors import VireventsError
from virevents.testing.guests import GUESTS

HERE: Final = Path(__file__).parent
SECOND: Final = 1.0
MONITOR_TIMEOUT: Final = 0.5
MOST: Final = 2.0
FAKE: Final = HERE.parent / "tests" / "drivers" / "qemu" / "fake_emulator.py"


def domain_xml(name: str, rom: Path, emulator: str) -> str:
    """Define a domain without a disk."""
    return (
        f"<domain type='qemu'><name>{name}</name><memory>8192</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type><loader>{rom}</loader></os>"
        f"<devices><emulator>{emulator}</emulator><memballoon model='none'/></devices></domain>"
    )


class Caller:
    """Suspends and resumes a domain for as long as it is let, and notes how long each call took."""

    def __init__(self, domain: virevents.Domain) -> None:
        self._domain: Final = domain
        self._calls: Final[list[tuple[float, float]]] = []
        self._is_over = threading.Event()
        self._thread: Final = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.is_set():
            for call in (self._domain.suspend, self._domain.resume):
                began = time.perf_counter()
                call()
                self._calls.append((began, time.perf_counter() - began))

    def stop(self) -> None:
        """End after the call that is in flight."""
        self._is_over.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> list[float]:
        """How long the calls took that began in this time."""
        return [took for began, took in self._calls if begin <= began < end]


def pid_of(uuid: str) -> int:
    """The process id of a domain's QEMU."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if uuid.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return int(folder.name)
    raise LookupError(f"no process runs {uuid}")


def is_refused(call: Callable[[], object]) -> bool:
    """Whether *call* ends with an error of ours."""
    try:
        call()
    except VireventsError:
        return True
    return False


def disturb(kind: str, victim: virevents.Domain) -> Callable[[], bool]:
    """Disturb the domain; return what tells, later, whether a call on it ended with an error."""
    if kind != "garbage":
        os.kill(pid_of(victim.uuid), signal.SIGSTOP if kind == "SIGSTOP" else signal.SIGKILL)
    ends: list[bool] = []
    thread = threading.Thread(target=lambda: ends.append(is_refused(victim.suspend)))
    thread.start()

    def has_ended() -> bool:
        thread.join(30)
        return ends == [True]

    return has_ended


def one_round(
    kind: str, connection: virevents.Connection, callers: list[Caller], victim: virevents.Domain
) -> tuple[list[float], list[float], bool]:
    """One disturbance: the others' calls before, those after, and whether the call on it ended."""
    victim.start()
    begin = time.perf_counter()
    wait_until(begin + SECOND)
    middle = time.perf_counter()
    has_ended = disturb(kind, victim)
    wait_until(middle + SECOND)
    end = time.perf_counter()
    is_told = has_ended()
    if victim.is_active:
        victim.destroy()
    before = [took for caller in callers for took in caller.between(begin, middle)]
    after = [took for caller in callers for took in caller.between(middle, end)]
    return before, after, is_told and connection.lookup(victim.name).state().state.word == "shutoff"


def wait_until(moment: float) -> None:
    """Wait until the clock says *moment*."""
    threading.Event().wait(max(0.0, moment - time.perf_counter()))


def p99(times: list[float]) -> float:
    """The 99th percentile, in microseconds."""
    return sorted(times)[len(times) * 99 // 100] * 1e6


def measure(kind: str, rounds: int, root: Path) -> bool:
    """Measure one kind of disturbance, print its line, and tell whether the aim is reached."""
    rom = GUESTS["rom-idle"].write(root)
    fake = root / "fake-emulator"
    fake.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    before: list[float] = []
    after: list[float] = []
    are_told = True
    uri = f"qemu:///embed?root={root / kind}&monitor_timeout={MONITOR_TIMEOUT}"
    with virevents.open(uri) as connection:
        emulator = str(fake) if kind == "garbage" else "/usr/bin/qemu-system-x86_64"
        victim = connection.define(domain_xml("babbles", rom, emulator))
        others = [
            connection.create(domain_xml(name, rom, "/usr/bin/qemu-system-x86_64"))
            for name in ("one", "two")
        ]
        callers = [Caller(domain) for domain in others]
        for _ in range(rounds):
            calm, disturbed, is_told = one_round(kind, connection, callers, victim)
            before += calm
            after += disturbed
            are_told &= is_told
        for caller in callers:
            caller.stop()
        for domain in others:
            domain.destroy()
    ratio = p99(after) / p99(before)
    is_reached = ratio <= MOST and are_told
    print(
        f"{kind:<10}{len(before):>8}{len(after):>8}{p99(before):>12,.0f}{p99(after):>12,.0f}"
        f"{ratio:>8.2f}{'  yes' if are_told else '  NO':<8}{'reached' if is_reached else 'MISSED'}"
    )
    return is_reached


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10, help="disturbances of each kind")
    options = parser.parse_args()
    print(f"{'disturbed':<10}{'calls':>8}{'calls':>8}{'p99 before':>12}{'p99 after':>12}", end="")
    print(f"{'ratio':>8}  {'error':<6}aim: {MOST:g}   (us; error: its own call ended with one)")
    with tempfile.TemporaryDirectory(prefix="vb") as folder:
        are_reached = [
            measure(kind, options.rounds, Path(folder))
            for kind in ("SIGSTOP", "SIGKILL", "garbage")
        ]
    return int(not all(are_reached))


if __name__ == "__main__":
    sys.exit(main())
