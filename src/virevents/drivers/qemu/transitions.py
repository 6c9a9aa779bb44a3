# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a QEMU domain as a table: what happens, what it meets, what it leaves and tells.

It stands apart because it is the whole state machine in one place: the monitor's events and the
run's end look their lines up here, and ``tools/generate_qemu_states.py`` draws the picture of
``docs/qemu_states.md`` from the same lines. A line that is not here does not happen.

The lines are libvirt's (``qemu_process.c``, and what a real libvirtd was seen to do): which
state and reason, which event and detail, in which order. The cause is ours.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_transitions.py``:
    one_line      no two lines of one happening meet the same phase
    consistent    a line that leads to a phase leaves a state of that phase
    ends_off      every line that tells STOPPED leads to shutoff, and no other does
    start_first   the first event that a run tells is its start
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from virevents.model import (
    Cause,
    CrashedDetail,
    CrashedReason,
    Detail,
    DomainState,
    Lifecycle,
    PausedReason,
    PMSuspendedDetail,
    PMSuspendedReason,
    Reason,
    RequestedBy,
    ResumedDetail,
    RunningReason,
    ShutdownDetail,
    ShutdownReason,
    ShutoffReason,
    StartedDetail,
    StateAndReason,
    StoppedDetail,
    SuspendedDetail,
)

__all__ = [
    "STARTING_UP",
    "TRANSITIONS",
    "AskedReason",
    "Happening",
    "Phase",
    "Transition",
    "find",
    "phase_of",
]


class Phase(StrEnum):
    """A state as the table tells them apart: a domain that starts counts as paused elsewhere."""

    OFF = "shutoff"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    ASLEEP = "pmsuspended"
    CRASHED = "crashed"
    ENDING = "shutdown"


class Happening(StrEnum):
    """Something that changes the life of a domain; the values are what the page says."""

    BOOTED = "the guest runs for the first time"
    STARTED_PAUSED = "started, and to stay paused"
    RESTORED = "a saved state was read"
    RESTORED_AS_PAUSED = "the saved state was that of a paused domain"
    LEFT_PAUSED = "the restored domain is to stay paused"
    PROCESSORS_STOPPED = "the processors stop"
    PROCESSORS_RUN = "the processors run again"
    IO_ERROR = "an I/O error whose policy is to stop"
    WATCHDOG = "the watchdog fires and pauses"
    PANICKED = "the guest panics"
    CRASH_LOADED = "the guest's crash kernel runs"
    RESET_AFTER_CRASH = "a reset of a crashed guest"
    SLEPT_IN_MEMORY = "the guest sleeps (S3)"
    SLEPT_ON_DISK = "the guest sleeps on its disk (S4)"
    WOKE = "the guest wakes"
    GUEST_OFF = "the guest powers off"
    SIGNALLED = "QEMU ends by a signal"
    COMMANDED = "QEMU ends by a command"
    OFF_UNSAID = "QEMU ends and does not say on whose wish"
    SHUT_DOWN = "gone after a shutdown"
    DESTROYED = "gone, as a call wanted"
    CRASHED = "gone, as the guest's crash is to be its end"
    FAILED = "gone without a word"
    SAVED = "gone, its state saved"
    START_FAILED = "gone before it ran"


AskedReason: TypeAlias = PausedReason | RunningReason | None
"""With which reason a call asked for the processors to stop or run; None if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line.

    Attributes:
        happening: What happens.
        asked: With which reason a call asked for it; None for all else.
        met: In which phases it means this; elsewhere it means nothing.
        state: What state it leaves, or None if the state stays.
        told: The lifecycle events, in order.
        unless_asked: On whose wish it happened when no call asked for it.
        is_graceful: Whether the guest had the chance to act in order.
    """

    happening: Happening
    met: frozenset[Phase]
    state: StateAndReason | None = None
    told: tuple[tuple[Lifecycle, Detail], ...] = ()
    asked: AskedReason = None
    unless_asked: RequestedBy = RequestedBy.UNKNOWN
    is_graceful: bool | None = None

    def cause(self, by: RequestedBy | None, *, is_reboot: bool, is_found_at_start: bool) -> Cause:
        """Why it happened; *by* says who asked for it, if anybody did."""
        asked_by = self.unless_asked if by is None else by
        return Cause(asked_by, self.is_graceful, is_reboot, is_found_at_start)


def _state(state: DomainState, reason: Reason) -> StateAndReason:
    return StateAndReason(state, reason)


STARTING_UP: Final = _state(DomainState.PAUSED, PausedReason.STARTING_UP)
"""The state of a domain from its QEMU's start to the first event of it."""

_PHASES: Final[Mapping[DomainState, Phase]] = {
    DomainState.RUNNING: Phase.RUNNING,
    DomainState.PAUSED: Phase.PAUSED,
    DomainState.PMSUSPENDED: Phase.ASLEEP,
    DomainState.CRASHED: Phase.CRASHED,
    DomainState.SHUTDOWN: Phase.ENDING,
    DomainState.SHUTOFF: Phase.OFF,
}


def phase_of(state: StateAndReason) -> Phase:
    """Return the phase of a state."""
    return Phase.STARTING if state == STARTING_UP else _PHASES[state.state]


_STARTING: Final = frozenset({Phase.STARTING})
_RUNNING: Final = frozenset({Phase.RUNNING})
_PAUSED: Final = frozenset({Phase.PAUSED})
_STOPPED: Final = frozenset({Phase.PAUSED, Phase.CRASHED})
_ALIVE: Final = frozenset({Phase.RUNNING, Phase.PAUSED, Phase.ASLEEP, Phase.CRASHED})
_NOT_CRASHED: Final = _ALIVE - {Phase.CRASHED}
_TOLD_OF: Final = _ALIVE | {Phase.ENDING}

_CALL: Final = RequestedBy.CALL
_GUEST: Final = RequestedBy.GUEST

# libvirt: qemuDomainPausedReasonToSuspendedEvent, qemuDomainRunningReasonToResumeEvent.
_PAUSES: Final[Mapping[PausedReason | None, SuspendedDetail]] = {
    None: SuspendedDetail.PAUSED,
    PausedReason.USER: SuspendedDetail.PAUSED,
    PausedReason.SAVE: SuspendedDetail.PAUSED,
    PausedReason.DUMP: SuspendedDetail.PAUSED,
    PausedReason.SNAPSHOT: SuspendedDetail.PAUSED,
    PausedReason.MIGRATION: SuspendedDetail.MIGRATED,
    PausedReason.FROM_SNAPSHOT: SuspendedDetail.FROM_SNAPSHOT,
}
_RUNS: Final[Mapping[RunningReason | None, ResumedDetail]] = {
    None: ResumedDetail.UNPAUSED,
    RunningReason.UNPAUSED: ResumedDetail.UNPAUSED,
    RunningReason.BOOTED: ResumedDetail.UNPAUSED,
    RunningReason.CRASHED: ResumedDetail.UNPAUSED,
    RunningReason.SAVE_CANCELED: ResumedDetail.UNPAUSED,
    RunningReason.RESTORED: ResumedDetail.FROM_SNAPSHOT,
    RunningReason.FROM_SNAPSHOT: ResumedDetail.FROM_SNAPSHOT,
    RunningReason.MIGRATED: ResumedDetail.MIGRATED,
    RunningReason.MIGRATION_CANCELED: ResumedDetail.MIGRATED,
}

_STARTS: Final = (
    Transition(
        happening=Happening.BOOTED,
        met=_STARTING,
        state=_state(DomainState.RUNNING, RunningReason.BOOTED),
        # QEMU is started with -S and then continued: RESUME is heard first.
        told=(
            (Lifecycle.RESUMED, ResumedDetail.UNPAUSED),
            (Lifecycle.STARTED, StartedDetail.BOOTED),
        ),
        unless_asked=_CALL,
    ),
    Transition(
        happening=Happening.STARTED_PAUSED,
        met=_STARTING,
        state=_state(DomainState.PAUSED, PausedReason.USER),
        told=(
            (Lifecycle.STARTED, StartedDetail.BOOTED),
            (Lifecycle.SUSPENDED, SuspendedDetail.PAUSED),
        ),
        unless_asked=_CALL,
    ),
    Transition(
        happening=Happening.RESTORED,
        met=_STARTING,
        state=_state(DomainState.PAUSED, PausedReason.MIGRATION),
        told=((Lifecycle.STARTED, StartedDetail.RESTORED),),
        unless_asked=_CALL,
    ),
    Transition(
        happening=Happening.RESTORED_AS_PAUSED,
        met=_PAUSED,
        told=((Lifecycle.SUSPENDED, SuspendedDetail.RESTORED),),
        unless_asked=_CALL,
    ),
    Transition(
        happening=Happening.LEFT_PAUSED,
        met=_PAUSED,
        told=((Lifecycle.SUSPENDED, SuspendedDetail.PAUSED),),
        unless_asked=_CALL,
    ),
)

_STOPS_AND_RUNS: Final = (
    *(
        Transition(
            happening=Happening.PROCESSORS_STOPPED,
            asked=reason,
            met=_RUNNING,
            state=_state(DomainState.PAUSED, reason or PausedReason.UNKNOWN),
            told=((Lifecycle.SUSPENDED, detail),),
        )
        for reason, detail in _PAUSES.items()
    ),
    *(
        Transition(
            happening=Happening.PROCESSORS_RUN,
            asked=reason,
            met=_STOPPED,
            state=_state(DomainState.RUNNING, reason or RunningReason.UNPAUSED),
            told=((Lifecycle.RESUMED, detail),),
        )
        for reason, detail in _RUNS.items()
    ),
    Transition(
        happening=Happening.IO_ERROR,
        met=_RUNNING,
        state=_state(DomainState.PAUSED, PausedReason.IOERROR),
        told=((Lifecycle.SUSPENDED, SuspendedDetail.IOERROR),),
    ),
    Transition(
        happening=Happening.WATCHDOG,
        met=_RUNNING,
        state=_state(DomainState.PAUSED, PausedReason.WATCHDOG),
        told=((Lifecycle.SUSPENDED, SuspendedDetail.WATCHDOG),),
        unless_asked=_GUEST,
    ),
)

_CRASHES: Final = (
    Transition(
        happening=Happening.PANICKED,
        met=_NOT_CRASHED,
        state=_state(DomainState.CRASHED, CrashedReason.PANICKED),
        told=((Lifecycle.CRASHED, CrashedDetail.PANICKED),),
        unless_asked=_GUEST,
        is_graceful=False,
    ),
    Transition(
        happening=Happening.CRASH_LOADED,
        met=_TOLD_OF,
        told=((Lifecycle.CRASHED, CrashedDetail.CRASHLOADED),),
        unless_asked=_GUEST,
        is_graceful=False,
    ),
    Transition(
        happening=Happening.RESET_AFTER_CRASH,
        met=frozenset({Phase.CRASHED}),
        state=_state(DomainState.PAUSED, PausedReason.CRASHED),
        unless_asked=_CALL,
    ),
)

_SLEEPS: Final = (
    Transition(
        happening=Happening.SLEPT_IN_MEMORY,
        met=_RUNNING,
        state=_state(DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN),
        told=((Lifecycle.PMSUSPENDED, PMSuspendedDetail.MEMORY),),
        unless_asked=_GUEST,
        is_graceful=True,
    ),
    Transition(
        happening=Happening.SLEPT_ON_DISK,
        met=_RUNNING,
        state=_state(DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN),
        told=((Lifecycle.PMSUSPENDED, PMSuspendedDetail.DISK),),
        unless_asked=_GUEST,
        is_graceful=True,
    ),
    Transition(
        happening=Happening.WOKE,
        met=frozenset({Phase.ASLEEP}),
        state=_state(DomainState.RUNNING, RunningReason.WAKEUP),
        told=((Lifecycle.STARTED, StartedDetail.WAKEUP),),
    ),
)


def _shutdown(
    happening: Happening, detail: ShutdownDetail, by: RequestedBy, *, is_graceful: bool | None
) -> Transition:
    return Transition(
        happening=happening,
        met=_ALIVE,
        state=_state(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN),
        told=((Lifecycle.SHUTDOWN, detail),),
        unless_asked=by,
        is_graceful=is_graceful,
    )


def _end(happening: Happening, detail: StoppedDetail, reason: ShutoffReason) -> Transition:
    return Transition(
        happening=happening,
        met=_TOLD_OF,
        state=_state(DomainState.SHUTOFF, reason),
        told=((Lifecycle.STOPPED, detail),),
    )


_ENDS: Final = (
    _shutdown(Happening.GUEST_OFF, ShutdownDetail.GUEST, _GUEST, is_graceful=True),
    _shutdown(Happening.SIGNALLED, ShutdownDetail.HOST, RequestedBy.HOST_SIGNAL, is_graceful=False),
    _shutdown(Happening.COMMANDED, ShutdownDetail.HOST, RequestedBy.UNKNOWN, is_graceful=False),
    _shutdown(Happening.OFF_UNSAID, ShutdownDetail.FINISHED, RequestedBy.UNKNOWN, is_graceful=None),
    _end(Happening.SHUT_DOWN, StoppedDetail.SHUTDOWN, ShutoffReason.SHUTDOWN),
    _end(Happening.DESTROYED, StoppedDetail.DESTROYED, ShutoffReason.DESTROYED),
    _end(Happening.CRASHED, StoppedDetail.CRASHED, ShutoffReason.CRASHED),
    # libvirt: a monitor's end without SHUTDOWN.
    _end(Happening.FAILED, StoppedDetail.FAILED, ShutoffReason.CRASHED),
    _end(Happening.SAVED, StoppedDetail.SAVED, ShutoffReason.SAVED),
    Transition(
        happening=Happening.START_FAILED,
        met=_STARTING,
        state=_state(DomainState.SHUTOFF, ShutoffReason.FAILED),
    ),
)

TRANSITIONS: Final = (*_STARTS, *_STOPS_AND_RUNS, *_CRASHES, *_SLEEPS, *_ENDS)
"""Every line."""

_Key: TypeAlias = tuple[Happening, AskedReason, Phase]

# A reason is its own key only beside its enumeration: members are numbers and equal across them.
_FOUND: Final[Mapping[tuple[type, _Key], Transition]] = MappingProxyType(
    {
        (type(line.asked), (line.happening, line.asked, phase)): line
        for line in TRANSITIONS
        for phase in line.met
    }
)


def find(
    happening: Happening, state: StateAndReason, asked: AskedReason = None
) -> Transition | None:
    """Return the line of what happens in *state*; None if it means nothing there.

    Args:
        happening: What happens.
        state: What it meets.
        asked: With which reason a call asked for it.
    """
    return _FOUND.get((type(asked), (happening, asked, phase_of(state))))
