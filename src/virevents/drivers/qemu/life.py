# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run knows of its domain's life, and how it tells: scene, effect, record, events.

It stands apart from the run, which has the process and the monitor, because here every change of
a domain that runs is made, noted and told, in this order and under the domain's lock.

Locking:
    Confined to the loop thread, but for what it shares with the domain. Takes the domain's lock
    (DOMAIN) for each change and waits for nothing.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_life.py``:
    noted_first   what was told is on record before anybody is told
    reboot_noted  a reboot under way, or asked for, is on record until it is over
    ends_once     the end is told once, by the domain's lock
    held_back     what was found is told when it is to be heard, before all else of the domain
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from virevents.definition import DomainDefinition, WatchdogAction
from virevents.dispatch import EventState
from virevents.drivers.base import DriverContext
from virevents.drivers.domains import DomainObject
from virevents.drivers.qemu.arguments import AGENT, describe_channel, describe_disk
from virevents.drivers.qemu.events import interpret
from virevents.drivers.qemu.found import find_out, was_interrupted
from virevents.drivers.qemu.scene import Asked, Course, DiskName, Effect, Policy, Scene
from virevents.drivers.qemu.told import Note, ToldRecord
from virevents.drivers.qemu.transitions import STARTING_UP, Happening, Phase, find, phase_of
from virevents.errors import ClosedError
from virevents.model import (
    INACTIVE_ID,
    AgentLifecycleEvent,
    AgentLifecycleReason,
    AgentLifecycleState,
    Cause,
    ControlErrorEvent,
    DomainEvent,
    DomainState,
    LifecycleEvent,
    RequestedBy,
    ShutoffReason,
    StateAndReason,
)
from virevents.sync import assert_held

__all__ = ["Life", "LivingDomain"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_OFF: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)

# How many events of one domain wait for the first who listens.
_MOST_HELD_BACK: Final = 1_000
_UNEXPLAINED: Final = Cause(is_graceful=False)

# What the next driver has to know of an end that nobody was told of.
_UNTOLD_ENDS: Final[Mapping[Happening, Note]] = {
    Happening.SHUT_DOWN: Note.POWERED_OFF,
    Happening.CRASHED: Note.CRASHED,
}


class LivingDomain(DomainObject):
    """A domain with a definition that it runs by and one for its next start.

    Args:
        definition: Its definition.
        is_persistent: Whether it stays when it stops.
    """

    def __init__(self, definition: DomainDefinition, *, is_persistent: bool) -> None:
        super().__init__(definition, _OFF, is_persistent=is_persistent)
        self.next_definition = definition  # guarded by lock
        self.was_defined = is_persistent  # guarded by lock; also if it was undefined since
        # What tells what was found when the directory was opened, and all that came after it;
        # None when nothing is held back.
        self._held_back: list[Callable[[], None]] | None = None  # guarded by lock

    def hold_back_locked(self) -> None:
        """Tell nothing from now on until `let_out_locked`."""
        assert_held(self.lock)
        self._held_back = self._held_back or []

    def let_out_locked(self) -> None:
        """Tell what was held back, and all else at once from now on."""
        assert_held(self.lock)
        held_back, self._held_back = self._held_back, None
        for tell in held_back or ():
            tell()

    def tell_locked(self, tell: Callable[[], None]) -> bool:
        """Call *tell*, now or when what is held back is let out; tells whether it was now."""
        assert_held(self.lock)
        if self._held_back is not None and len(self._held_back) >= _MOST_HELD_BACK:
            self.let_out_locked()  # nobody has listened for long
        if self._held_back is not None:
            self._held_back.append(tell)
            return False
        tell()
        return True

    def start_locked(self, definition: DomainDefinition, domain_id: int) -> None:
        """Note that it starts; nobody is told yet."""
        assert_held(self.lock)
        self.definition = definition
        self.state = STARTING_UP
        self.set_id_locked(domain_id)

    def stop_locked(self, state: StateAndReason) -> None:
        """Note that it is over; what was defined meanwhile holds from now on."""
        assert_held(self.lock)
        self.state = state
        self.set_id_locked(INACTIVE_ID)
        self.set_definition_locked(self.next_definition)


def _policy_of(definition: DomainDefinition) -> Policy:
    actions = {watchdog.action for watchdog in definition.watchdogs}
    return Policy(
        on_poweroff=definition.on_poweroff,
        on_crash=definition.on_crash,
        dumps_on_watchdog=WatchdogAction.DUMP in actions,
    )


class Life:
    """The life of a domain during one run.

    Args:
        domain: The domain.
        definition: What it runs by.
        told: The record of what is told.
        state: Takes the events.
        context: Has the clock.
    """

    def __init__(
        self,
        domain: LivingDomain,
        definition: DomainDefinition,
        told: ToldRecord,
        state: EventState,
        context: DriverContext,
    ) -> None:
        self._domain: Final = domain
        self._definition: Final = definition
        self._policy: Final = _policy_of(definition)
        self._told: Final = told
        self._state: Final = state
        self._context: Final = context
        self.asked = Asked()  # loop thread only
        self.course = Course.NORMAL  # loop thread only
        self.end_cause = _UNEXPLAINED  # loop thread only
        self.has_job = False  # loop thread only

    @property
    def phase(self) -> Phase:
        """The phase that the domain is in."""
        with self._domain.lock:
            return phase_of(self._domain.state)

    @property
    def is_interrupted(self) -> bool:
        """Whether the domain was paused for a work that nobody will finish."""
        with self._domain.lock:
            return was_interrupted(self._domain.state)

    def recall(self) -> None:
        """Take over from the record what was asked for when another driver had the domain."""
        notes = self._told.told.notes
        self.asked = Asked(reboot=Note.REBOOT in notes, destroy=Note.DESTROY in notes)

    def forget(self) -> None:
        """Put nothing on record from now on: another driver is to have the domain."""
        with self._domain.lock:
            self._told.close()

    def hear(self, message: Mapping[str, object]) -> Effect:
        """Do what an event of the monitor means, and return it."""
        self._state.make_room()
        with self._domain.lock:
            effect = interpret(message, self._scene_locked())
            self._tell_locked(effect)
        self._take_over(effect)
        return effect

    def find_out(self, status: str) -> Effect:
        """Do what QEMU's status means that nobody told, and return it."""
        self._state.make_room()
        with self._domain.lock:
            effect = find_out(status, replace(self._scene_locked(), is_found_at_start=True))
            self._tell_locked(effect)
        self._take_over(effect)
        return effect

    def happen(self, happening: Happening) -> None:
        """Do what *happening*, which a call made happen, means."""
        self._state.make_room()
        with self._domain.lock:
            self._tell_locked(self._scene_locked().happen(happening, by=RequestedBy.CALL))

    def publish(self, *events: DomainEvent) -> None:
        """Push events that change no state."""
        self._state.make_room()
        with self._domain.lock:
            self._tell_locked(Effect(events=events))

    def tell_agent_awaited(self) -> None:
        """Tell that the guest's agent, where there is a channel for it, is not there yet."""
        if any(channel.name == AGENT for channel in self._definition.channels):
            away, started = AgentLifecycleState.DISCONNECTED, AgentLifecycleReason.DOMAIN_STARTED
            now = self._context.clock.time()
            self.publish(AgentLifecycleEvent(self._domain.identity, away, started, now))

    def tell_control_error(self) -> None:
        """Tell that QEMU can no longer be controlled."""
        self.publish(ControlErrorEvent(self._domain.identity, self._context.clock.time()))

    def note(self, notes: Note) -> None:
        """Put *notes* on record."""
        with self._domain.lock:
            self._told.add(notes)

    def ask(self, asked: Asked) -> None:
        """Note what a call asks for, before its command is sent."""
        is_noted = asked.reboot is self.asked.reboot
        self.asked = asked
        if not is_noted:
            self.note_reboot()

    def note_reboot(self) -> None:
        """Keep on record that a power-off is, or is to be, a reboot."""
        is_reboot = self.asked.reboot or self.course is Course.REBOOTING
        with self._domain.lock:
            if is_reboot is (Note.REBOOT in self._told.told.notes):
                return
            if is_reboot:
                self._told.add(Note.REBOOT)
            else:
                self._told.take_back(Note.REBOOT)

    def conclude(self, verdict: Happening, on_told: Callable[[], None]) -> bool:
        """Note and tell the end; an end before the start was told is a start that failed.

        Args:
            verdict: How it ended.
            on_told: Called under the domain's lock when the end was told.

        Returns:
            Whether the domain leaves with it: its last event is pushed, it counts as removed.
        """
        self._state.make_room()
        domain = self._domain
        with domain.lock:
            is_started = phase_of(domain.state) is not Phase.STARTING
            line = find(verdict if is_started else Happening.START_FAILED, domain.state)
            domain.stop_locked(_OFF if line is None or line.state is None else line.state)
            now = self._context.clock.time()
            events = tuple(
                LifecycleEvent.from_object(domain, event, detail, now, self.end_cause)
                for event, detail in (() if line is None else line.told)
            )
            if not domain.tell_locked(partial(self._tell_end, events, on_told)):
                self._told.add(_UNTOLD_ENDS.get(verdict, Note.NONE))
            domain.is_removed = is_started and not domain.is_persistent
            return domain.is_removed

    def _take_over(self, effect: Effect) -> None:
        if effect.end_cause is not None and not self.asked.destroy:
            self.end_cause = effect.end_cause
        if effect.course is not None:
            self.course = effect.course
        if effect.asked is not None:
            self.asked = effect.asked
        if effect.course is not None or effect.asked is not None:
            self.note_reboot()

    def _scene_locked(self) -> Scene:
        return Scene(
            self._domain.identity,
            self._domain.state,
            self._context.clock.time(),
            asked=self.asked,
            course=self.course,
            policy=self._policy,
            has_job=self.has_job,
            describe_disk=self._describe_disk,
            describe_channel=self._describe_channel,
        )

    def _describe_disk(self, device: str) -> DiskName:
        found = describe_disk(self._definition, device)
        return DiskName("", device) if found is None else DiskName(*found)

    def _describe_channel(self, device: str) -> str:
        return describe_channel(self._definition, device) or ""

    def _tell_locked(self, effect: Effect) -> None:
        assert_held(self._domain.lock)
        if effect.state is not None:
            self._domain.state = effect.state
        if effect.state is not None or effect.events:
            self._domain.tell_locked(partial(self._tell, effect))

    def _tell(self, effect: Effect) -> None:
        """Note what is about to be told, then tell it."""
        if effect.state is not None:
            self._told.tell(effect.state)
        for event in effect.events:
            self._push(event)

    def _tell_end(self, events: Sequence[LifecycleEvent], on_told: Callable[[], None]) -> None:
        self._told.add(Note.STOPPED)
        for event in events:
            self._push(event)
        on_told()

    def _push(self, event: DomainEvent) -> None:
        try:
            self._state.push(event)
        except ClosedError:
            # The driver gave up waiting for this end; nobody is left to be told.
            _log.debug("after the driver's end: %s", event)
