# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's migration to and from a descriptor: real QEMUs, and a scripted one for its moods."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tests.drivers.qemu.harness import Bench, bench, one_process
from virevents.drivers.qemu import migration
from virevents.drivers.qemu.driver import QemuDriver
from virevents.drivers.qemu.dumping import dump_to
from virevents.drivers.qemu.listening import Listeners, Listening
from virevents.drivers.qemu.migration import (
    SAVE,
    break_off,
    job_parameters,
    load_from,
    save_to,
)
from virevents.drivers.qemu.run import QemuRun, Startup
from virevents.errors import MonitorError, MonitorTimeoutError, OperationFailedError
from virevents.model import DomainState, Json, RunningReason

# What QEMU 7.2 answered to query-migrate, and what libvirt 9.0 made of such an answer.
ANSWER: Final[dict[str, Json]] = {
    "status": "completed",
    "setup-time": 1,
    "downtime": 15,
    "total-time": 17,
    "ram": {
        "total": 8585216,
        "postcopy-requests": 0,
        "dirty-sync-count": 2,
        "multifd-bytes": 0,
        "pages-per-second": 0,
        "downtime-bytes": 0,
        "page-size": 4096,
        "remaining": 0,
        "postcopy-bytes": 0,
        "mbps": 510.008,
        "transferred": 88509,
        "dirty-sync-missed-zero-copy": 0,
        "precopy-bytes": 0,
        "duplicate": 2079,
        "dirty-pages-rate": 0,
        "skipped": 0,
        "normal-bytes": 69632,
        "normal": 17,
    },
}
PARAMS: Final = {
    "operation": 2,
    "time_elapsed": 18,
    "downtime": 15,
    "setup_time": 1,
    "data_total": 8585216,
    "data_processed": 88509,
    "data_remaining": 0,
    "memory_total": 8585216,
    "memory_processed": 88509,
    "memory_remaining": 0,
    "memory_bps": 63751000,
    "memory_constant": 2079,
    "memory_normal": 17,
    "memory_normal_bytes": 69632,
    "memory_dirty_rate": 0,
    "memory_iteration": 2,
    "memory_postcopy_requests": 0,
    "memory_page_size": 4096,
}


def test_as_libvirt() -> None:
    assert dict(job_parameters(ANSWER, SAVE, 18)) == PARAMS


@pytest.mark.parametrize("answer", [{}, {"ram": 7, "downtime": "x"}, {"ram": {"mbps": "x"}}])
def test_as_libvirt_what_qemu_leaves_out(answer: dict[str, Json]) -> None:
    assert dict(job_parameters(answer, SAVE, 18)) == {"operation": 2, "time_elapsed": 18}


def test_as_libvirt_no_speed_when_nothing_was_measured() -> None:
    assert "memory_bps" not in job_parameters({"ram": {"mbps": 0}}, SAVE, 18)


Answers: TypeAlias = "Mapping[str, list[Json | MonitorError]]"


class Qemu:
    """A QEMU that answers as scripted; the last answer holds."""

    def __init__(self, answers: Answers) -> None:
        self.listeners = Listeners()
        self.asked: list[str] = []
        self._answers = {command: [*each] for command, each in answers.items()}

    def listen(self, *names: str) -> Listening:
        return self.listeners.listen(*names)

    async def send_descriptor(self, name: str, descriptor: int) -> None:
        self.asked.append(f"{name} {descriptor}")

    async def execute(
        self, command: str, arguments: Mapping[str, Json] | None = None, *, within: float = 0.0
    ) -> Json:
        self.asked.append(command)
        answers = self._answers.get(command, [{}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, MonitorError):
            raise answer
        if command.startswith("migrate") and "migrate" in self._answers:
            self.listeners.put({"event": "MIGRATION", "data": {"status": "active"}})
            self.listeners.put({"event": "MIGRATION", "data": {"status": "completed"}})
        return answer


def test_says_why() -> None:
    qemu = Qemu({"migrate": [{}], "query-migrate": [{"status": "failed", "error-desc": "No room"}]})
    with pytest.raises(OperationFailedError, match="could not be moved: No room"):
        asyncio.run(save_to(qemu, 7))


@pytest.mark.parametrize("answer", [{"status": "failed"}, {}, "nonsense", None])
def test_says_why_as_far_as_it_is_known(answer: Json) -> None:
    qemu = Qemu({"migrate": [{}], "query-migrate": [answer]})
    with pytest.raises(OperationFailedError, match="QEMU says no more than"):
        asyncio.run(save_to(qemu, 7))


def test_never_hangs_while_qemu_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is heard: an answer tells as well."""
    monkeypatch.setattr(migration, "_SILENCE_MAX", 0.01)
    active: Json = {"status": "active"}
    qemu = Qemu({"query-migrate": [active, active, ANSWER]})
    assert asyncio.run(save_to(qemu, 7)) == ANSWER
    assert qemu.asked[-3:] == ["query-migrate"] * 3


def test_never_hangs_with_a_qemu_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "_SILENCE_MAX", 0.01)
    hung = MonitorTimeoutError("query-migrate", "", "no answer")
    with pytest.raises(MonitorTimeoutError):
        asyncio.run(save_to(Qemu({"query-migrate": [{"status": "active"}, hung]}), 7))


def test_breaks_off_nothing() -> None:
    qemu = Qemu({"query-dump": [{"status": "none"}]})
    asyncio.run(break_off(qemu))
    assert qemu.asked == ["migrate_cancel", "query-dump"]


def test_breaks_off_when_the_dump_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "_SILENCE_MAX", 0.01)
    active: Json = {"status": "active"}
    qemu = Qemu({"query-dump": [active, active, {"status": "completed"}]})
    asyncio.run(break_off(qemu))
    assert qemu.asked == ["migrate_cancel", *["query-dump"] * 3]


# Real ones.


def run_of(web: Bench, uuid: str) -> tuple[QemuDriver, QemuRun]:
    assert isinstance(web.driver, QemuDriver)
    run = web.driver._estate.domains.by_uuid(uuid).run
    assert run is not None
    return web.driver, run


@pytest.mark.qemu
def test_whole_state(web: Bench, tmp_path: Path) -> None:
    """The stream alone, without our header, is what another QEMU goes on from."""
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.suspend(uuid)
    driver, run = run_of(web, uuid)
    with (tmp_path / "stream").open("wb") as written:
        driver._estate.on_loop(lambda: save_to(run, written.fileno()), "the save")
    assert (tmp_path / "stream").read_bytes()[:4] == b"QEVM"
    web.driver.destroy(uuid)
    with (tmp_path / "stream").open("rb") as file:

        async def load(other: QemuRun) -> None:
            await load_from(other, file.fileno())

        domain = driver._estate.domains.by_uuid(uuid)
        with domain.turn:
            startup = Startup(incoming=load)
            driver._starting.bring_up(domain, domain.next_definition, startup)
    assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.RESTORED)


class CrashError(BaseException):
    """The process does not come to do any more."""


@pytest.mark.qemu
def test_breaks_off_a_save_that_was_left(tmp_path: Path) -> None:
    """Into a pipe that nobody reads: it would go on for ever, and stop the guest at its end."""
    reader, writer = os.pipe()

    async def begin(run: QemuRun, _: int) -> Mapping[str, Json]:
        await run.send_descriptor("left", writer)
        await run.execute("migrate", {"uri": "fd:left"})
        raise CrashError

    uuid = left_by(tmp_path, "save_to", begin, lambda web, uuid: web.driver.managed_save(uuid))
    os.close(writer)
    with bench(tmp_path) as web:
        assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.SAVE_CANCELED)
        assert not web.driver.has_managed_save(uuid)
        driver, run = run_of(web, uuid)
        status = driver._estate.on_loop(lambda: run.execute("query-migrate"), "a question")
        assert isinstance(status, dict)
        assert status["status"] in {"cancelling", "cancelled"}
    os.close(reader)


@pytest.mark.qemu
def test_breaks_off_a_dump_that_was_left(tmp_path: Path) -> None:
    async def begin(run: QemuRun, descriptor: int) -> None:
        await dump_to(run, descriptor)
        raise CrashError

    core = str(tmp_path / "core")
    uuid = left_by(
        tmp_path, "dumping.dump_to", begin, lambda web, uuid: web.driver.core_dump(uuid, core)
    )
    with bench(tmp_path) as web:
        assert web.driver.domain_state(uuid).state is DomainState.RUNNING


def left_by(
    root: Path,
    what: str,
    begin: Callable[[QemuRun, int], object],
    call: Callable[[Bench, str], None],
) -> str:
    """Have a process end in the middle of *call*."""
    name = what if "." in what else f"saving.{what}"
    with pytest.MonkeyPatch.context() as patch, one_process(root) as web:
        uuid = web.define()
        web.driver.start(uuid)
        patch.setattr(f"virevents.drivers.qemu.{name}", begin)
        with pytest.raises(CrashError):
            call(web, uuid)
    return uuid
