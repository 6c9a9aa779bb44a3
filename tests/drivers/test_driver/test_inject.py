# SPDX-License-Identifier: LGPL-2.1-or-later
"""Any of the 27 kinds of event comes through the test driver as a hypervisor's would."""

import copy
from collections.abc import Iterator
from typing import Final

import pytest

import virevents
from tests.model.samples import DOMAIN, SAMPLES, TIME
from virevents.drivers.test import TestDriver
from virevents.errors import LocalProtocolError
from virevents.model import DomainEvent, EventId, RebootEvent
from virevents.model import number as number_it

_PATIENCE: Final = 10.0  # seconds; only a failing test uses them
_EVENTS: Final = [event for event, _ in SAMPLES]


@pytest.fixture
def conn() -> Iterator[virevents.Connection]:
    with virevents.open("test:///default") as opened:
        yield opened


def driver_of(conn: virevents.Connection) -> TestDriver:
    driver = conn.reading()
    assert isinstance(driver, TestDriver)
    return driver


def test_the_samples_are_of_every_kind() -> None:
    assert {event.event_id for event in _EVENTS} == set(EventId)


@pytest.mark.parametrize("sample", _EVENTS, ids=lambda event: event.event_id.word)
def test_inject(conn: virevents.Connection, sample: DomainEvent) -> None:
    event = copy.copy(sample)
    number_it(event, 0)  # as one that was not pushed yet; the push numbers it
    kind, everything, others = list[DomainEvent](), list[DomainEvent](), list[DomainEvent]()
    not_it: EventId = next(one for one in EventId if one is not sample.event_id)
    with (
        conn.subscribe(kind.append, event_id=sample.event_id.word),
        conn.subscribe(everything.append, event_id="all"),
        conn.subscribe(others.append, event_id=not_it.word),
    ):
        number = driver_of(conn).inject(event)
    assert kind == everything == [event]
    assert kind[0].sequence == number
    assert others == []


def test_injected_events_keep_their_place_among_the_drivers_own(
    conn: virevents.Connection,
) -> None:
    events: list[DomainEvent] = []
    with conn.subscribe(events.append, event_id="all"):
        conn.lookup("test").suspend()
        driver_of(conn).inject(RebootEvent(DOMAIN, TIME))
        conn.lookup("test").resume()
    assert [event.event_id for event in events] == [
        EventId.LIFECYCLE,
        EventId.REBOOT,
        EventId.LIFECYCLE,
    ]
    assert [event.sequence for event in events] == [1, 2, 3]


def test_an_event_is_injected_once(conn: virevents.Connection) -> None:
    event = RebootEvent(DOMAIN, TIME)
    driver_of(conn).inject(event)
    with pytest.raises(LocalProtocolError, match="pushed before"):
        driver_of(conn).inject(event)
