# SPDX-License-Identifier: LGPL-2.1-or-later
"""C10: for any event id, any number."""

import pytest

import virevents
from tests.contract.stage import change
from tests.model.samples import SAMPLES
from virevents.drivers.test import TestDriver
from virevents.model import DomainEvent, EventId
from virevents.model.value import field_names


@pytest.mark.parametrize("event_id", list(EventId), ids=str)
def test_c10_every_event_id_can_be_subscribed_to(
    event_id: EventId, conn: virevents.Connection
) -> None:
    driver = conn.reading()
    assert isinstance(driver, TestDriver)
    met: list[DomainEvent] = []
    everything: list[DomainEvent] = []
    fresh = [_unpushed(event) for event, _ in SAMPLES]
    with (
        conn.subscribe(met.append, event_id=event_id),
        conn.subscribe(met.append, event_id=str(event_id)),
        conn.subscribe(everything.append, event_id="all"),
    ):
        for event in fresh:
            driver.inject(event)
    expected = [event for event in fresh if event.event_id is event_id]
    assert expected
    assert sorted(event.sequence for event in met) == sorted(
        event.sequence for event in expected * 2
    )
    assert everything == fresh


def _unpushed(event: DomainEvent) -> DomainEvent:
    names = set(field_names(type(event))) - {"sequence"}
    made = type(event)(**{name: getattr(event, name) for name in names})
    assert isinstance(made, DomainEvent)
    return made


def test_c10_five_hundred_callbacks(conn: virevents.Connection, domain: virevents.Domain) -> None:
    counts = [0] * 500

    def counting(number: int) -> virevents.Subscription:
        def count(_: virevents.LifecycleEvent) -> None:
            counts[number] += 1

        return conn.subscribe(count, domain=domain if number % 2 else None)

    subscriptions = [counting(number) for number in range(500)]
    change(domain, 2)
    assert all(one.drain(20) for one in subscriptions)
    assert counts == [4] * 500
