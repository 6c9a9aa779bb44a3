# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that a run gives its QEMU, each with its note of what was asked for.

They stand apart from the run's beginning and end because each is one step, or two, and because
the order of the two is the point: what a call asks for is noted *before* its command is sent, so
that the event which answers finds the note.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_commands.py``:
    noted_first   while a command is on its way, its note is there
    taken_back    a command that changes nothing, or fails, leaves no note behind
    whole_works   a stop or a resumption waits for the end of what the run does by itself
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from virevents.drivers.qemu.life import Life
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.transitions import Happening
from virevents.drivers.qemu.works import Works
from virevents.errors import MonitorError, MonitorTimeoutError
from virevents.model import Json, PausedReason, RequestedBy, RunningReason

__all__ = ["Commands"]


class Commands:
    """What can be commanded of one QEMU.

    Args:
        life: Takes the notes.
        monitor: Takes the commands.
        answer_within: How long a command may take, in seconds.
    """

    def __init__(self, life: Life, monitor: Monitor, answer_within: float) -> None:
        self.life: Final = life
        self._monitor: Final = monitor
        self._answer_within: Final = answer_within
        self._works: Final = Works()
        self._taking_up: asyncio.Task[None] | None = None

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        within: float | None = None,
    ) -> Json:
        """Have the monitor execute *command* and return its answer; raises ``MonitorError``."""
        timeout = self._answer_within if within is None else within
        if self._is_being_taken_up:
            await self._until_taken_up(command, timeout)
        return await self._monitor.execute(command, arguments, timeout=timeout)

    @property
    def _is_being_taken_up(self) -> bool:
        return self._taking_up is not None and not self._taking_up.done()

    async def _until_taken_up(self, command: str, timeout: float) -> None:
        taking_up = self._taking_up
        if taking_up is None or taking_up is asyncio.current_task():
            return
        await asyncio.wait({taking_up}, timeout=timeout)
        if not taking_up.done():
            raise MonitorTimeoutError(command, "", "QEMU has said nothing since it was found")

    async def send_descriptor(self, name: str, descriptor: int) -> None:
        """Give QEMU a copy of *descriptor*, which commands call *name*."""
        self._monitor.send_descriptor(descriptor)
        await self.execute("getfd", {"fdname": name})

    async def stop(self, reason: PausedReason) -> None:
        """Stop the processors; raises ``MonitorError``."""
        await self._stop(reason)
        while not self._works.is_idle:
            # The guest was off before the command reached it: it stopped nothing, and the reboot
            # that has begun by now would let it run.
            await self._stop(reason)

    async def _stop(self, reason: PausedReason) -> None:
        await self._works.settled()
        self.life.ask(replace(self.life.asked, pause=reason))
        try:
            await self.execute("stop")
        finally:
            if self.life.asked.pause is not None:  # nothing stopped that would have told it
                self.life.ask(replace(self.life.asked, pause=None))

    async def cont(self, reason: RunningReason) -> None:
        """Let the processors run; raises ``MonitorError``."""
        await self._works.settled()
        await self._cont(reason)

    async def _cont(self, reason: RunningReason, by: RequestedBy = RequestedBy.CALL) -> None:
        """Let them run within a work, on the wish of *by*."""
        self.life.ask(replace(self.life.asked, run=reason, run_by=by))
        try:
            await self.execute("cont")
        finally:
            if self.life.asked.run is not None:
                self.life.ask(replace(self.life.asked, run=None))

    async def press_power_button(self, *, is_reboot: bool) -> None:
        """Press it; the power-off that may follow is to be a reboot or the end."""
        before = self.life.asked
        self.life.ask(replace(before, reboot=is_reboot, power_off=not is_reboot))
        try:
            await self.execute("system_powerdown")
        except MonitorError:
            self.life.ask(before)
            raise

    async def reset(self) -> None:
        """Reset the machine; a crashed guest is a paused one afterwards."""
        await self._works.settled()
        self.life.ask(replace(self.life.asked, reset=True))
        try:
            await self.execute("system_reset")
        finally:
            self.life.ask(replace(self.life.asked, reset=False))
        self.life.ask(replace(self.life.asked, reboot=False))
        self.life.happen(Happening.RESET_AFTER_CRASH)

    async def wake_up(self) -> None:
        """Wake the guest; raises ``MonitorError`` if it does not sleep."""
        self.life.ask(replace(self.life.asked, wake_up=True))
        try:
            await self.execute("system_wakeup")
        except MonitorError:
            self.life.ask(replace(self.life.asked, wake_up=False))
            raise
