# SPDX-License-Identifier: LGPL-2.1-or-later
"""C3 for a domain that goes while another thread defines it anew: the test driver, as it ships."""

from typing import cast

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from virevents.definition import parse_definition
from virevents.drivers import ConnectionUri, DriverContext
from virevents.drivers.test import TestDriver
from virevents.loop import AsyncioLoop
from virevents.model import (
    DomainState,
    Lifecycle,
    LifecycleEvent,
    ShutoffReason,
    StateAndReason,
    UndefinedDetail,
)
from virevents.testing.schedules import Run

_UUID = "00000000-0000-4000-8000-000000000001"
_XML = (
    f"<domain type='test'><name>web1</name><uuid>{_UUID}</uuid>"
    "<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
)
_OFF = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)


class _Asleep:
    """A loop that never comes to flush: what is asked is the order in the queue."""

    def make_waker(self, _: object) -> "_Asleep":
        return self

    def __call__(self) -> None: ...


def undefine_against_define(run: Run) -> None:
    context = DriverContext(cast("AsyncioLoop", _Asleep()), run.clock)
    driver = TestDriver(ConnectionUri.parse("test:///x"), context)
    driver.populate(parse_definition(_XML), _OFF)
    run.thread(driver.undefine, _UUID, name="undefines")
    run.thread(driver.define, _XML, name="defines")

    def check() -> None:
        told = [
            f"{event.event} {event.detail}"
            for event in driver.state.queue.drain()
            if isinstance(event, LifecycleEvent)
        ]
        assert told in (
            ["undefined removed", "defined added"],
            ["defined updated", "undefined removed"],
        )

    run.finally_(check)


def test_c3_a_domain_goes_before_it_comes_again(exhausts: Exhausts) -> None:
    exhausts(undefine_against_define)


def test_c3_planted_removed_before_its_last_event(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault that the conformance kit met: who defines anew is told before the end is."""

    def undefine(driver: TestDriver, uuid: str) -> None:
        with driver._in_turn(uuid) as domain:
            with domain.lock:
                domain.is_persistent = False
                domain.is_removed = True
                driver._life.tell_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED)
            driver._leave_if_removed(domain)

    monkeypatch.setattr(TestDriver, "undefine", undefine)
    shows(undefine_against_define)
