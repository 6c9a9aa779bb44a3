# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of a domain: one QEMU from its start to the verdict on its end.

It stands apart from the driver because it has a thread of its own: the driver is called by any
thread, a run lives on the loop thread, where monitor, process and timers tell it what happens.
What that means for the domain and whom it is told is its ``Life``.

Locking:
    Confined to the loop thread, but for ``ended``, a gate. Takes the domain's lock (DOMAIN) by
    its life only, and waits for nothing.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_run.py``:
    golden          start, pause, end of each kind make libvirt's sequences
    silent_failure  a start that fails makes no lifecycle event and leaves the domain off
    ends_once       STOPPED is pushed once, after the process is gone and its stream was read
    outlasts_nobody what does not end in time is killed
    let_go          a run that is let go of ends every wait, and its QEMU goes on
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from virevents.definition import DomainDefinition, LifecycleAction
from virevents.dispatch import EventState
from virevents.drivers.base import DriverContext
from virevents.drivers.domains import DomainList
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.arguments import settings_of
from virevents.drivers.qemu.commands import Commands
from virevents.drivers.qemu.departing import EXIT_WITHIN, Departure
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.launching import Attached
from virevents.drivers.qemu.life import Life, LivingDomain
from virevents.drivers.qemu.listening import Listeners, Listening
from virevents.drivers.qemu.live import LiveTold
from virevents.drivers.qemu.migration import break_off
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.scene import Course, Effect, Reaction
from virevents.drivers.qemu.sweeping import Sweeper
from virevents.drivers.qemu.told import Note
from virevents.drivers.qemu.transitions import Happening, Phase
from virevents.errors import MonitorError, MonitorTimeoutError
from virevents.model import (
    Cause,
    RequestedBy,
    RunningReason,
    StateAndReason,
    SuspendedDetail,
)
from virevents.sync import Gate, assert_held

__all__ = ["QemuDomain", "QemuRun", "RunHost", "Startup"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# How long QEMU may take to say its greeting; a loaded machine loads it slowly.
_GREETING_WITHIN: Final = 30.0
# How often to connect to one whose line is full; QEMU lets two wait.
_CONNECT_EVERY: Final = 0.1
# How often a QEMU that was found may say something else in the greeting's place.
_GREETINGS: Final = 5
# Where a domain stands of whose start nobody was told.
_NEVER_UP: Final = frozenset({Phase.STARTING, Phase.OFF})
_DESTROYED: Final = Cause(RequestedBy.CALL, is_graceful=False)


class QemuDomain(LivingDomain):
    """A domain of the QEMU driver.

    Args:
        definition: Its definition.
        is_persistent: Whether it stays when it stops.
    """

    def __init__(self, definition: DomainDefinition, *, is_persistent: bool) -> None:
        super().__init__(definition, is_persistent=is_persistent)
        self.run: QemuRun | None = None  # guarded by lock
        self.owner: object | None = None  # guarded by lock; whose end destroys this run

    def begin_locked(
        self, run: "QemuRun", definition: DomainDefinition, domain_id: int, owner: object = None
    ) -> None:
        """Note that *run* is on its way; nobody is told yet."""
        self.start_locked(definition, domain_id)
        self.run = run
        self.owner = owner

    def stop_locked(self, state: StateAndReason) -> None:
        """Note that the run is over."""
        assert_held(self.lock)
        super().stop_locked(state)
        self.run = None
        self.owner = None


class RunHost(Protocol):
    """What a run needs of its driver."""

    @property
    def domains(self) -> DomainList[QemuDomain]:
        """The list that a transient domain leaves at its end."""

    @property
    def state(self) -> EventState:
        """Takes the events."""

    @property
    def context(self) -> DriverContext:
        """The loop and the clock."""

    @property
    def sweeper(self) -> Sweeper:
        """Removes a run's files."""

    @property
    def answer_within(self) -> float:
        """How long a monitor command may take, in seconds."""

    @property
    def leaving(self) -> "set[asyncio.Task[None]]":
        """What is left to close of runs that are over; loop thread only."""

    def dump_then(self, domain: QemuDomain, run: "QemuRun", done: Callable[[], None]) -> None:
        """Dump the guest's memory on a thread that may wait, then have the loop call *done*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """How a run begins.

    Attributes:
        is_paused: Whether the guest is to stay paused.
        incoming: Reads a saved state into QEMU, on the loop thread; None boots.
        suspended: Why a restored guest stays paused: by its saved state, or by the call's wish.
    """

    is_paused: bool = False
    incoming: "Incoming | None" = None
    suspended: SuspendedDetail = SuspendedDetail.PAUSED


Incoming: TypeAlias = Callable[["QemuRun"], Coroutine[object, object, None]]


class QemuRun(Commands):
    """A run; `boot` or `take_up` begins it, ``ended`` opens when it is over, or let go of.

    Args:
        domain: Whose run it is.
        attached: Its QEMU and what is ours of it.
        host: The driver.
    """

    def __init__(self, domain: QemuDomain, attached: Attached, host: RunHost) -> None:
        super().__init__(
            Life(domain, attached.definition, attached.told, host.state, host.context),
            Monitor(self._on_event, self._on_stream_end),
            host.answer_within,
        )
        self.ended: Final = Gate(f"the end of the QEMU {attached.process.pid}")
        self.definition: Final = attached.definition
        self.live: Final = LiveTold(attached.definition, attached.folder.channels)
        self._domain: Final = domain
        self._attached: Final = attached
        self._process: Final = attached.process
        self._host: Final = host
        self._listeners: Final = Listeners()
        self._departure: Final = Departure(attached.process, self._conclude)
        # Let go of while its QEMU goes on: ``ended`` is open, and it has not ended.
        self.is_detached = False  # loop thread only, until ``ended`` opens
        # None if the start failed.
        self.verdict: Happening | None = None  # loop thread only, until ``ended`` opens

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """QEMU's exit status, once ``ended`` is open; None if it cannot be had."""
        return self._departure.exit_status

    # Beginning.

    async def boot(self, monitor: socket.socket, startup: Startup) -> None:
        """Take up the monitor of a QEMU that waits (``-S``) and do as *startup* says.

        A guest may be over before this returns; that is a start and an end, not a failure.

        Raises:
            MonitorError: QEMU did not come so far. It is killed; ``ended`` opens when it is gone.
        """
        self._departure.watch()
        is_up = False
        try:
            await self._open_monitor(monitor)
            await self._begin(startup)
            is_up = True
        except MonitorError:
            # Its end may have been concluded before this is heard.
            is_up = self.verdict is not None or self.life.phase not in _NEVER_UP
            if not is_up:
                raise
        finally:
            if not is_up:
                self._give_up()

    async def _open_monitor(self, monitor: socket.socket) -> None:
        """A QEMU that does not come up is one that nobody controls, and that is told."""
        try:
            await self._monitor.open(monitor, timeout=_GREETING_WITHIN)
        except MonitorError:
            self.life.tell_control_error()
            raise

    async def _begin(self, startup: Startup) -> None:
        life = self.life
        is_incoming = startup.incoming is not None
        for command, arguments in settings_of(self.definition, is_incoming=is_incoming):
            await self.execute(command, arguments)
        await self.live.learn(self.execute)
        life.tell_agent_awaited()
        if startup.incoming is not None:
            await self._read_state(startup.incoming)
            life.happen(Happening.RESTORED)
            if not startup.is_paused:
                await self.cont(RunningReason.RESTORED)
            elif startup.suspended is SuspendedDetail.RESTORED:
                life.happen(Happening.RESTORED_AS_PAUSED)
            else:
                life.happen(Happening.LEFT_PAUSED)
        elif startup.is_paused:
            life.happen(Happening.STARTED_PAUSED)
        else:
            await self.cont(RunningReason.BOOTED)

    async def _read_state(self, incoming: "Incoming") -> None:
        """A QEMU that cannot read a state ends, and that is told as a monitor's loss is."""
        try:
            await incoming(self)
        except MonitorError:
            self.life.tell_control_error()
            raise

    def take_up(self) -> "asyncio.Task[None]":
        """Begin to take up a QEMU that ran on without a driver.

        Its record says what was last told, and the domain is in that state already. If its
        monitor does not answer, or somebody else has it, the domain stays so, can be destroyed,
        and is brought up to date when it answers at last.

        Returns:
            The task, which ends when QEMU has answered or is gone.
        """
        self._departure.watch()
        self._departure.has_stream = False  # there is none yet whose end could be waited for
        self.life.recall()
        self._taking_up = asyncio.get_running_loop().create_task(self._take_up())
        return self._taking_up

    async def _take_up(self) -> None:
        try:
            await self._greet()
            self._departure.has_stream = True
            if await self._is_ours():
                await self._find_out()
            else:
                self._let_go()
        except (MonitorError, OSError) as error:
            if not self._departure.has_exited:
                _log.error("QEMU %d could not be taken up: %s", self._process.pid, error)

    async def _greet(self) -> None:
        """A connection to a QEMU that hangs, or whose monitor somebody has, waits for it.

        QEMU may have an event left for the connection before, which comes instead of the greeting.
        """
        attempts = _GREETINGS
        while True:
            try:
                connected = sockets.connect(self._attached.folder.monitor)
                await self._monitor.open(connected, timeout=_GREETING_WITHIN)
            except BlockingIOError:
                # It hangs, and as many as may wait for it have come and gone.
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), _CONNECT_EVERY)
            except MonitorTimeoutError as error:
                _log.warning("QEMU %d: %s", self._process.pid, error)
            except MonitorError:
                attempts -= 1
                if not attempts or self._departure.has_exited:
                    raise
            else:
                return

    async def _is_ours(self) -> bool:
        """Whether QEMU is that of the domain; a process of that number and start time should be."""
        answer = await self.execute("query-uuid")
        uuid = answer.get("UUID") if isinstance(answer, dict) else None
        if uuid != self.definition.uuid:
            _log.error(
                "QEMU %d is left alone: expected the uuid %s, met %s",
                self._process.pid,
                self.definition.uuid,
                uuid,
            )
        return uuid == self.definition.uuid

    async def _find_out(self) -> None:
        """Tell what changed meanwhile."""
        is_interrupted = self.life.is_interrupted
        if is_interrupted:
            await break_off(self)
        answer = await self.execute("query-status")
        status = answer.get("status") if isinstance(answer, dict) else None
        effect = self.life.find_out(str(status))
        self._act(effect)
        if is_interrupted and effect.state is None:
            await self._cont(RunningReason.SAVE_CANCELED)
        await self.live.learn(self.execute)

    def _let_go(self) -> None:
        self.is_detached = True
        self._departure.let_go()
        self._monitor.close()
        self._listeners.end()
        self.life.forget()
        self.ended.open()

    async def detach(self) -> None:
        """Let go of a QEMU that goes on without us: what waits for it ends with an error.

        One of which nobody was told is ended; one that is being destroyed is seen to its end.
        """
        if self._departure.is_over or self.is_detached or self.life.asked.destroy:
            return
        if self.life.phase is Phase.STARTING:
            self._give_up()
            return
        tasks = self._works.cancel()
        if self._taking_up is not None:
            self._taking_up.cancel()
            tasks.add(self._taking_up)
        self._let_go()
        # What is ours of the session goes before the loop may.
        await asyncio.gather(self._monitor.wait_ended(), *tasks, return_exceptions=True)

    def listen(self, *names: str) -> Listening:
        """Listen to the monitor's events of these names; to be begun before the command."""
        return self._listeners.listen(*names)

    # Ending.

    def destroy(self, patience: float | None) -> None:
        """End QEMU: ask it (SIGTERM), and kill it if it has not ended in *patience* seconds.

        Its cause is noted first, so however the end shows, it is a destruction. With no
        *patience* (None) it is only asked.
        """
        if self._departure.is_over or self.is_detached:
            return
        self.life.ask(replace(self.life.asked, destroy=True))
        self.life.note(Note.DESTROY)
        self._end(Sign.DESTROY, _DESTROYED, patience)

    def conclude_as(self, sign: Sign, by: RequestedBy = RequestedBy.CALL) -> None:
        """End QEMU, whose state is saved or dumped; it tells nothing but STOPPED.

        Args:
            sign: ``Sign.SAVED`` or ``Sign.PANICKED``.
            by: On whose wish.
        """
        if self._departure.is_over or self.is_detached:
            return
        self.life.course = Course.ENDING
        if sign is Sign.SAVED:
            self.life.note(Note.SAVED)
        self._end(sign, Cause(by, is_graceful=sign is Sign.SAVED), EXIT_WITHIN)

    def _end(self, sign: Sign, cause: Cause, patience: float | None) -> None:
        if not self._departure.is_certain:
            self.life.end_cause = cause
        self._departure.put(sign)
        self._ask_to_end(patience)

    def _ask_to_end(self, patience: float | None) -> None:
        # A QEMU that hangs obeys no request, and there is nothing to wait for.
        is_mute = self._is_being_taken_up and not self._monitor.is_open
        hangs = self._monitor.is_hung or is_mute
        self._departure.ask(0.0 if hangs and patience is not None else patience)

    def _give_up(self) -> None:
        self._departure.kill()
        if not self._monitor.is_open:
            self._departure.put(Sign.STREAM_END)

    # What monitor, process and timers tell.

    def _on_event(self, message: Mapping[str, object]) -> None:
        self._act(self.life.hear(message))
        self._listeners.put(message)

    def _on_stream_end(self, error: Exception | None) -> None:
        """A stream that broke is no sign of QEMU's end: the guest may go on, uncontrolled."""
        self._listeners.end()
        if self.is_detached:
            return
        if error is None or self._departure.has_exited:
            self._departure.put(Sign.STREAM_END)
            return
        _log.error("lost the monitor of QEMU %d: %s", self._process.pid, error)
        self._departure.has_stream = False
        self.life.tell_control_error()

    # What is done about it.

    def _act(self, effect: Effect) -> None:
        if effect.sign is not None:
            self._departure.put(effect.sign)
        if effect.reaction is Reaction.END:
            self._ask_to_end(EXIT_WITHIN)
        elif effect.reaction is Reaction.REBOOT:
            self._work(self._reboot)
        elif effect.reaction is not None:
            self._host.dump_then(self._domain, self, self._after_dump(effect.reaction))

    def _after_dump(self, reaction: Reaction) -> Callable[[], None]:
        if reaction is Reaction.DUMP_AND_END:
            return lambda: self.conclude_as(Sign.PANICKED, RequestedBy.GUEST)
        work = self._reboot if reaction is Reaction.DUMP_AND_REBOOT else self._run_again
        return lambda: self._work(work)

    def _work(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        if not self._departure.is_over and not self.is_detached:
            self._works.begin(work)

    async def _reboot(self) -> None:
        """Make of a power-off, or of a crash, a reboot (libvirt: qemuProcessFakeReboot)."""
        is_crash = self.life.phase is Phase.CRASHED
        try:
            await self.execute("system_reset")
            reason = RunningReason.CRASHED if is_crash else RunningReason.BOOTED
            await self._cont(reason, by=RequestedBy.GUEST)
            if is_crash and self.definition.on_reboot is LifecycleAction.DESTROY:
                # QEMU was told to end instead of a reset: the crashed guest runs on as it was.
                self._ask_to_end(EXIT_WITHIN)
        except MonitorError as error:
            # An end that a call asked for meanwhile is no fault.
            level = logging.DEBUG if self.life.asked.destroy else logging.ERROR
            _log.log(level, "could not reboot QEMU %d, which is killed: %s", self.pid, error)
            self._give_up()

    async def _run_again(self) -> None:
        try:
            await self._cont(RunningReason.UNPAUSED, by=RequestedBy.GUEST)
        except MonitorError as error:
            _log.error("QEMU %d stays paused after its dump: %s", self._process.pid, error)

    def _conclude(self) -> None:
        self._monitor.close()
        leaving = asyncio.get_running_loop().create_task(self._monitor.wait_ended())
        self._host.leaving.add(leaving)
        leaving.add_done_callback(self._host.leaving.discard)
        self._listeners.end()
        if self.life.phase is not Phase.STARTING:
            self.verdict = self._departure.verdict
        if self.life.conclude(self._departure.verdict, self._on_end_told):
            self._host.domains.remove(self._domain)
        self.ended.open()

    def _on_end_told(self) -> None:
        """Nothing more is to be known of this run, by nobody."""
        self._attached.told.close()
        self._host.sweeper.remove(self._attached.folder)
