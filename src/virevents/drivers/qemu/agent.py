# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's agent: how a guest is asked to do what only it can, to go to sleep.

It stands apart because it is the only place where a program *in* the guest is believed, and that
one may be silent, old, broken or hostile: every line is bounded, every wait has a deadline, and
what is left in the channel from an earlier talk is told from an answer by a fresh number
(``guest-sync-delimited``, the agent's own protocol, and the byte 0xFF that no JSON has).

The channel is connected for one talk and closed after it: nothing that a guest says while nobody
asks is kept.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_agent.py``:
    own_answer    what an earlier talk left, or a guest makes up, is not taken for an answer
    silent        an agent that does not answer in time is an error, code 86
    bounded       whatever a guest sends, a bounded part of it is kept
    refused       an agent's own error is told in its words
"""

import asyncio
import json
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from virevents.drivers.base import SleepMode
from virevents.drivers.qemu.migration import Monitored
from virevents.errors import AgentError, MonitorTimeoutError
from virevents.model import Json

__all__ = ["Agent", "put_to_sleep", "talk"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# libvirt's: how long an agent that is connected may take to answer a greeting.
_GREETING_WITHIN: Final = 5.0
# How long a guest may take to fall asleep once its agent was told; Linux writes out its disks.
_ASLEEP_WITHIN: Final = 60.0
_LINE_BYTES_MAX: Final = 1 << 16
_DELIMITER: Final = b"\xff"

_COMMANDS: Final[Mapping[SleepMode, str]] = {
    SleepMode.MEMORY: "guest-suspend-ram",
    SleepMode.DISK: "guest-suspend-disk",
    SleepMode.HYBRID: "guest-suspend-hybrid",
}


class _ChannelClosedError(AgentError):
    """The other end is gone: QEMU ended."""


class Agent:
    """A talk with an agent that answers; made by `talk`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader: Final = reader
        self._writer: Final = writer

    async def greet(self) -> None:
        """Find the agent at the other end, and the end of all that was said before.

        Raises:
            AgentError: There is none, or what is there is none.
        """
        number = secrets.randbelow(1 << 31)
        arguments: dict[str, Json] = {"id": number}
        self._send("guest-sync-delimited", arguments, prefix=_DELIMITER)
        try:
            async with asyncio.timeout(_GREETING_WITHIN):
                while await self._next_message() != {"return": number}:
                    pass
        except TimeoutError as error:
            raise AgentError(
                f"Guest agent is not responding: no answer within {_GREETING_WITHIN:g} s"
            ) from error

    def send(self, command: str) -> None:
        """Send a command, whose answer, if it has one, `answer` returns."""
        self._send(command, {})

    async def answer(self) -> Json:
        """Return the next answer.

        Raises:
            AgentError: The agent refused the command, or went away.
        """
        message: Json = None
        while not (isinstance(message, dict) and ("return" in message or "error" in message)):
            message = await self._next_message()
        error = message.get("error")
        if error is not None:
            why = error.get("desc") if isinstance(error, dict) else error
            raise AgentError(f"internal error: unable to execute QEMU agent command: {why}")
        return message["return"]

    def _send(self, command: str, arguments: Mapping[str, Json], *, prefix: bytes = b"") -> None:
        request: dict[str, Json] = {"execute": command}
        if arguments:
            request["arguments"] = dict(arguments)
        self._writer.write(prefix + json.dumps(request).encode() + b"\n")

    async def _next_message(self) -> Json:
        """Return the next line that is JSON; what is none is passed over."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                raise AgentError(
                    f"the guest's agent sent a line of more than {_LINE_BYTES_MAX} bytes"
                ) from error
            except (asyncio.IncompleteReadError, OSError) as error:
                raise _ChannelClosedError(
                    "Guest agent is not responding: the channel was closed"
                ) from error
            try:
                message: Json = json.loads(line.rpartition(_DELIMITER)[2])
            except (ValueError, RecursionError):
                continue
            return message


@asynccontextmanager
async def talk(channel: socket.socket) -> AsyncIterator[Agent]:
    """Talk to the agent at the other end of *channel*, which is closed afterwards.

    Raises:
        AgentError: None answers.
    """
    reader, writer = await asyncio.open_unix_connection(sock=channel, limit=_LINE_BYTES_MAX)
    try:
        agent = Agent(reader, writer)
        await agent.greet()
        yield agent
    finally:
        writer.close()


async def put_to_sleep(run: Monitored, channel: socket.socket, mode: SleepMode) -> None:
    """Have the guest's agent put the guest to sleep; returns when it sleeps.

    Raises:
        AgentError: There is no agent, or it refused, or the guest stayed awake.
        MonitorError: QEMU went away.
    """
    async with talk(channel) as agent:
        with run.listen("SUSPEND", "SUSPEND_DISK", "SHUTDOWN") as heard:
            agent.send(_COMMANDS[mode])
            refused = asyncio.ensure_future(_refusal(agent))
            asleep = asyncio.ensure_future(heard.next(within=_ASLEEP_WITHIN))
            try:
                # A guest that sleeps says nothing: only its sleep tells.
                await asyncio.wait({refused, asleep}, return_when=asyncio.FIRST_COMPLETED)
                if refused.done():
                    refused.result()
                await asleep
            except MonitorTimeoutError as error:
                raise AgentError(
                    f"Guest agent is not responding: the guest did not sleep: {error}"
                ) from error
            finally:
                for each in (refused, asleep):
                    each.cancel()
                await asyncio.gather(refused, asleep, return_exceptions=True)


async def _refusal(agent: Agent) -> None:
    """Return once the agent has answered or gone; raises its refusal."""
    try:
        await agent.answer()
    except _ChannelClosedError:
        _log.debug("the channel was closed: a guest that sleeps on its disk is off")
