# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands whose notes are looked at while they are on their way."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing
from typing import Final

import pytest

from virevents.clock import SYSTEM_CLOCK
from virevents.definition import DomainDefinition, DomainType
from virevents.dispatch import EventState
from virevents.drivers import DriverContext
from virevents.drivers.qemu.commands import Commands
from virevents.drivers.qemu.life import Life, LivingDomain
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.scene import NOTHING_ASKED, Asked
from virevents.drivers.qemu.told import ToldRecord
from virevents.errors import MonitorError, MonitorTimeoutError
from virevents.loop import AsyncioLoop
from virevents.model import Json, PausedReason, RequestedBy, RunningReason

SHORT: Final = 0.02


class Recorder(Monitor):
    """Takes commands in QEMU's place."""

    def __init__(self, look: Callable[[], Asked]) -> None:
        super().__init__(lambda _event: None, lambda _error: None)
        self.taken: list[tuple[str, Mapping[str, Json] | None, Asked]] = []
        self.descriptors: list[int] = []
        self.is_refusing = False
        self._look = look

    async def execute(
        self, command: str, arguments: Mapping[str, Json] | None = None, *, timeout: float
    ) -> Json:
        self.taken.append((command, arguments, self._look()))
        if self.is_refusing:
            raise MonitorError(command, "GenericError", "not in the mood")
        return {}

    def send_descriptor(self, descriptor: int) -> None:
        self.descriptors.append(descriptor)


class Stage:
    def __init__(self, loop: AsyncioLoop) -> None:
        definition = DomainDefinition(
            name="web1",
            uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
            memory_kib=8192,
            current_memory_kib=8192,
            domain_type=DomainType.QEMU,
        )
        context = DriverContext(loop, SYSTEM_CLOCK)
        domain = LivingDomain(definition, is_persistent=True)
        told = ToldRecord.in_memory()
        self.life = Life(domain, definition, told, EventState(loop), context)
        self.monitor = Recorder(lambda: self.life.asked)
        self.commands = Commands(self.life, self.monitor, SHORT)
        with domain.lock:
            domain.start_locked(definition, 1)
        self.life.hear({"event": "RESUME"})

    @property
    def last(self) -> tuple[str, Asked]:
        command, _, asked = self.monitor.taken[-1]
        return command, asked


@pytest.fixture
def stage() -> Iterator[Stage]:
    with closing(asyncio.SelectorEventLoop()) as never_run:
        loop = AsyncioLoop(never_run, "never run")
        yield Stage(loop)
        loop.detach()


Command = Callable[[Commands], Coroutine[object, object, None]]
EACH: Final[list[tuple[Command, str, Asked, Asked]]] = [
    (
        lambda c: c.stop(PausedReason.SAVE),
        "stop",
        Asked(pause=PausedReason.SAVE),
        NOTHING_ASKED,
    ),
    (
        lambda c: c.cont(RunningReason.SAVE_CANCELED),
        "cont",
        Asked(run=RunningReason.SAVE_CANCELED),
        NOTHING_ASKED,
    ),
    (lambda c: c.reset(), "system_reset", Asked(reset=True), NOTHING_ASKED),
    (
        lambda c: c.press_power_button(is_reboot=False),
        "system_powerdown",
        Asked(power_off=True),
        Asked(power_off=True),
    ),
    (
        lambda c: c.press_power_button(is_reboot=True),
        "system_powerdown",
        Asked(reboot=True),
        Asked(reboot=True),
    ),
    (lambda c: c.wake_up(), "system_wakeup", Asked(wake_up=True), Asked(wake_up=True)),
]


@pytest.mark.parametrize(("command", "name", "during", "after"), EACH)
def test_noted_first(
    stage: Stage, command: Command, name: str, during: Asked, after: Asked
) -> None:
    asyncio.run(command(stage.commands))
    assert stage.last == (name, during)
    assert stage.life.asked == after


@pytest.mark.parametrize("command", [command for command, *_ in EACH])
def test_taken_back(stage: Stage, command: Command) -> None:
    stage.monitor.is_refusing = True
    with pytest.raises(MonitorError):
        asyncio.run(command(stage.commands))
    assert stage.life.asked == NOTHING_ASKED


def test_a_reset_takes_a_wish_for_a_reboot_back(stage: Stage) -> None:
    asyncio.run(stage.commands.press_power_button(is_reboot=True))
    asyncio.run(stage.commands.reset())
    assert not stage.life.asked.reboot


def test_whole_works(stage: Stage) -> None:
    async def test() -> None:
        may_end = asyncio.Event()

        async def work() -> None:
            await may_end.wait()
            await stage.commands._cont(RunningReason.BOOTED, RequestedBy.GUEST)

        stage.commands._works.begin(work)
        stop = asyncio.create_task(stage.commands.stop(PausedReason.USER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stage.monitor.taken == []
        may_end.set()
        await stop
        assert [command for command, _, _ in stage.monitor.taken] == ["cont", "stop"]
        assert stage.monitor.taken[0][2].run_by is RequestedBy.GUEST

    asyncio.run(test())


def test_whole_works_also_one_that_begins_while_the_command_is_on_its_way(stage: Stage) -> None:
    async def reboot() -> None:
        stage.monitor.taken.append(("a reboot", None, stage.life.asked))

    def begin_once(look: Callable[[], Asked] = stage.monitor._look) -> Asked:
        if not stage.monitor.taken[:-1]:
            stage.commands._works.begin(reboot)
        return look()

    stage.monitor._look = begin_once
    asyncio.run(stage.commands.stop(PausedReason.USER))
    assert [command for command, _, _ in stage.monitor.taken] == ["stop", "a reboot", "stop"]
    assert stage.life.asked == NOTHING_ASKED


def test_a_descriptor_is_sent_and_named(stage: Stage) -> None:
    asyncio.run(stage.commands.send_descriptor("state", 7))
    assert stage.monitor.descriptors == [7]
    assert stage.monitor.taken[0][:2] == ("getfd", {"fdname": "state"})


def test_a_command_to_a_qemu_that_says_nothing_since_it_was_found(stage: Stage) -> None:
    async def test() -> None:
        never = asyncio.Event()

        async def wait() -> None:
            await never.wait()

        stage.commands._taking_up = asyncio.create_task(wait())
        with pytest.raises(MonitorTimeoutError, match="has said nothing since it was found"):
            await stage.commands.execute("stop")
        never.set()
        await stage.commands.execute("stop", within=30.0)
        assert stage.last[0] == "stop"

    asyncio.run(test())
