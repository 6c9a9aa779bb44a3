# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sending real guests to sleep, by a scripted agent that presses their sleep button."""

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drivers.qemu.harness import PATIENCE, START, Bench, bench
from virevents.drivers import SleepMode
from virevents.drivers.qemu import agent, sleeping, sockets
from virevents.errors import AgentError, StateError, UnsupportedArgumentError, VireventsError
from virevents.model import (
    AgentLifecycleEvent,
    AgentLifecycleReason,
    AgentLifecycleState,
    DomainState,
    PMSuspendedReason,
    RequestedBy,
)
from virevents.testing.guests import AgentCommand, AgentLine

pytestmark = pytest.mark.qemu

CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[AgentLine]:
    with AgentLine(tmp_path / "line", patience=PATIENCE) as made:
        yield made


@pytest.fixture
def web() -> Iterator[Bench]:
    """In a short folder: QEMU itself makes the channel's socket, whose address has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="v") as folder, bench(Path(folder)) as opened:
        yield opened


def define(web: Bench, devices: str = "", **facts: bool) -> str:
    xml = web.xml("rom-agent", "web1", **facts)
    before, end, _ = xml.partition("</domain>")
    assert "<devices>" not in before
    return web.driver.define(f"{before}<devices>{devices}</devices>{end}").uuid


def refused(web: Bench, uuid: str, mode: SleepMode = SleepMode.MEMORY) -> VireventsError:
    with pytest.raises(VireventsError) as met:
        web.driver.pm_suspend(uuid, mode)
    return met.value


def test_as_libvirt_without_a_channel(web: Bench) -> None:
    uuid = define(web)
    off = refused(web, uuid)
    assert isinstance(off, StateError)
    assert off.code == 55
    assert "domain is not running" in str(off)
    web.driver.start(uuid)
    none = refused(web, uuid)
    assert isinstance(none, UnsupportedArgumentError)
    assert none.code == 74
    assert str(none) == "argument unsupported: QEMU guest agent is not configured"
    web.driver.suspend(uuid)
    assert "domain is not running" in str(refused(web, uuid))


def test_as_libvirt_without_the_channels_socket(
    web: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody removed it."""
    monkeypatch.setattr(sleeping, "_is_agent_there", there)
    uuid = define(web, CHANNEL)
    web.driver.start(uuid)
    for path in web.root.glob("run/*/channel/target/*"):
        path.unlink()
    assert refused(web, uuid).code == 86


def test_as_libvirt_without_an_agent(web: Bench) -> None:
    uuid = define(web, CHANNEL)
    web.driver.start(uuid)
    none = refused(web, uuid)
    assert isinstance(none, AgentError)
    assert none.code == 86
    assert str(none) == "Guest agent is not responding: QEMU guest agent is not connected"
    # As libvirt: told at each start, before it.
    assert web.told.wait_for(*START) == ["defined added", "agent-lifecycle", *START]
    event = web.told.events()[1]
    assert isinstance(event, AgentLifecycleEvent)
    assert event.state is AgentLifecycleState.DISCONNECTED
    assert event.reason is AgentLifecycleReason.DOMAIN_STARTED


async def there(*_: object) -> bool:
    """The guest says that its agent listens: our ROMs have no driver for the channel."""
    return True


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (SleepMode.MEMORY, "S3 state is disabled for this domain"),
        (SleepMode.DISK, "S4 state is disabled for this domain"),
        (SleepMode.HYBRID, "S3 state is disabled for this domain"),
    ],
)
def test_as_libvirt_without_that_sleep(
    web: Bench, monkeypatch: pytest.MonkeyPatch, mode: SleepMode, says: str
) -> None:
    monkeypatch.setattr(sleeping, "_is_agent_there", there)
    uuid = define(web, CHANNEL, suspend_to_mem=False, suspend_to_disk=False)
    web.driver.start(uuid)
    error = refused(web, uuid, mode)
    assert error.code == 55
    assert says in str(error)


def test_as_libvirt_with_an_agent_that_hangs(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleeping, "_is_agent_there", there)
    monkeypatch.setattr(agent, "_GREETING_WITHIN", 0.05)
    uuid = define(web, CHANNEL)
    web.driver.start(uuid)
    error = refused(web, uuid)
    assert error.code == 86
    assert "no answer within 0.05 s" in str(error)


@contextmanager
def an_agent(
    monkeypatch: pytest.MonkeyPatch, line: AgentLine, letter: AgentCommand
) -> Iterator[list[str]]:
    """An agent that does as it is told: it has the guest go to sleep."""
    ours, theirs = socket.socketpair()
    asked: list[str] = []

    def serve() -> None:
        with theirs, theirs.makefile("rwb") as channel:
            for request in channel:
                command = json.loads(request.lstrip(b"\xff"))
                asked.append(command["execute"])
                if command["execute"] != "guest-sync-delimited":
                    line.tell(letter)
                    return
                answer = {"return": command["arguments"]["id"]}
                channel.write(b"\xff" + json.dumps(answer).encode() + b"\n")
                channel.flush()

    monkeypatch.setattr(sleeping, "_is_agent_there", there)
    monkeypatch.setattr(sockets, "connect", lambda _: ours)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_asleep(web: Bench, line: AgentLine, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = define(web, line.device + CHANNEL, suspend_to_mem=True)
    web.driver.start(uuid)
    line.wait_ready()
    with an_agent(monkeypatch, line, AgentCommand.SUSPEND_TO_MEMORY) as asked:
        web.driver.pm_suspend(uuid, SleepMode.MEMORY)
        asleep = (DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN)
        assert web.driver.domain_state(uuid) == asleep
    assert asked == ["guest-sync-delimited", "guest-suspend-ram"]
    web.told.wait_for("pm-suspend", "pmsuspended memory")
    cause = web.told.events()[-1].cause  # type: ignore[attr-defined]
    assert cause.requested_by is RequestedBy.CALL
    web.driver.pm_wakeup(uuid)
    web.told.wait_for("pm-wakeup", "started wakeup")
    assert web.driver.domain_state(uuid).state is DomainState.RUNNING


def test_asleep_on_disk(web: Bench, line: AgentLine, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = define(web, line.device + CHANNEL, suspend_to_disk=True)
    web.driver.start(uuid)
    line.wait_ready()
    told = web.told.wait_for(*START)
    with an_agent(monkeypatch, line, AgentCommand.SUSPEND_TO_DISK) as asked:
        web.driver.pm_suspend(uuid, SleepMode.DISK)
    assert asked == ["guest-sync-delimited", "guest-suspend-disk"]
    asleep = ["pm-suspend-disk", "pmsuspended disk", "shutdown guest", "stopped shutdown"]
    assert web.told.wait_for(*asleep)[len(told) :] == asleep
