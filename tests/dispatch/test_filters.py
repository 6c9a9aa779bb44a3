# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Filter`` and ``Batch``: what a callback wants, and which events of a batch those are."""

import pytest

from tests.dispatch.fakes import WEB1, WEB2, numbered, rebooted, resumed, suspended
from virevents.dispatch import Batch, Callback, Filter
from virevents.model import DomainEvent, EventId, Lifecycle

_ALL_KINDS = Filter(event_ids=None)
_FILTERS = [
    Filter(),
    _ALL_KINDS,
    Filter(event_ids=frozenset({EventId.REBOOT})),
    Filter(event_ids=frozenset({EventId.REBOOT, EventId.LIFECYCLE})),
    Filter(event_ids=frozenset()),
    Filter(domain_uuid=WEB2.uuid),
    Filter(event_ids=None, domain_uuid=WEB1.uuid),
    Filter(only=frozenset({Lifecycle.RESUMED})),
    Filter(event_ids=None, only=frozenset({Lifecycle.SUSPENDED})),
    Filter(event_ids=None, domain_uuid=WEB2.uuid, only=frozenset({Lifecycle.SUSPENDED})),
]


def _mixture() -> list[DomainEvent]:
    return numbered(
        suspended(WEB1),
        rebooted(WEB1),
        resumed(WEB2),
        suspended(WEB2),
        rebooted(WEB2),
        resumed(WEB1),
    )


def _callback(wanted: Filter, since: int = 0) -> Callback:
    made = Callback(print, wanted)
    made.since = since
    return made


@pytest.mark.parametrize("wanted", _FILTERS, ids=repr)
def test_exact(wanted: Filter) -> None:
    events = _mixture()
    for taken in (events, events[:1], events[1:2]):
        matching = Batch(taken).matching(_callback(wanted))
        assert list(matching) == [event for event in taken if wanted.accepts(event)]


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        (Filter(), [1, 3, 4, 6]),
        (_ALL_KINDS, [1, 2, 3, 4, 5, 6]),
        (Filter(event_ids=frozenset({EventId.REBOOT})), [2, 5]),
        (Filter(domain_uuid=WEB2.uuid), [3, 4]),
        (Filter(only=frozenset({Lifecycle.RESUMED})), [3, 6]),
        # Only lifecycle events are judged by `only`.
        (Filter(event_ids=None, only=frozenset({Lifecycle.RESUMED})), [2, 3, 5, 6]),
    ],
    ids=repr,
)
def test_exact_means_these(wanted: Filter, sequences: list[int]) -> None:
    assert [event.sequence for event in _mixture() if wanted.accepts(event)] == sequences


@pytest.mark.parametrize("wanted", [_ALL_KINDS, Filter()], ids=repr)
def test_not_before(wanted: Filter) -> None:
    events = _mixture()
    shared = Batch(events)
    for since in (0, 1, 3, 6, 99, 2):
        found = [event.sequence for event in shared.matching(_callback(wanted, since))]
        assert found == [n for n in range(since + 1, 7) if wanted.accepts(events[n - 1])]


def test_nothing_matches_a_closed_callback() -> None:
    callback = _callback(_ALL_KINDS)
    callback.is_closed = True
    assert list(Batch(_mixture()).matching(callback)) == []


def test_equal_wishes_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Filter] = []
    genuine = Batch._accepted_by

    def count(batch: Batch, wanted: Filter) -> object:
        judged.append(wanted)
        return genuine(batch, wanted)

    monkeypatch.setattr(Batch, "_accepted_by", count)
    wanted = Filter(domain_uuid=WEB1.uuid)
    shared = Batch(_mixture())
    found = {tuple(shared.matching(_callback(wanted))) for _ in range(3)}
    assert len(found) == 1
    assert judged == [wanted]
