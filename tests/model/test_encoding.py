# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events and gaps as JSON."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.samples import DOMAIN, SAMPLES, TIME
from virevents.model import (
    DomainEvent,
    Gap,
    Json,
    Lifecycle,
    LifecycleEvent,
    StartedDetail,
    event_fields,
    format_time,
    gap_fields,
)


@pytest.mark.parametrize(
    ("event", "own"), SAMPLES, ids=[event.event_id.word for event, _ in SAMPLES]
)
def test_only_json(event: DomainEvent, own: dict[str, Json]) -> None:
    domain: Json = {"name": "web1", "uuid": DOMAIN.uuid, "id": 7}
    fields = event_fields(event)
    assert fields == {
        "time": format_time(TIME),
        "sequence": event.sequence,
        "event_id": event.event_id.word,
        "domain": domain,
        **own,
    }
    assert json.loads(json.dumps(fields)) == fields


def test_keys_come_in_reading_order() -> None:
    event = LifecycleEvent(DOMAIN, Lifecycle.STARTED, StartedDetail.BOOTED, 0.0, 12)
    assert json.dumps(event_fields(event)) == (
        '{"time": "1970-01-01T00:00:00.000000Z", "sequence": 12, "event_id": "lifecycle", '
        '"domain": {"name": "web1", "uuid": "6695eb01-f6a4-8304-79aa-97f2502e193f", "id": 7}, '
        '"event": "started", "detail": "booted", "cause": {"requested_by": "unknown", '
        '"is_graceful": null, "is_reboot": false, "is_found_at_start": false}}'
    )


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001  (UTC is added)
def test_utc_micros(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    text = format_time(aware.timestamp())
    assert text == f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"
    assert datetime.fromisoformat(text) == aware


@pytest.mark.parametrize("time", [1e12, 1e300, float("nan")])
def test_time_that_no_calendar_has_is_refused(time: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        format_time(time)


@pytest.mark.parametrize("count", [3, None])
def test_gap(count: int | None) -> None:
    assert gap_fields(Gap(5, 9, count)) == {"gap": {"first": 5, "last": 9, "count": count}}
