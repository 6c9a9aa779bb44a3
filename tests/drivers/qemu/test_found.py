# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

from virevents.definition import LifecycleAction
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.found import find_out, was_interrupted
from virevents.drivers.qemu.scene import Asked, Course, Policy, Reaction, Scene
from virevents.model import (
    CrashedReason,
    DomainIdentity,
    DomainState,
    LifecycleEvent,
    PausedReason,
    PMSuspendedReason,
    Reason,
    RequestedBy,
    RunningReason,
    ShutdownReason,
    StateAndReason,
)

DOMAIN = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 7)


def state(kind: DomainState, reason: Reason) -> StateAndReason:
    return StateAndReason(kind, reason)


RUNNING = state(DomainState.RUNNING, RunningReason.BOOTED)
PAUSED = state(DomainState.PAUSED, PausedReason.USER)
BY_ERROR = state(DomainState.PAUSED, PausedReason.IOERROR)
ASLEEP = state(DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN)
CRASHED = state(DomainState.CRASHED, CrashedReason.PANICKED)
OFF = state(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN)


def scene(told: StateAndReason, **facts: object) -> Scene:
    return Scene(DOMAIN, told, 1.0, is_found_at_start=True, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("running", RUNNING),
        ("paused", PAUSED),
        ("io-error", BY_ERROR),
        ("paused", BY_ERROR),
        ("prelaunch", PAUSED),
        ("suspended", ASLEEP),
        ("nonsense of a newer QEMU", RUNNING),
    ],
)
def test_no_difference(status: str, told: StateAndReason) -> None:
    effect = find_out(status, scene(told))
    assert effect.events == ()
    assert effect.state is None
    assert effect.reaction is None


@pytest.mark.parametrize(
    ("status", "told", "word", "left"),
    [
        ("paused", RUNNING, "suspended paused", DomainState.PAUSED),
        ("io-error", RUNNING, "suspended ioerror", DomainState.PAUSED),
        ("watchdog", RUNNING, "suspended watchdog", DomainState.PAUSED),
        ("debug", RUNNING, "suspended paused", DomainState.PAUSED),
        ("suspended", RUNNING, "pmsuspended memory", DomainState.PMSUSPENDED),
        ("running", PAUSED, "resumed unpaused", DomainState.RUNNING),
        ("running", ASLEEP, "started wakeup", DomainState.RUNNING),
        ("running", CRASHED, "resumed unpaused", DomainState.RUNNING),
        ("shutdown", RUNNING, "shutdown guest", DomainState.SHUTDOWN),
        ("guest-panicked", RUNNING, "crashed panicked", DomainState.CRASHED),
    ],
)
def test_each_state(status: str, told: StateAndReason, word: str, left: DomainState) -> None:
    effect = find_out(status, scene(told))
    (event,) = effect.events
    assert isinstance(event, LifecycleEvent)
    assert f"{event.event} {event.detail}" == word
    assert effect.state is not None
    assert effect.state.state is left
    assert event.cause.is_found_at_start


def test_found_off_is_the_guests_doing_and_its_end() -> None:
    effect = find_out("shutdown", scene(RUNNING))
    assert effect.sign is Sign.SHUTDOWN
    assert effect.reaction is Reaction.END
    assert effect.cause.requested_by is RequestedBy.GUEST
    # Killed between telling and ending it.
    again = find_out("shutdown", scene(OFF))
    assert again.events == ()
    assert again.reaction is Reaction.END


@pytest.mark.parametrize("status", ["shutdown", "prelaunch", "paused"])
def test_a_reboot_that_was_broken_off_is_done(status: str) -> None:
    effect = find_out(status, scene(RUNNING, asked=Asked(reboot=True)))
    assert effect.events == ()
    assert effect.reaction is Reaction.REBOOT
    assert effect.course is Course.REBOOTING


def test_a_crash_that_was_told_gets_what_follows_it() -> None:
    ends = find_out("guest-panicked", scene(CRASHED))
    assert (ends.events, ends.sign, ends.reaction) == ((), Sign.PANICKED, Reaction.END)
    policy = Policy(on_crash=LifecycleAction.RESTART)
    assert find_out("guest-panicked", scene(CRASHED, policy=policy)).reaction is Reaction.REBOOT
    policy = Policy(on_crash=LifecycleAction.PRESERVE)
    kept = find_out("guest-panicked", scene(CRASHED, policy=policy))
    assert (kept.events, kept.sign, kept.reaction) == ((), None, None)


def test_a_reboot_after_a_crash_that_nobody_told() -> None:
    effect = find_out("running", scene(CRASHED, asked=Asked(reboot=True)))
    assert effect.state == (DomainState.RUNNING, RunningReason.CRASHED)
    assert effect.cause.is_reboot


@pytest.mark.parametrize("reason", [PausedReason.SAVE, PausedReason.DUMP, PausedReason.SNAPSHOT])
def test_a_work_that_nobody_will_finish(reason: PausedReason) -> None:
    assert was_interrupted(state(DomainState.PAUSED, reason))


def test_a_pause_that_was_meant() -> None:
    assert not was_interrupted(PAUSED)
    assert not was_interrupted(RUNNING)


@pytest.mark.parametrize("status", ["paused", "postmigrate", "running", "shutdown", "suspended"])
@pytest.mark.parametrize("told", [RUNNING, PAUSED, ASLEEP, CRASHED])
def test_found(status: str, told: StateAndReason) -> None:
    for event in find_out(status, scene(told)).events:
        assert isinstance(event, LifecycleEvent)
        assert event.cause.is_found_at_start
