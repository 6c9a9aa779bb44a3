# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of a domain's life, held against itself."""

from itertools import combinations

import pytest

from virevents.drivers.qemu.transitions import (
    STARTING_UP,
    TRANSITIONS,
    Happening,
    Phase,
    Transition,
    find,
    phase_of,
)
from virevents.model import (
    DETAIL_ENUMS,
    REASON_ENUMS,
    DomainState,
    Lifecycle,
    PausedReason,
    RequestedBy,
    ResumedDetail,
    RunningReason,
    StateAndReason,
    SuspendedDetail,
)

RUNNING = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
PAUSED = StateAndReason(DomainState.PAUSED, PausedReason.USER)


def name_of(line: Transition) -> str:
    return f"{line.happening.name}-{line.asked}"


def test_one_line() -> None:
    for one, other in combinations(TRANSITIONS, 2):
        same_key = one.happening is other.happening and repr(one.asked) == repr(other.asked)
        assert not (same_key and one.met & other.met), name_of(one)


def test_every_happening_has_a_line() -> None:
    assert {line.happening for line in TRANSITIONS} == set(Happening)


@pytest.mark.parametrize("line", TRANSITIONS, ids=name_of)
def test_consistent(line: Transition) -> None:
    assert line.met
    assert Phase.OFF not in line.met
    if line.state is not None:
        assert isinstance(line.state.reason, REASON_ENUMS[line.state.state])
        assert line.state != STARTING_UP
    for event, detail in line.told:
        assert isinstance(detail, DETAIL_ENUMS[event])


@pytest.mark.parametrize("line", TRANSITIONS, ids=name_of)
def test_ends_off(line: Transition) -> None:
    is_end = line.state is not None and phase_of(line.state) is Phase.OFF
    tells_end = Lifecycle.STOPPED in {event for event, _ in line.told}
    assert tells_end is (is_end and line.happening is not Happening.START_FAILED)


@pytest.mark.parametrize("line", TRANSITIONS, ids=name_of)
def test_start_first(line: Transition) -> None:
    if Phase.STARTING not in line.met:
        return
    assert line.met == {Phase.STARTING}
    tells_start = Lifecycle.STARTED in {event for event, _ in line.told}
    assert tells_start is (line.happening is not Happening.START_FAILED)


def test_what_means_nothing_is_not_found() -> None:
    assert find(Happening.BOOTED, RUNNING) is None
    assert find(Happening.WOKE, RUNNING) is None
    assert find(Happening.PROCESSORS_STOPPED, PAUSED) is None


def test_a_reason_is_told_from_a_number_that_is_equal() -> None:
    """``PausedReason.USER`` and ``RunningReason.BOOTED`` are both 1."""
    asked = find(Happening.PROCESSORS_STOPPED, RUNNING, PausedReason.MIGRATION)
    assert asked is not None
    assert asked.told == ((Lifecycle.SUSPENDED, SuspendedDetail.MIGRATED),)
    assert find(Happening.PROCESSORS_STOPPED, RUNNING, RunningReason.MIGRATED) is None
    resumed = find(Happening.PROCESSORS_RUN, PAUSED, RunningReason.RESTORED)
    assert resumed is not None
    assert resumed.state == (DomainState.RUNNING, RunningReason.RESTORED)
    assert resumed.told == ((Lifecycle.RESUMED, ResumedDetail.FROM_SNAPSHOT),)


def test_who_asked_is_the_cause() -> None:
    line = find(Happening.SIGNALLED, RUNNING)
    assert line is not None
    by_signal = line.cause(None, is_reboot=False, is_found_at_start=False)
    assert by_signal.requested_by is RequestedBy.HOST_SIGNAL
    by_call = line.cause(RequestedBy.CALL, is_reboot=False, is_found_at_start=True)
    assert by_call.requested_by is RequestedBy.CALL
    assert by_call.is_found_at_start
    assert by_call.is_graceful is False
