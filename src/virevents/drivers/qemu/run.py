# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of a domain: one QEMU from its start to the verdict on its end.

It stands apart from the driver because it has a thread of its own: the driver is called by any
thread, a run lives on the loop thread, where monitor, process and timers tell it what happens.
What it learns it publishes under the domain's lock.

Locking:
    Confined to the loop thread, but for ``ended``, a gate. Takes the domain's lock (DOMAIN) to
    change the domain and push the events, and waits for nothing.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_run.py``:
    golden          start, pause, end of each kind make libvirt's sequences
    silent_failure  a start that fails makes no event and leaves the domain off
    ends_once       STOPPED is pushed once, after the process is gone and its stream was read
    outlasts_nobody what does not end in time is killed
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Mapping
from typing import Final

from virevents.definition import DomainDefinition
from virevents.dispatch import EventState
from virevents.drivers.base import DriverContext
from virevents.drivers.domains import DomainList, DomainObject
from virevents.drivers.qemu.ending import Ending, Sign, Step, Verdict
from virevents.drivers.qemu.events import STARTING_UP, Effect, Scene, interpret
from virevents.drivers.qemu.launching import Launched
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.sweeping import Sweeper
from virevents.drivers.qemu.told import Note
from virevents.errors import ClosedError, MonitorError
from virevents.model import (
    INACTIVE_ID,
    ControlErrorEvent,
    DomainEvent,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    PausedReason,
    ShutoffReason,
    StartedDetail,
    StateAndReason,
    SuspendedDetail,
)
from virevents.sync import Gate, assert_held

__all__ = ["QemuDomain", "QemuRun"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# How long QEMU may take to say its greeting; a loaded machine loads it slowly.
_GREETING_WITHIN: Final = 30.0
# How long a command may take. libvirt waits for ever; a hang shows in nothing else.
_ANSWER_WITHIN: Final = 30.0
# Between the end of the stream and the exit; 108 ms were seen at most.
_EXIT_WITHIN: Final = 5.0
# Between the exit and the end of the stream, which the system closes with the process.
_STREAM_END_WITHIN: Final = 2.0

_OFF: Final = {reason: StateAndReason(DomainState.SHUTOFF, reason) for reason in ShutoffReason}


class QemuDomain(DomainObject):
    """A domain of the QEMU driver.

    Args:
        definition: Its definition.
        is_persistent: Whether it stays when it stops.
    """

    def __init__(self, definition: DomainDefinition, *, is_persistent: bool) -> None:
        super().__init__(definition, _OFF[ShutoffReason.UNKNOWN], is_persistent=is_persistent)
        self.next_definition = definition  # guarded by lock
        self.run: QemuRun | None = None  # guarded by lock

    def begin_locked(self, run: "QemuRun", definition: DomainDefinition, domain_id: int) -> None:
        """Note that *run* is on its way; nobody is told yet."""
        assert_held(self.lock)
        self.run = run
        self.definition = definition
        self.state = STARTING_UP
        self.set_id_locked(domain_id)

    def end_locked(self, reason: ShutoffReason) -> None:
        """Note that the run is over; what was defined meanwhile holds from now on."""
        assert_held(self.lock)
        self.run = None
        self.state = _OFF[reason]
        self.set_id_locked(INACTIVE_ID)
        self.set_definition_locked(self.next_definition)


class QemuRun:
    """A run; `boot` begins it, ``ended`` opens when it is over.

    Args:
        domain: Whose run it is.
        launched: Its QEMU, which waits for ``cont`` (``-S``), and what was made for it.
        domains: The list that a transient domain leaves at its end.
        state: Takes the events.
        context: The loop and the clock.
        sweeper: Removes its files when it is over.
    """

    def __init__(
        self,
        domain: QemuDomain,
        launched: Launched,
        domains: DomainList[QemuDomain],
        state: EventState,
        context: DriverContext,
        sweeper: Sweeper,
    ) -> None:
        self.ended: Final = Gate(f"the end of the QEMU {launched.process.pid}")
        self._domain: Final = domain
        self._process: Final = launched.process
        self._told: Final = launched.told  # stored before each push, under the domain's lock
        self._folder: Final = launched.folder
        self._sweeper: Final = sweeper
        self._domains: Final = domains
        self._state: Final = state
        self._context: Final = context
        self._monitor: Final = Monitor(self._on_event, self._on_stream_end)
        self._ending: Final = Ending()
        self._deadline: asyncio.TimerHandle | None = None  # loop thread only
        self._is_started = False  # loop thread only; somebody has been told of the start
        self._is_stream_broken = False  # loop thread only
        self._has_exited = False  # loop thread only
        self.exit_status: int | None = None  # loop thread only, until ``ended`` opens
        # None if the start failed.
        self.verdict: Verdict | None = None  # loop thread only, until ``ended`` opens

    async def boot(self, monitor: socket.socket, *, paused: bool) -> None:
        """Take up the monitor and let the guest run; with *paused*, be as a paused domain.

        A guest may be over before this returns; that is a start and an end, not a failure.

        Raises:
            MonitorError: QEMU did not come so far. It is killed; ``ended`` opens when it is gone.
        """
        self._process.watch(self._on_exit)
        is_up = False
        try:
            await self._monitor.open(monitor, timeout=_GREETING_WITHIN)
            if paused:
                self._tell_paused_start()
            else:
                await self.execute("cont")
            is_up = True
        except MonitorError:
            is_up = self._is_started
            if not is_up:
                raise
        finally:
            if not is_up:
                self._give_up()

    async def execute(self, command: str) -> None:
        """Have the monitor execute *command*; raises ``MonitorError``."""
        await self._monitor.execute(command, timeout=_ANSWER_WITHIN)

    def destroy(self, patience: float) -> None:
        """End QEMU: ask it (SIGTERM), and kill it if it has not ended in *patience* seconds.

        Its cause is noted first, so however the end shows, it is a destruction.
        """
        if not self._ending.is_over:
            with self._domain.lock:
                self._told.add(Note.DESTROY)
            self._put(Sign.DESTROY)
            self._process.send_signal(signal.SIGTERM)
            self._arm(patience)

    def _give_up(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        if not self._monitor.is_open:
            self._put(Sign.STREAM_END)

    def _tell_paused_start(self) -> None:
        """A domain that is started paused: two events, as in libvirt, and no RESUME."""
        self._state.make_room()
        with self._domain.lock:
            scene = self._scene_locked()
            started = scene.lifecycle(Lifecycle.STARTED, StartedDetail.BOOTED)
            suspended = scene.lifecycle(Lifecycle.SUSPENDED, SuspendedDetail.PAUSED)
            paused = StateAndReason(DomainState.PAUSED, PausedReason.USER)
            self._publish_locked(Effect(paused, (started, suspended)))

    # What monitor, process and timers tell.

    def _on_event(self, message: Mapping[str, object]) -> None:
        self._state.make_room()
        with self._domain.lock:
            effect = interpret(message, self._scene_locked())
            self._publish_locked(effect)
        if effect.sign is not None:
            self._put(effect.sign)

    def _on_stream_end(self, error: Exception | None) -> None:
        """A stream that broke is no sign of QEMU's end: the guest may go on, uncontrolled."""
        if error is None or self._has_exited:
            self._put(Sign.STREAM_END)
            return
        _log.error("lost the monitor of QEMU %d: %s", self._process.pid, error)
        self._is_stream_broken = True
        with self._domain.lock:
            lost = ControlErrorEvent(self._domain.identity, self._context.clock.time())
            self._publish_locked(Effect(events=(lost,)))

    def _on_exit(self, status: int | None) -> None:
        self._has_exited = True
        self.exit_status = status
        self._put(Sign.EXIT)
        if self._is_stream_broken:
            self._put(Sign.STREAM_END)

    def _on_deadline(self) -> None:
        self._deadline = None
        self._put(Sign.DEADLINE)

    # What is done about it.

    def _put(self, sign: Sign) -> None:
        step = self._ending.put(sign)
        if step is Step.AWAIT_EXIT:
            self._arm(_EXIT_WITHIN)
        elif step is Step.AWAIT_STREAM:
            self._arm(_STREAM_END_WITHIN)
        elif step is Step.KILL:
            _log.warning("QEMU %d did not end in time and is killed", self._process.pid)
            self._process.send_signal(signal.SIGKILL)
            self._arm(_EXIT_WITHIN)
        elif step is Step.CONCLUDE:
            self._conclude(self._ending.verdict)

    def _arm(self, timeout: float) -> None:
        self._disarm()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(timeout, self._on_deadline)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _conclude(self, verdict: Verdict) -> None:
        self._disarm()
        self._monitor.close()
        self._state.make_room()
        domain = self._domain
        with domain.lock:
            domain.end_locked(verdict.reason if self._is_started else ShutoffReason.FAILED)
            self._told.add(Note.STOPPED)
            if self._is_started:
                self.verdict = verdict
                stopped = LifecycleEvent.from_object(
                    domain, Lifecycle.STOPPED, verdict.detail, self._context.clock.time()
                )
                self._publish_locked(Effect(events=(stopped,)))
                domain.is_removed = not domain.is_persistent
        if domain.is_removed:
            self._domains.remove(domain)
        self._told.close()
        self._sweeper.remove(self._folder)
        self.ended.open()

    def _scene_locked(self) -> Scene:
        return Scene(self._domain.identity, self._domain.state, self._context.clock.time())

    def _publish_locked(self, effect: Effect) -> None:
        assert_held(self._domain.lock)
        if effect.state is not None:
            self._domain.state = effect.state
            self._told.tell(effect.state)
            self._is_started = True
        for event in effect.events:
            self._push(event)

    def _push(self, event: DomainEvent) -> None:
        try:
            self._state.push(event)
        except ClosedError:
            # The driver gave up waiting for this end; nobody is left to be told.
            _log.debug("after the driver's end: %s", event)
