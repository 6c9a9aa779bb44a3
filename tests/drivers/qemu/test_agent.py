# SPDX-License-Identifier: LGPL-2.1-or-later
"""A talk with the guest's agent: a scripted one at the other end of a socket, and a hostile one."""

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virevents.drivers import SleepMode
from virevents.drivers.qemu import agent
from virevents.drivers.qemu.agent import put_to_sleep, talk
from virevents.drivers.qemu.listening import Listeners, Listening
from virevents.errors import AgentError, MonitorError
from virevents.model import Json

Guest = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Run:
    """A run whose events the test makes."""

    def __init__(self) -> None:
        self.listeners = Listeners()

    def listen(self, *names: str) -> Listening:
        return self.listeners.listen(*names)

    async def send_descriptor(self, name: str, descriptor: int) -> None:
        raise NotImplementedError

    async def execute(
        self, command: str, arguments: Mapping[str, Json] | None = None, *, within: float = 0.0
    ) -> Json:
        raise NotImplementedError


async def asked(reader: asyncio.StreamReader) -> dict[str, Json]:
    """What the agent was asked, which a guest's agent reads up to the end of the line."""
    line = await reader.readuntil(b"\n")
    request: dict[str, Json] = json.loads(line.lstrip(b"\xff"))
    return request


async def answer_greeting(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, before: bytes = b""
) -> None:
    greeting = await asked(reader)
    assert greeting["execute"] == "guest-sync-delimited"
    arguments = greeting["arguments"]
    assert isinstance(arguments, dict)
    writer.write(before + b"\xff" + json.dumps({"return": arguments["id"]}).encode() + b"\n")


async def with_guest(guest: Guest, host: Callable[[socket.socket], Awaitable[None]]) -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    task = asyncio.create_task(_run(guest, reader, writer))
    try:
        await host(ours)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()


async def _run(guest: Guest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await guest(reader, writer)
    await asyncio.get_running_loop().create_future()  # the channel stays open


def sleep_with(guest: Guest, run: Run, mode: SleepMode = SleepMode.MEMORY) -> None:
    asyncio.run(with_guest(guest, lambda channel: put_to_sleep(run, channel, mode)))


@pytest.mark.parametrize(
    ("mode", "command", "event"),
    [
        (SleepMode.MEMORY, "guest-suspend-ram", "SUSPEND"),
        (SleepMode.DISK, "guest-suspend-disk", "SUSPEND_DISK"),
        (SleepMode.DISK, "guest-suspend-disk", "SHUTDOWN"),
        (SleepMode.HYBRID, "guest-suspend-hybrid", "SUSPEND"),
    ],
)
def test_refused_not_the_guest_sleeps(mode: SleepMode, command: str, event: str) -> None:
    run = Run()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)
        assert await asked(reader) == {"execute": command}
        run.listeners.put({"event": event})

    sleep_with(guest, run, mode)


def test_refused_not_the_agent_answers_and_the_guest_sleeps_later() -> None:
    run = Run()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)
        await asked(reader)
        writer.write(b'{"return": {}}\n')
        await writer.drain()
        asyncio.get_running_loop().call_later(0.02, run.listeners.put, {"event": "SUSPEND"})

    sleep_with(guest, run)


def test_refused_not_the_channel_goes_with_qemu() -> None:
    """A guest that sleeps on its disk ends QEMU: the channel's end can be seen first."""
    run = Run()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)
        await asked(reader)
        writer.close()
        asyncio.get_running_loop().call_later(0.02, run.listeners.put, {"event": "SUSPEND_DISK"})

    sleep_with(guest, run, SleepMode.DISK)


def test_refused() -> None:
    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)
        await asked(reader)
        writer.write(b'{"error": {"class": "Unsupported", "desc": "no such sleep"}}\n')

    with pytest.raises(AgentError, match="unable to execute QEMU agent command: no such sleep"):
        sleep_with(guest, Run())


def test_refused_by_qemus_end() -> None:
    run = Run()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)
        await asked(reader)
        run.listeners.end()

    with pytest.raises(MonitorError, match="session ended"):
        sleep_with(guest, run)


def test_own_answer() -> None:
    left = b'{"return": 7}\n{"return"' + b"\xff" * 3 + b'no json at all\n\n[]\n"x"\n12\n{"return": '
    run = Run()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer, before=left)
        await asked(reader)
        run.listeners.put({"event": "SUSPEND"})

    sleep_with(guest, run)


def test_own_answer_has_a_fresh_number() -> None:
    numbers = set()

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = await asked(reader)
        numbers.add(json.dumps(greeting))

    async def host(channel: socket.socket) -> None:
        with pytest.raises(AgentError):
            async with talk(channel):
                pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "_GREETING_WITHIN", 0.02)
        for _ in range(5):
            asyncio.run(with_guest(guest, host))
    assert len(numbers) == 5


def test_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_GREETING_WITHIN", 0.02)

    async def guest(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asked(reader)

    with pytest.raises(AgentError, match=r"not responding: no answer within 0\.02 s") as met:
        sleep_with(guest, Run())
    assert met.value.code == 86


def test_silent_when_it_should_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_ASLEEP_WITHIN", 0.02)

    async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_greeting(reader, writer)

    with pytest.raises(AgentError, match="the guest did not sleep") as met:
        sleep_with(guest, Run())
    assert met.value.code == 86


def test_silent_because_closed() -> None:
    async def guest(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(AgentError, match="the channel was closed"):
        sleep_with(guest, Run())


def test_bounded() -> None:
    async def guest(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    with pytest.raises(AgentError, match=re.escape("a line of more than 65536 bytes")):
        sleep_with(guest, Run())


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=300))
def test_bounded_any_noise(noise: bytes) -> None:
    async def guest(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(noise)
        writer.close()

    with pytest.raises(AgentError):
        sleep_with(guest, Run())
