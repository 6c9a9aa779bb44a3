# SPDX-License-Identifier: LGPL-2.1-or-later
"""The nine lifecycle events, their details, and where their domain may come from."""

from dataclasses import dataclass

import pytest

from tests.model.libvirt_table import members, shown_names
from tests.model.samples import DOMAIN, TIME
from virevents.model import (
    DETAIL_ENUMS,
    DomainIdentity,
    EventId,
    Lifecycle,
    LifecycleEvent,
    StartedDetail,
    UnknownNumber,
    detail_from_number,
)

_SPELLED = {Lifecycle.PMSUSPENDED: "PMSuspended"}


@dataclass
class Live:
    identity: DomainIdentity


def test_events_are_libvirts() -> None:
    assert members(Lifecycle) == shown_names("virDomainEventType", "VIR_DOMAIN_EVENT_")


@pytest.mark.parametrize("event", list(Lifecycle))
def test_all_details(event: Lifecycle) -> None:
    spelled = _SPELLED.get(event, event.name.capitalize())
    theirs = shown_names(f"virDomainEvent{spelled}DetailType", f"VIR_DOMAIN_EVENT_{event.name}_")
    assert members(DETAIL_ENUMS[event]) == theirs
    assert DETAIL_ENUMS[event].__name__ == f"{spelled}Detail"
    for number in theirs.values():
        assert detail_from_number(event, number) is DETAIL_ENUMS[event](number)


@pytest.mark.parametrize("event", list(Lifecycle))
def test_newer_peer(event: Lifecycle) -> None:
    detail = detail_from_number(event, 99)
    assert detail == UnknownNumber(99)
    assert str(LifecycleEvent(DOMAIN, event, detail, TIME).detail) == "unknown-99"


def test_the_four_ways_to_make_one_agree() -> None:
    event, detail = Lifecycle.STARTED, StartedDetail.BOOTED
    made = LifecycleEvent(DOMAIN, event, detail, TIME)
    assert LifecycleEvent.from_domain(DOMAIN, event, detail, TIME) == made
    assert LifecycleEvent.from_object(Live(DOMAIN), event, detail, TIME) == made
    inactive = DomainIdentity(DOMAIN.name, DOMAIN.uuid, -1)
    defined = LifecycleEvent.from_definition(DOMAIN, event, detail, time=TIME)
    assert defined == LifecycleEvent(inactive, event, detail, TIME)
    assert made.event_id is EventId.LIFECYCLE


def test_from_object_takes_the_identity_as_it_is() -> None:
    live = Live(DOMAIN)
    made = LifecycleEvent.from_object(live, Lifecycle.STARTED, StartedDetail.BOOTED, TIME)
    live.identity = DomainIdentity("renamed", DOMAIN.uuid, -1)
    assert made.domain is DOMAIN
