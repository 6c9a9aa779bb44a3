# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real guest agent in a real Linux: it is heard of, and puts its guest to sleep.

Long: the first run downloads a kernel and an agent, and each boot takes seconds.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import virevents
from tests.linux import agent_image
from tests.linux.image import LinuxGuest, missing_programs
from tests.linux.test_linux_guest import _CACHE, _PATIENCE, _booted, _Guest
from virevents.errors import AgentError, StateError
from virevents.model import AgentLifecycleEvent

pytestmark = [pytest.mark.long, pytest.mark.qemu, pytest.mark.timeout(180)]

_CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


@pytest.fixture(scope="module")
def guest() -> LinuxGuest:
    missing = missing_programs()
    if missing:
        pytest.skip(f"no {', '.join(missing)}: the kernel cannot be had")
    return agent_image.build(_CACHE)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: QEMU makes the channel's socket itself, and an address has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="v") as made:
        yield Path(made)


@contextmanager
def _booted_with_agent(
    guest: LinuxGuest, folder: Path
) -> Iterator[tuple[_Guest, Callable[[], None]]]:
    """A guest whose agent has been heard of, and what waits until it is heard of again."""
    with (
        virevents.open(f"qemu:///embed?root={folder / 'root'}") as connection,
        connection.events(event_id="agent-lifecycle") as told,
        _booted(guest, folder, devices=_CHANNEL) as linux,
    ):

        def wait_for_agent() -> None:
            while _agent_state(told.get(_PATIENCE)) != "connected channel":
                pass

        wait_for_agent()
        yield linux, wait_for_agent


def _agent_state(event: object) -> str:
    assert isinstance(event, AgentLifecycleEvent)
    return f"{event.state} {event.reason}"


def test_the_agent_puts_its_guest_to_sleep(guest: LinuxGuest, folder: Path) -> None:
    with _booted_with_agent(guest, folder) as (linux, wait_for_agent):
        for _ in range(2):  # the channel is as good the second time
            linux.domain.pm_suspend("memory")
            assert str(linux.domain.state().state) == "pmsuspended"
            linux.told.wait_for("pm-suspend", "pmsuspended memory")
            with pytest.raises(StateError, match="domain is not running"):
                linux.domain.pm_suspend("memory")
            linux.domain.pm_wakeup()
            linux.told.wait_for("pm-wakeup", "started wakeup")
            assert str(linux.domain.state().state) == "running"
            wait_for_agent()  # a sleep closes its port


def test_the_agent_refuses_what_its_guest_cannot(guest: LinuxGuest, folder: Path) -> None:
    """There is no disk to sleep on."""
    with _booted_with_agent(guest, folder) as (linux, _):
        with pytest.raises(AgentError, match="unable to execute QEMU agent command") as met:
            linux.domain.pm_suspend("hybrid")
        assert met.value.code == 86
        assert str(linux.domain.state().state) == "running"
        linux.domain.pm_suspend("memory")
        linux.told.wait_for("pm-suspend", "pmsuspended memory")
