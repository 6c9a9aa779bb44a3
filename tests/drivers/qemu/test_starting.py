# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts of real QEMUs, and of what is none: running, paused, failed."""

from pathlib import Path

import pytest

from tests.drivers.qemu.harness import DESTROY, START, Bench, bench, qemu_children
from virevents.drivers import StartMode
from virevents.errors import ClosedError, HostError, StartError, StateError
from virevents.model import (
    Cause,
    DomainState,
    LifecycleEvent,
    PausedReason,
    RequestedBy,
    ShutoffReason,
)

pytestmark = pytest.mark.qemu


def test_golden_create(web: Bench) -> None:
    created = web.driver.create(web.xml())
    assert created.id == 1
    assert web.driver.lookup_id(1) == created
    with pytest.raises(StateError, match="already running"):
        web.driver.create(web.xml())
    web.driver.destroy(created.uuid)
    assert web.told.wait_for(*DESTROY) == [*START, *DESTROY]
    assert web.driver.domains() == []


def test_golden_start_paused(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid, StartMode.PAUSED)
    assert web.driver.domain_state(uuid) == (DomainState.PAUSED, PausedReason.USER)
    web.driver.resume(uuid)
    told = web.told.wait_for("resumed unpaused")
    assert told[1:] == ["started booted", "suspended paused", "resumed unpaused"]


@pytest.mark.parametrize(
    ("machine", "emulator", "words"),
    [
        ("pc-q35-nonsense", None, "unsupported machine type"),
        (None, "/bin/false", "exit status 1"),
        (None, "/bin/echo", "exit status 0: -name guest="),
    ],
)
def test_a_start_that_fails_tells_nothing(
    web: Bench, machine: str | None, emulator: str | None, words: str
) -> None:
    uuid = web.define(machine=machine, emulator=emulator)
    with pytest.raises(StartError, match="could not start domain web1: ") as caught:
        web.driver.start(uuid)
    assert words in str(caught.value)
    assert qemu_children() == []
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.FAILED)
    web.driver.undefine(uuid)
    told = ["defined added", "control-error", "undefined removed"]
    assert web.told.wait_for("undefined removed") == told


def test_a_creation_that_fails_leaves_no_domain(web: Bench) -> None:
    with pytest.raises(StartError):
        web.driver.create(web.xml(machine="pc-q35-nonsense"))
    assert web.driver.domains() == []
    assert web.told.wait_for("control-error") == ["control-error"]


def test_after_the_end_nothing_starts(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = web.define()
    with pytest.raises(ClosedError):
        web.driver.start(uuid)
    assert qemu_children() == []


def test_golden_start_is_the_calls(web: Bench) -> None:
    web.driver.start(web.define())
    web.told.wait_for(*START)
    causes = [event.cause for event in web.told.events() if isinstance(event, LifecycleEvent)]
    assert causes == [Cause(RequestedBy.CALL)] * 3


def test_golden_create_of_a_defined_domain_starts_it(web: Bench) -> None:
    uuid = web.define()
    assert web.driver.create(web.xml()).uuid == uuid
    assert web.driver.is_persistent(uuid)
    assert web.told.wait_for(*START) == ["defined added", *START]


def test_nothing_behind_of_a_start_for_which_a_file_is_missing(web: Bench) -> None:
    uuid = web.define()
    (web.root / "rom-idle.bin").unlink()
    with pytest.raises((HostError, StartError)):
        web.driver.start(uuid)
    assert qemu_children() == []
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.FAILED)
