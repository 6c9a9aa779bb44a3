# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every domain event is."""

import pytest

from tests.model.libvirt_table import LIBVIRT, members, shown_names
from tests.model.samples import DOMAIN, TIME
from virevents.model import DomainEvent, EventId, RebootEvent, number


def test_ids_have_libvirts_numbers_and_virshs_words() -> None:
    theirs = shown_names("virDomainEventID", "VIR_DOMAIN_EVENT_ID_")
    ours = {name.replace("PM_", "PM"): value for name, value in members(EventId).items()}
    assert ours == theirs
    assert sorted(ours.values()) == list(range(27))
    assert [event_id.word for event_id in EventId] == LIBVIRT["event_words"]


def test_numbered_once_pushed() -> None:
    event = RebootEvent(DOMAIN, TIME)
    assert event.sequence == 0
    number(event, 41)
    assert event.sequence == 41
    assert event == RebootEvent(DOMAIN, TIME, 41)
    assert event != RebootEvent(DOMAIN, TIME, 42)


def test_base_is_abstract() -> None:
    with pytest.raises(TypeError, match="DomainEvent cannot be made"):
        DomainEvent()


def test_base_can_read_what_every_event_has() -> None:
    event = RebootEvent(DOMAIN, TIME, 5)
    getters = [vars(DomainEvent)[name].fget for name in ("domain", "time", "sequence")]
    assert [getter(event) for getter in getters] == [DOMAIN, TIME, 5]
