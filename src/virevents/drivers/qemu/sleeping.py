# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sending a guest to sleep, which only its own agent can do.

It stands apart from the talk with the agent because here is what a call must find: a domain that
runs, a channel in its definition, an agent that has it open; each is refused in libvirt's words.

Locking:
    A call takes the domain's turn and waits under it for the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_sleeping.py``:
    as_libvirt   what libvirt refuses is refused with its number and its words, in its order
    asleep       the guest sleeps when the call returns
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition, aliases
from virevents.drivers.base import SleepMode
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.agent import put_to_sleep
from virevents.drivers.qemu.arguments import AGENT, agent_socket
from virevents.drivers.qemu.estate import Estate, invalid, state_of
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.errors import AgentError, UnsupportedArgumentError
from virevents.model import DomainState

__all__ = ["Sleeping"]

# The agent's own deadlines are shorter, and tell better what was waited for.
_WITHIN: Final = 120.0


class Sleeping:
    """The operation that sends a guest to sleep.

    Args:
        estate: What the operations share.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def pm_suspend(self, uuid: str, mode: SleepMode) -> None:
        """See ``Driver.pm_suspend``."""
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            if state_of(domain) is not DomainState.RUNNING:
                raise invalid(domain, "domain is not running", "a running domain")
            path = agent_socket(run.definition, self._channels(domain))
            if path is None:
                raise UnsupportedArgumentError(
                    "argument unsupported: QEMU guest agent is not configured"
                )
            if not self._estate.on_loop(lambda: _is_agent_there(run), "the agent's channel"):
                raise AgentError("Guest agent is not responding: QEMU guest agent is not connected")
            _refuse_disabled(domain, run.definition, mode)
            self._sleep(run, path, mode)

    def _channels(self, domain: QemuDomain) -> Path:
        return self._estate.directory.run_folder(domain.identity.id).channels

    def _sleep(self, run: QemuRun, path: Path, mode: SleepMode) -> None:
        try:
            channel = sockets.connect(path)
        except OSError as error:
            raise AgentError(f"Guest agent is not responding: {path}: {error}") from error

        async def sleep() -> None:
            run.life.ask(replace(run.life.asked, sleep=True))
            await put_to_sleep(run, channel, mode)

        try:
            self._estate.on_loop(sleep, "the guest's sleep", within=_WITHIN)
        finally:
            channel.close()


async def _is_agent_there(run: QemuRun) -> bool:
    """Whether something in the guest has the agent's channel open."""
    names = zip(run.definition.channels, aliases(run.definition)["channels"], strict=True)
    labels = {f"char{alias}" for channel, alias in names if channel.name == AGENT}
    answer = await run.execute("query-chardev")
    backends = answer if isinstance(answer, list) else []
    return any(
        isinstance(each, dict) and each.get("label") in labels and each.get("frontend-open") is True
        for each in backends
    )


def _refuse_disabled(domain: QemuDomain, definition: DomainDefinition, mode: SleepMode) -> None:
    """Refuse a sleep that the guest was not offered (libvirt: qemuDomainPMSuspendForDuration)."""
    to_memory, to_disk = definition.suspend_to_mem, definition.suspend_to_disk
    if to_memory is False and mode is not SleepMode.DISK:
        raise invalid(domain, "S3 state is disabled for this domain", "a domain that offers S3")
    if to_disk is False and mode is not SleepMode.MEMORY:
        raise invalid(domain, "S4 state is disabled for this domain", "a domain that offers S4")
