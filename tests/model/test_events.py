# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of all domain events, and what holds for every kind."""

import copy
import gc
import pickle
import weakref

import pytest

from tests.model.samples import DOMAIN, SAMPLES, TIME
from virevents.model import EVENT_CLASSES, DomainEvent, EventId, field_names

_KINDS = [event for event, _ in SAMPLES]
_NAMES = [event.event_id.word for event in _KINDS]


def test_complete() -> None:
    assert list(EVENT_CLASSES) == list(EventId)
    assert all(EVENT_CLASSES[event_id].event_id is event_id for event_id in EventId)
    assert [type(event) for event in _KINDS] == list(EVENT_CLASSES.values())


@pytest.mark.parametrize("event", _KINDS, ids=_NAMES)
def test_every_kind(event: DomainEvent) -> None:
    names = field_names(type(event))
    assert names[0] == "domain"
    # What is ours alone comes after what every event has.
    assert tuple(name for name in names if name != "cause")[-2:] == ("time", "sequence")
    assert (event.domain, event.time) == (DOMAIN, TIME)
    assert copy.copy(event) == copy.deepcopy(event) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert hash(copy.deepcopy(event)) == hash(event)
    assert sum(event == other for other in _KINDS) == 1
    for name in names:
        with pytest.raises(AttributeError):
            setattr(event, name, getattr(event, name))


@pytest.mark.parametrize("event", _KINDS, ids=_NAMES)
def test_an_event_keeps_nothing_alive_and_can_be_referenced_weakly(event: DomainEvent) -> None:
    fresh = copy.deepcopy(event)
    reference = weakref.ref(fresh)
    assert not hasattr(fresh, "__dict__")
    del fresh
    gc.collect()
    assert reference() is None
