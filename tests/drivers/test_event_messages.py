# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain events as messages of the RPC protocol, beside those of a real libvirtd."""

import pytest

from tests.model.samples import DOMAIN, SAMPLES, TIME
from tests.wire.rpc.samples import samples
from virevents.drivers.event_messages import (
    NO_CALLBACK,
    decode_event,
    domain_from_wire,
    domain_to_wire,
    encode_event,
)
from virevents.errors import PayloadError
from virevents.model import (
    DomainEvent,
    EventId,
    JobCompletedEvent,
    Lifecycle,
    LifecycleEvent,
    PMSuspendEvent,
    StartedDetail,
    TunableEvent,
    TypedParams,
    UnknownNumber,
    WatchdogEvent,
)
from virevents.wire.rpc import FrameReader
from virevents.wire.rpc.protocol import REMOTE_PROCEDURES

_KINDS = [event for event, _ in SAMPLES]
_WORDS = [event.event_id.word for event in _KINDS]
_CALLBACK = b"\0\0\0\7"


def _again(event: DomainEvent) -> DomainEvent:
    encoded = encode_event(event)
    procedure = REMOTE_PROCEDURES[encoded.procedure]
    callback_id, again = decode_event(procedure, _CALLBACK + encoded.body, TIME)
    assert callback_id == 7
    return again


@pytest.mark.parametrize("event", _KINDS, ids=_WORDS)
def test_round_trip(event: DomainEvent) -> None:
    again = _again(event)
    # The number is the queue's to give; the rest is what was sent.
    assert type(again) is type(event)
    assert repr(again).replace("sequence=0", "") == repr(event).replace(
        f"sequence={event.sequence}", ""
    )


@pytest.mark.parametrize("event", _KINDS, ids=_WORDS)
def test_round_trip_in_the_legacy_style(event: DomainEvent) -> None:
    encoded = encode_event(event)
    if event.event_id > EventId.DEVICE_REMOVED:
        assert encoded.legacy_procedure is None
        return
    assert encoded.legacy_procedure is not None
    procedure = REMOTE_PROCEDURES[encoded.legacy_procedure]
    assert procedure.is_legacy
    callback_id, again = decode_event(procedure, encoded.legacy_body, TIME)
    assert callback_id == NO_CALLBACK
    assert again.domain == event.domain
    assert type(again) is type(event)


def test_as_libvirt() -> None:
    decoded = 0
    for sample in samples():
        reader = FrameReader()
        reader.receive_data(sample.frame)
        frame = reader.next_message()
        procedure = REMOTE_PROCEDURES.get(frame.procedure) if frame else None
        if frame is None or procedure is None or procedure.event_id is None:
            continue
        decoded += 1
        _, event = decode_event(procedure, frame.payload, TIME)
        encoded = encode_event(event)
        assert encoded.procedure == frame.procedure
        # Of a typed parameter the event keeps the value, not in which size of number it came.
        if not isinstance(event, JobCompletedEvent):
            assert frame.payload[:4] + encoded.body == frame.payload
    assert decoded > 70


def test_newer_peer() -> None:
    unknown = WatchdogEvent(DOMAIN, UnknownNumber(99), TIME)
    assert _again(unknown) == unknown
    detail = LifecycleEvent(DOMAIN, Lifecycle.STARTED, UnknownNumber(99), TIME)
    assert _again(detail) == detail


def test_an_event_that_nobody_knows_is_no_event() -> None:
    known = encode_event(LifecycleEvent(DOMAIN, Lifecycle.STARTED, StartedDetail.BOOTED, TIME))
    body = known.body[:-8] + b"\0\0\0\x63" + known.body[-4:]
    with pytest.raises(PayloadError, match="99 is not a valid Lifecycle"):
        decode_event(REMOTE_PROCEDURES[known.procedure], _CALLBACK + body, TIME)


def test_a_reason_stands_before_the_message_in_the_modern_style_only() -> None:
    encoded = encode_event(PMSuspendEvent(DOMAIN, 5, TIME))
    assert encoded.body == b"\0\0\0\5" + encoded.legacy_body


@pytest.mark.parametrize("value", [True, False, 5, -5, 2**63, 0.5, "text"])
def test_a_typed_parameter_of_each_type(value: float | str) -> None:
    event = TunableEvent(DOMAIN, TypedParams({"what": value}), TIME)
    again = _again(event)
    assert isinstance(again, TunableEvent)
    assert type(again.params["what"]) is type(value)
    assert again == event


def test_a_domain_is_the_same_afterwards() -> None:
    assert domain_from_wire(domain_to_wire(DOMAIN)) == DOMAIN
