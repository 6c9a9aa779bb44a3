# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run knows and tells, with a queue and a record that are looked at after each step."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

import pytest

from virevents.clock import SYSTEM_CLOCK
from virevents.definition import (
    Channel,
    DomainDefinition,
    DomainType,
    LifecycleAction,
    UnixEnd,
    Watchdog,
    WatchdogAction,
    WatchdogModel,
)
from virevents.dispatch import EventState
from virevents.drivers import DriverContext
from virevents.drivers.qemu.life import Life, LivingDomain
from virevents.drivers.qemu.scene import Course, Reaction
from virevents.drivers.qemu.told import Note, ToldRecord
from virevents.drivers.qemu.transitions import Happening, Phase
from virevents.loop import AsyncioLoop
from virevents.model import (
    Cause,
    DomainState,
    LifecycleEvent,
    RequestedBy,
    RunningReason,
    ShutoffReason,
    StateAndReason,
)

UUID: Final = "6695eb01-f6a4-8304-79aa-97f2502e193f"
RUNNING: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
RESUME: Final = {"event": "RESUME"}
STOP: Final = {"event": "STOP"}
OFF: Final = {"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-shutdown"}}


class Record(ToldRecord):
    """A record that looks, at each note of a state, at what has been pushed by then."""

    stage: "Stage | None" = None

    def tell(self, state: StateAndReason) -> None:
        if self.stage is not None:
            self.stage.look()
            self.stage.log.append(f"{state.state} is noted")
        super().tell(state)


class Stage:
    """The life of a domain whose queue nobody empties."""

    def __init__(self, loop: AsyncioLoop, **facts: object) -> None:
        definition = DomainDefinition(
            name="web1",
            uuid=UUID,
            memory_kib=8192,
            current_memory_kib=8192,
            domain_type=DomainType.QEMU,
            **facts,  # type: ignore[arg-type]
        )
        self.told = Record.in_memory()
        self.told.stage = self
        self.state = EventState(loop)
        self.log: list[str] = []
        self.causes: list[Cause] = []
        self.domain = LivingDomain(definition, is_persistent=True)
        context = DriverContext(loop, SYSTEM_CLOCK)
        self.life = Life(self.domain, definition, self.told, self.state, context)
        with self.domain.lock:
            self.domain.start_locked(definition, 3)

    def look(self) -> None:
        for event in self.state.queue.drain():
            if isinstance(event, LifecycleEvent):
                self.log.append(f"{event.event} {event.detail}")
                self.causes.append(event.cause)
            else:
                self.log.append(str(event.event_id))

    @property
    def words(self) -> list[str]:
        self.look()
        return [words for words in self.log if not words.endswith("noted")]

    def run(self) -> None:
        self.life.ask(replace(self.life.asked, run=RunningReason.BOOTED))
        self.life.hear(RESUME)
        self.look()
        self.log.clear()
        self.causes.clear()

    @property
    def is_reboot_noted(self) -> bool:
        return Note.REBOOT in self.told.told.notes


@pytest.fixture
def loop() -> Iterator[AsyncioLoop]:
    """A loop that never runs."""
    with closing(asyncio.SelectorEventLoop()) as never_run:
        loop = AsyncioLoop(never_run, "never run")
        yield loop
        loop.detach()


def test_noted_first(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.life.hear(RESUME)
    stage.life.hear(STOP)
    stage.look()
    assert stage.log == [
        "running is noted",
        "resumed unpaused",
        "started booted",
        "paused is noted",
        "suspended paused",
    ]
    assert Note.STARTED in stage.told.told.notes


def test_reboot_noted(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    noted = [stage.is_reboot_noted]
    stage.life.ask(replace(stage.life.asked, reboot=True))
    noted.append(stage.is_reboot_noted)
    assert stage.life.hear(OFF).reaction is Reaction.REBOOT
    assert stage.life.course is Course.REBOOTING
    stage.life.hear({"event": "RESET"})
    noted.append(stage.is_reboot_noted)  # reset, but not let run yet
    stage.life.hear(RESUME)
    noted.append(stage.is_reboot_noted)
    assert noted == [False, True, True, False]
    assert stage.words == ["reboot"]


def test_reboot_noted_by_another_process_is_recalled(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    stage.life.note(Note.REBOOT)
    stage.life.recall()
    assert stage.life.asked.reboot


def test_ends_once(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    stage.life.hear(OFF)
    over: list[str] = []
    assert not stage.life.conclude(Happening.SHUT_DOWN, lambda: over.append("told"))
    assert stage.words == ["shutdown guest", "stopped shutdown"]
    assert stage.causes == [Cause(RequestedBy.GUEST, is_graceful=True)] * 2
    assert stage.domain.state == (DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)
    assert stage.domain.identity.id == -1
    assert over == ["told"]
    assert Note.STOPPED in stage.told.told.notes


def test_a_transient_domain_leaves_with_its_end(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    with stage.domain.lock:
        stage.domain.is_persistent = False
    assert stage.life.conclude(Happening.FAILED, lambda: None)
    assert stage.domain.is_removed
    assert stage.words == ["stopped failed"]
    assert stage.causes == [Cause(is_graceful=False)]


def test_an_end_before_the_start_tells_nothing(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    assert stage.life.phase is Phase.STARTING
    assert not stage.life.conclude(Happening.SHUT_DOWN, lambda: None)
    assert stage.words == []
    assert stage.domain.state == (DomainState.SHUTOFF, ShutoffReason.FAILED)


def test_a_destruction_stays_the_cause_of_the_end(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    stage.life.end_cause = by_call = Cause(RequestedBy.CALL, is_graceful=False)
    stage.life.ask(replace(stage.life.asked, destroy=True))
    stage.life.hear({"event": "SHUTDOWN", "data": {"guest": False, "reason": "host-signal"}})
    stage.life.conclude(Happening.DESTROYED, lambda: None)
    assert stage.words == ["shutdown host", "stopped destroyed"]
    assert stage.causes == [by_call, by_call]


def test_the_definition_says_what_follows(loop: AsyncioLoop) -> None:
    watchdog = Watchdog(model=WatchdogModel.IB700, action=WatchdogAction.DUMP)
    stage = Stage(loop, on_crash=LifecycleAction.COREDUMP_RESTART, watchdogs=(watchdog,))
    stage.run()
    fired = stage.life.hear({"event": "WATCHDOG", "data": {"action": "pause"}})
    assert fired.reaction is Reaction.DUMP_AND_RUN
    panicked = stage.life.hear({"event": "GUEST_PANICKED", "data": {"action": "pause"}})
    assert panicked.reaction is Reaction.DUMP_AND_REBOOT


def test_a_channel_is_the_agents_by_its_name(loop: AsyncioLoop) -> None:
    stage = Stage(loop, channels=(Channel(end=UnixEnd(), name="org.qemu.guest_agent.0"),))
    stage.run()
    stage.life.hear({"event": "VSERPORT_CHANGE", "data": {"id": "channel0", "open": True}})
    assert stage.words == ["agent-lifecycle"]


def test_what_is_found_is_told_as_found(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.run()
    stage.life.find_out("io-error")
    assert stage.words == ["suspended ioerror"]
    assert stage.causes[0].is_found_at_start


def test_a_call_makes_it_happen(loop: AsyncioLoop) -> None:
    stage = Stage(loop)
    stage.life.happen(Happening.STARTED_PAUSED)
    assert stage.words == ["started booted", "suspended paused"]
    assert {cause.requested_by for cause in stage.causes} == {RequestedBy.CALL}
    stage.life.tell_control_error()
    assert stage.words[-1] == "control-error"
