# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many real QEMU domains alive at once in one process: all told of, none left behind.

The full size is marked ``long`` and prints what it cost; a shortened one is in every run.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

import virevents
from virevents import Connection, Domain, LifecycleEvent
from virevents.testing.guests import GUESTS

_FULL: Final = 100
_SHORT: Final = 8
_CALLERS: Final = 4
_PATIENCE: Final = 300.0
_LIFE: Final = [
    "defined added",
    "resumed unpaused",
    "started booted",
    "suspended paused",
    "resumed unpaused",
    "shutdown host",
    "stopped destroyed",
]


class _Told:
    """What was told of each domain; waits until as many have stopped as were to."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.lives: dict[str, list[str]] = {}

    def take(self, event: LifecycleEvent) -> None:
        with self._changed:
            self.lives.setdefault(event.domain.name, []).append(f"{event.event} {event.detail}")
            self._changed.notify_all()

    def wait_for(self, word: str, number: int) -> None:
        def are_there() -> bool:
            return sum(word in life for life in self.lives.values()) >= number

        with self._changed:
            assert self._changed.wait_for(are_there, _PATIENCE), self.lives


def _xml(number: int, rom: Path) -> str:
    return (
        f"<domain type='qemu'><name>many{number}</name>"
        f"<uuid>6695eb01-f6a4-8304-79aa-{number:012x}</uuid><memory>8192</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type>"
        f"<loader>{rom}</loader></os><devices><memballoon model='none'/></devices></domain>"
    )


def _for_all(domains: Iterable[Domain], call: Callable[[Domain], object]) -> float:
    """Do *call* for each of *domains*, from several threads; how many seconds it took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(_CALLERS) as pool:
        for _ in pool.map(call, domains):
            pass
    return time.perf_counter() - began


def _pause_and_go_on(domain: Domain) -> None:
    domain.suspend()
    domain.resume()


def _manager() -> Counter[str]:
    """What this process itself takes now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    facts = dict(line.split(":", 1) for line in status.splitlines())
    return Counter(
        rss_kib=int(facts["VmRSS"].split()[0]),
        threads=int(facts["Threads"]),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
    )


def _live(connection: Connection, number: int, rom: Path) -> list[str]:
    """Have *number* domains alive at once, and see each through its life; lines of a table."""
    told = _Told()
    before = _manager()
    with connection.subscribe(told.take):
        domains = [connection.define(_xml(one, rom)) for one in range(number)]
        started = _for_all(domains, lambda domain: domain.start())
        assert {domain.name for domain in connection.list(active=True)} == {
            domain.name for domain in domains
        }
        alive = _manager()
        cpu = time.process_time()
        paused = _for_all(domains, _pause_and_go_on)
        cpu = time.process_time() - cpu
        ended = _for_all(domains, lambda domain: domain.destroy())
        told.wait_for("stopped destroyed", number)
    assert told.lives == {domain.name: _LIFE for domain in domains}
    assert connection.list(active=True) == []
    after = _manager()
    assert after["threads"] <= before["threads"] + _CALLERS
    grown = alive - before
    return [
        f"domains alive at once             {number}",
        f"started in, s                     {started:.1f}",
        f"suspended and resumed in, s       {paused:.2f}",
        f"our CPU of one of these, us       {cpu / number / 2 * 1e6:.0f}",
        f"destroyed in, s                   {ended:.2f}",
        f"our memory a domain, KiB          {grown['rss_kib'] / number:.0f}",
        f"our descriptors a domain          {grown['descriptors'] / number:.1f}",
        f"our threads for all               {grown['threads']}",
    ]


@pytest.mark.qemu
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(_SHORT, id="short"),
        pytest.param(_FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_many_domains_alive_at_once(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rom = GUESTS["rom-idle"].write(tmp_path)
    with virevents.open(f"qemu:///embed?root={tmp_path / 'root'}") as connection:
        lines = _live(connection, number, rom)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *lines, ""]))
