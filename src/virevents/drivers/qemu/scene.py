# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QMP event meets, and what comes of it: the two ends of `events.interpret`.

They stand apart because three modules speak of them: the events of the guest, those of its
devices, and the run that sets the scene and acts.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_scene.py``:
    asked_is_cause   what a call asked for is that call's doing, all else is not
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from virevents.definition import LifecycleAction
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.transitions import AskedReason, Happening, Phase, find, phase_of
from virevents.model import (
    UNKNOWN_CAUSE,
    Cause,
    Detail,
    DomainEvent,
    DomainIdentity,
    Lifecycle,
    LifecycleEvent,
    PausedReason,
    RequestedBy,
    RunningReason,
    StateAndReason,
)

__all__ = [
    "NOTHING",
    "NOTHING_ASKED",
    "Asked",
    "Course",
    "DiskName",
    "Effect",
    "Policy",
    "Reaction",
    "Scene",
]


class Course(Enum):
    """What the run is doing with its QEMU by itself."""

    NORMAL = auto()
    REBOOTING = auto()
    """The guest powered off or crashed and is being reset and continued: it tells nothing."""
    ENDING = auto()
    """QEMU is being ended for a reason that was told already: it tells nothing more."""


class Reaction(Enum):
    """What the run has to do after an event; QEMU, with its processors paused, waits for it."""

    END = auto()
    """End QEMU."""
    REBOOT = auto()
    """Reset the machine and let it run."""
    DUMP_AND_END = auto()
    DUMP_AND_REBOOT = auto()
    DUMP_AND_RUN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the definition says is to be done.

    Attributes:
        on_poweroff: When the guest powers off.
        on_crash: When it panics.
        dumps_on_watchdog: Whether the watchdog's pause is there for a dump.
    """

    on_poweroff: LifecycleAction = LifecycleAction.DESTROY
    on_crash: LifecycleAction = LifecycleAction.DESTROY
    dumps_on_watchdog: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What calls asked for, noted before the command is sent; an event that answers takes it back.

    Attributes:
        pause: Why the processors are to stop.
        run: Why they are to run.
        run_by: On whose wish they are to run: a guest that crashed is rebooted on nobody's call.
        power_off: The power button was pressed.
        reboot: The next power-off is to be a reboot (libvirt: fakeReboot).
        destroy: The domain is to be destroyed.
        reset: The machine is to be reset.
        sleep: The guest is to go to sleep.
        wake_up: It is to wake.
    """

    pause: PausedReason | None = None
    run: RunningReason | None = None
    run_by: RequestedBy = RequestedBy.CALL
    power_off: bool = False
    reboot: bool = False
    destroy: bool = False
    reset: bool = False
    sleep: bool = False
    wake_up: bool = False

    def by_call(self, *wishes: bool) -> RequestedBy | None:
        """Who asked, if any of *wishes* was one."""
        return RequestedBy.CALL if any(wishes) else None


NOTHING_ASKED: Final = Asked()
"""No call asked for anything."""


class DiskName(NamedTuple):
    """How events name a disk: its source on the host, and its alias."""

    source_path: str
    alias: str


def _name_itself(device: str) -> DiskName:
    return DiskName("", device)


def _no_channel(_device: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an event meets.

    Attributes:
        domain: The domain.
        state: The state it is in.
        time: The wall clock's time, for the domain events.
        asked: What calls asked for.
        course: What the run does by itself.
        policy: What the definition says.
        has_job: Whether a save, a restore or a dump goes on.
        describe_disk: Names the disk of a device or block node.
        describe_channel: Tells the name of a channel's device, or "".
        is_found_at_start: Whether this is found out, not heard.
    """

    domain: DomainIdentity
    state: StateAndReason
    time: float
    asked: Asked = NOTHING_ASKED
    course: Course = Course.NORMAL
    policy: Policy = field(default_factory=Policy)
    has_job: bool = False
    describe_disk: Callable[[str], DiskName] = _name_itself
    describe_channel: Callable[[str], str] = _no_channel
    is_found_at_start: bool = False

    @property
    def phase(self) -> Phase:
        """The phase that the domain is in."""
        return phase_of(self.state)

    def lifecycle(
        self, event: Lifecycle, detail: Detail, cause: Cause = UNKNOWN_CAUSE
    ) -> LifecycleEvent:
        """Make a lifecycle event of this domain, now."""
        return LifecycleEvent(self.domain, event, detail, self.time, 0, cause)

    def happen(
        self,
        happening: Happening,
        *,
        by: RequestedBy | None = None,
        reason: AskedReason = None,
    ) -> "Effect":
        """Look up what *happening* means here.

        Args:
            happening: What happens.
            by: Who asked for it, if anybody is known to have.
            reason: With which reason.
        """
        line = find(happening, self.state, reason) or find(happening, self.state)
        if line is None:
            return NOTHING
        is_reboot = self.course is Course.REBOOTING
        cause = line.cause(by, is_reboot=is_reboot, is_found_at_start=self.is_found_at_start)
        events = tuple(self.lifecycle(event, detail, cause) for event, detail in line.told)
        return Effect(state=line.state, events=events, cause=cause)


@dataclass(frozen=True, slots=True)
class Effect:
    """What the driver has to do about an event, under the domain's lock.

    Attributes:
        state: The new state, or None if it stays.
        events: The domain events to push, in order.
        sign: What it tells about the end of QEMU.
        reaction: What the run has to do.
        asked: What is asked for from now on, or None if that stays.
        course: What the run does from now on, or None if that stays.
        cause: Why it happened.
        end_cause: Why QEMU ends, if this tells it.
    """

    state: StateAndReason | None = None
    events: tuple[DomainEvent, ...] = ()
    sign: Sign | None = None
    reaction: Reaction | None = None
    asked: Asked | None = None
    course: Course | None = None
    cause: Cause = UNKNOWN_CAUSE
    end_cause: Cause | None = None


NOTHING: Final = Effect()
"""An event without a meaning."""
