# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cause of a lifecycle event: unknown unless said, and carried into what is printed."""

from virevents.model import (
    UNKNOWN_CAUSE,
    Cause,
    DomainIdentity,
    Lifecycle,
    LifecycleEvent,
    RequestedBy,
    StoppedDetail,
    event_fields,
)

_WEB1 = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 1)


def test_unknown_by_default() -> None:
    event = LifecycleEvent(_WEB1, Lifecycle.STOPPED, StoppedDetail.SHUTDOWN, 1.0)
    assert event.cause is UNKNOWN_CAUSE
    assert Cause() == UNKNOWN_CAUSE
    assert (UNKNOWN_CAUSE.requested_by, UNKNOWN_CAUSE.is_graceful) == (RequestedBy.UNKNOWN, None)
    assert not UNKNOWN_CAUSE.is_reboot
    assert not UNKNOWN_CAUSE.is_found_at_start


def test_not_on_the_wire() -> None:
    words = [str(one) for one in RequestedBy]
    assert words == ["unknown", "call", "guest", "host-signal"]


def test_the_cause_is_encoded_with_its_event() -> None:
    cause = Cause(RequestedBy.GUEST, is_graceful=True, is_reboot=True)
    event = LifecycleEvent(_WEB1, Lifecycle.STOPPED, StoppedDetail.SHUTDOWN, 1.0, 0, cause)
    assert event_fields(event)["cause"] == {
        "requested_by": "guest",
        "is_graceful": True,
        "is_reboot": True,
        "is_found_at_start": False,
    }
