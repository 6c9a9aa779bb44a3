# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

from virevents.drivers.qemu.scene import NOTHING, Asked, Course, Effect, Scene
from virevents.drivers.qemu.transitions import Happening, Phase
from virevents.model import (
    Cause,
    DomainIdentity,
    DomainState,
    LifecycleEvent,
    PausedReason,
    RequestedBy,
    RunningReason,
    StateAndReason,
)

DOMAIN = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 7)
RUNNING = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)


def cause_of(effect: Effect) -> Cause:
    (event,) = effect.events
    assert isinstance(event, LifecycleEvent)
    assert event.cause == effect.cause
    return event.cause


@pytest.mark.parametrize("by", [None, RequestedBy.CALL, RequestedBy.GUEST])
def test_asked_is_cause(by: RequestedBy | None) -> None:
    effect = Scene(DOMAIN, RUNNING, 1.0).happen(Happening.PROCESSORS_STOPPED, by=by)
    assert cause_of(effect).requested_by is (by or RequestedBy.UNKNOWN)


def test_any_wish_is_a_calls() -> None:
    assert Asked().by_call(False, False) is None
    assert Asked().by_call(False, True) is RequestedBy.CALL


def test_what_happens_during_a_reboot_is_part_of_it() -> None:
    scene = Scene(DOMAIN, RUNNING, 1.0, course=Course.REBOOTING, is_found_at_start=True)
    cause = cause_of(scene.happen(Happening.PANICKED))
    assert cause.is_reboot
    assert cause.is_found_at_start
    assert cause.requested_by is RequestedBy.GUEST


def test_a_reason_without_a_line_of_its_own_is_as_none() -> None:
    effect = Scene(DOMAIN, RUNNING, 1.0).happen(
        Happening.PROCESSORS_STOPPED, reason=PausedReason.POSTCOPY
    )
    assert effect.state == (DomainState.PAUSED, PausedReason.UNKNOWN)


def test_what_means_nothing_here_has_no_effect() -> None:
    scene = Scene(DOMAIN, RUNNING, 1.0)
    assert scene.phase is Phase.RUNNING
    assert scene.happen(Happening.WOKE) is NOTHING
    assert scene.describe_disk("ide0-0-0") == ("", "ide0-0-0")
    assert scene.describe_channel("channel0") == ""
