# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the operations share: turns, ids, the loop, dumps on nobody's call."""

import threading

import pytest

from tests.drivers.qemu.harness import DESTROY, PATIENCE, SHORT, Bench, in_threads
from virevents.drivers.qemu.driver import QemuDriver
from virevents.drivers.qemu.estate import Estate, disk
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.errors import ClosedError, DomainNotFoundError, HostError, OperationFailedError
from virevents.sync import assert_held

pytestmark = pytest.mark.qemu


def estate_of(web: Bench) -> Estate:
    assert isinstance(web.driver, QemuDriver)
    return web.driver._estate


def run_of(web: Bench, uuid: str) -> tuple[QemuDomain, QemuRun]:
    domain = estate_of(web).domains.by_uuid(uuid)
    run = domain.run
    assert run is not None
    return domain, run


def test_absent_is_absent(web: Bench) -> None:
    uuid = web.define()
    outcomes: list[str] = []

    def undefine() -> None:
        try:
            web.driver.undefine(uuid)
        except DomainNotFoundError:
            outcomes.append("absent")
        else:
            outcomes.append("done")

    in_threads(*[undefine] * 8)
    assert sorted(outcomes) == ["absent"] * 7 + ["done"]
    assert web.told.wait_for("undefined removed") == ["defined added", "undefined removed"]


def test_ids_grow(web: Bench) -> None:
    uuid = web.define()
    for _ in range(2):
        web.driver.start(uuid)
        web.driver.destroy(uuid)
    web.told.wait_for(*DESTROY)
    assert [event.domain.id for event in web.told.events()] == [-1, 1, 1, 1, -1, 2, 2, 2, -1]
    assert web.driver.lookup_uuid(uuid).id == -1


def test_closed(web: Bench) -> None:
    uuid = web.define()
    estate = estate_of(web)
    domain = estate.domains.by_uuid(uuid)
    estate.close()
    with pytest.raises(ClosedError, match="is closed"):
        estate.begin_run(domain, lambda: pytest.fail("a run began"))


def test_disk_errors_are_told_as_the_hosts() -> None:
    with (
        pytest.raises(HostError, match="could not write: no space") as caught,
        disk("could not write"),
    ):
        raise OSError("no space")
    assert caught.value.code == 38


def test_dumped_on_a_thread_with_the_turn_held(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    estate, (domain, run) = estate_of(web), run_of(web, uuid)
    threads: list[str] = []

    def dump(dumped: QemuDomain, _run: QemuRun) -> None:
        assert_held(dumped.turn)
        threads.append(threading.current_thread().name)

    estate.auto_dump = dump
    done = threading.Event()
    estate.dump_then(domain, run, done.set)
    assert done.wait(PATIENCE)
    assert estate.wait_for_dumps(PATIENCE)
    assert threads == [f"virevents-dump-{run.pid}"]


def test_dumped_or_not_it_goes_on(web: Bench, caplog: pytest.LogCaptureFixture) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    estate, (domain, run) = estate_of(web), run_of(web, uuid)

    def fail(_domain: QemuDomain, _run: QemuRun) -> None:
        raise OperationFailedError("no room for it")

    estate.auto_dump = fail
    done = threading.Event()
    estate.dump_then(domain, run, done.set)
    assert done.wait(PATIENCE)
    assert estate.wait_for_dumps(PATIENCE)
    assert "could not dump the memory of web1: no room for it" in caplog.text


def test_dumped_too_slowly_is_not_waited_for(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    estate, (domain, run) = estate_of(web), run_of(web, uuid)
    may_end, done = threading.Event(), threading.Event()

    def dump(_domain: QemuDomain, _run: QemuRun) -> None:
        assert may_end.wait(PATIENCE)

    estate.auto_dump = dump
    estate.dump_then(domain, run, done.set)
    assert not estate.wait_for_dumps(SHORT)
    may_end.set()
    assert estate.wait_for_dumps(PATIENCE)
    assert done.wait(PATIENCE)
