# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kills the manager of real QEMUs at random moments, and holds what is left against its record.

    python -m tests.survival.kill_manager --kills 200 [--seed N] [--root DIR]

Each round starts a manager (``manager.py``), kills it with SIGKILL after a time by chance, from
its first steps of opening the directory on, and sometimes kills one of its QEMUs while nobody
manages it. What is on record at that moment says what must come next: a run that was told of is
found again by the next manager under its id, or its STOPPED comes once; nothing that was told
is told again. What was told, but had not reached the callback when the process was killed, went
with the process: the table counts it ("told, not delivered"), and it is never made up for. That
is some microseconds of each life: when it is seen more often, what is told is not what is on
record.

The status is 1 if anything was missed: a definition that cannot be read, a domain lost, an event
twice, a QEMU that nobody has, a file that stays.
"""

import argparse
import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import virevents
from tests.survival.processes import Record, kill, marked, records
from virevents.clock import monotonic
from virevents.definition import parse_definition
from virevents.drivers.qemu.told import Note
from virevents.errors import VireventsError

REPOSITORY: Final = Path(__file__).parents[2]
# Seconds; opening takes about half of the first.
LONGEST_OPENING: Final = 1.2
LONGEST_WORK: Final = 0.8
PATIENCE: Final = 60.0
# The part of the kills that may meet an event on its way to the callback; one in forty was seen.
MOST_IN_FLIGHT: Final = 0.1

# What each event leads to, and from where it may come. A start tells RESUMED before STARTED.
FROM: Final = {
    "started": {"off", "starting"},
    "resumed": {"off", "paused"},
    "suspended": {"running"},
    "shutdown": {"running", "paused"},
    "stopped": {"running", "paused", "shutdown", "starting"},
}
TO: Final = {
    "started": "running",
    "suspended": "paused",
    "shutdown": "shutdown",
    "stopped": "off",
}


class Ledger:
    """What was told of each domain, and what must come."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.expected: dict[str, Record] = {}
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()

    def fault(self, words: str) -> None:
        self.faults.append(words)

    def take(self, line: dict[str, object]) -> None:
        """An event reached the callback of the manager of this round."""
        uuid, event = str(line["uuid"]), str(line["event"])
        if event in {"defined", "undefined"}:
            return
        self.counts["events"] += 1
        before = self.state.get(uuid, "off")
        # A restored domain is told as started, then as running on.
        goes_on = event == "resumed" and line["detail"] == "from-snapshot"
        if before not in FROM[event] and not goes_on:
            self.fault(f"{event} {line['detail']} of {uuid}, which was {before} already")
        started = "starting" if before == "off" else "running"
        self.state[uuid] = TO.get(event, started)
        if event == "stopped" and line["found"]:
            self.counts["stopped, found at start"] += 1
            if self.expected.pop(uuid, None) is None:
                self.fault(f"a STOPPED of {uuid} was found at start and nothing had run")

    def ready(self, active: list[list[object]]) -> None:
        """The next manager has told all that it found."""
        ids = {str(uuid): number for uuid, number in active}
        for uuid, record in self.expected.items():
            if ids.get(uuid) == record.folder.domain_id:
                self.counts["found again"] += 1
            elif self.state.get(uuid, "off") != "off":
                self.fault(f"{uuid} ran as {record.folder.domain_id} and is neither found nor told")
        self.expected.clear()

    def killed(self, left: list[Record]) -> None:
        """The manager was killed: what it left on record is what was told."""
        told = {record.status.definition.uuid: record for record in left}
        for uuid in {*self.state, *told}:
            record = told.get(uuid)
            state = "off" if record is None else _state_on_record(record)
            if state != self.state.get(uuid, "off"):
                self.counts["told, not delivered"] += 1
            self.state[uuid] = state
            if record is not None and state != "off":
                self.expected[uuid] = record


def _state_on_record(record: Record) -> str:
    notes = record.told.notes
    if Note.STARTED not in notes or Note.STOPPED in notes:
        return "off"
    return str(record.told.state.state)


class Lines:
    """What a manager says until *deadline*, when it is killed, and what it had said by then."""

    def __init__(self, manager: "subprocess.Popen[bytes]", deadline: float) -> None:
        self.deadline = deadline
        self._manager = manager

    def read(self) -> Iterator[dict[str, object]]:
        assert self._manager.stdout is not None
        descriptor, rest = self._manager.stdout.fileno(), b""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        is_killed = False
        while True:
            left_ms = max(0.0, self.deadline - monotonic()) * 1000
            if not is_killed and (not left_ms or not poll.poll(left_ms)):
                self._manager.send_signal(signal.SIGKILL)
                is_killed = True
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return
            *whole, rest = (rest + chunk).split(b"\n")
            for text in whole:
                yield json.loads(text)


def play(root: Path, ledger: Ledger, chance: random.Random) -> None:
    """One round: manage, kill, look at what is left."""
    arguments = [sys.executable, "-m", "tests.survival.manager", str(root), str(chance.random())]
    # As likely as not it is killed while it opens the directory, or some time after.
    is_early, work = chance.random() < 0.4, chance.uniform(0.0, LONGEST_WORK)
    life = chance.uniform(0.1, LONGEST_OPENING) if is_early else PATIENCE
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=REPOSITORY) as manager:
        lines = Lines(manager, monotonic() + life)
        for line in lines.read():
            if "ready" in line:
                ledger.counts["managers ready"] += 1
                ledger.ready(line["ready"])  # type: ignore[arg-type]
                check_orphans(root, ledger)
                lines.deadline = min(lines.deadline, monotonic() + work)
            else:
                ledger.take(line)
    if manager.returncode != -signal.SIGKILL:
        ledger.fault(f"the manager ended by itself: {manager.returncode}")
    check_definitions(root, ledger)
    if not (root / "run").is_dir():
        return  # it was killed before it made the directory
    ledger.killed(records(root))
    if chance.random() < 0.4:
        for pid in sorted(marked(root))[:1]:
            kill(pid)
            ledger.counts["QEMUs killed between"] += 1


def check_definitions(root: Path, ledger: Ledger) -> None:
    for path in (root / "domains").glob("*.xml"):
        try:
            ledger.counts["definitions read"] += 1
            assert parse_definition(path.read_bytes()).uuid == path.stem
        except (VireventsError, AssertionError) as error:
            ledger.fault(f"{path}: {error}")


def check_orphans(root: Path, ledger: Ledger) -> None:
    """Every QEMU that lives has its folder; the manager goes on meanwhile."""
    for pid, folder in marked(root).items():
        if not folder.exists() and pid in marked(root):
            ledger.fault(f"QEMU {pid} runs for {folder}, which is not there")


def end_all(root: Path, ledger: Ledger) -> None:
    """Open it a last time, end what runs, and see that nothing stays."""
    with virevents.open(f"qemu:///embed?root={root}") as connection:
        with connection.subscribe(lambda event: ledger.take(_facts(event)), only=None):
            pass
        ledger.ready([[domain.uuid, domain.id] for domain in connection.list(active=True)])
        for domain in connection.list(active=True):
            with contextlib.suppress(virevents.StateError, virevents.DomainNotFoundError):
                domain.destroy()
        for domain in connection.list():
            domain.undefine(managed_save=True)
    for pid, folder in marked(root).items():
        ledger.fault(f"QEMU {pid} of {folder} outlived all")
        kill(pid)
    for name in ("run", "domains", "save", "autostart"):
        for path in (root / name).glob("*"):
            ledger.fault(f"{path} stays")


def _facts(event: virevents.DomainEvent) -> dict[str, object]:
    assert isinstance(event, virevents.LifecycleEvent)
    found = event.cause.is_found_at_start
    return {
        "uuid": event.domain.uuid,
        "event": str(event.event),
        "detail": str(event.detail),
        "found": found,
    }


def campaign(root: Path, kills: int, seed: int) -> Ledger:
    """Play *kills* rounds on *root*."""
    ledger, chance = Ledger(), random.Random(seed)
    for _ in range(kills):
        ledger.counts["kills of the manager"] += 1
        play(root, ledger, chance)
    end_all(root, ledger)
    in_flight = ledger.counts["told, not delivered"]
    if in_flight > 3 + kills * MOST_IN_FLIGHT:
        ledger.fault(f"{in_flight} times the record was not what had been delivered")
    return ledger


def table(ledger: Ledger) -> str:
    """What happened, and what was missed."""
    rows = [f"  {count:7d}  {what}" for what, count in ledger.counts.items()]
    rows += [f"  {len(ledger.faults):7d}  faults", *(f"    {words}" for words in ledger.faults)]
    return "\n".join(rows) + "\n"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tests.survival.kill_manager", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="virevents-kill-") as folder:
        ledger = campaign(Path(folder) / "root", given.kills, given.seed)
    sys.stdout.write(f"seed {given.seed}\n{table(ledger)}")
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
