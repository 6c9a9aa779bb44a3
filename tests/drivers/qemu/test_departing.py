# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real processes that are seen out, obedient and not."""

import asyncio
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from tests.drivers.qemu.harness import PATIENCE, SHORT
from virevents.drivers.qemu import departing
from virevents.drivers.qemu.departing import Departure
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.process import QemuProcess
from virevents.drivers.qemu.transitions import Happening

OBEYS = "while :; do read -r line; done"
DEAF = "trap '' TERM; echo up; while :; do read -r line; done"


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[bytes]"]:
    script: str = request.param
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if script == DEAF:
            assert process.stdout is not None
            process.stdout.readline()
        yield process
        process.kill()


class Seen:
    """A departure, and the moment of its end."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        process = QemuProcess.of_number(child.pid, lambda: True)
        assert process is not None
        self.over = 0
        self._changed = asyncio.Event()
        self.departure = Departure(process, self._on_over)
        self.departure.watch()

    def _on_over(self) -> None:
        self.over += 1
        self._changed.set()

    async def wait(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._changed.wait()


def run(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(test())


def signal_of(status: int | None) -> int:
    return 0 if status is None else -status


@pytest.mark.parametrize("child", [OBEYS], indirect=True)
def test_asked_first(child: "subprocess.Popen[bytes]") -> None:
    async def test() -> None:
        seen = Seen(child)
        seen.departure.put(Sign.DESTROY)
        seen.departure.ask(PATIENCE)
        seen.departure.put(Sign.STREAM_END)
        await seen.wait()
        assert signal_of(seen.departure.exit_status) in {0, 15}
        assert seen.departure.verdict is Happening.DESTROYED
        assert seen.over == 1

    run(test)


@pytest.mark.parametrize("child", [DEAF], indirect=True)
def test_asked_first_and_killed_then(
    child: "subprocess.Popen[bytes]", caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        seen = Seen(child)
        seen.departure.put(Sign.DESTROY)
        seen.departure.ask(SHORT)
        seen.departure.put(Sign.STREAM_END)
        seen.departure.ask(SHORT)
        await seen.wait()
        assert seen.departure.is_over
        assert seen.departure.has_exited

    run(test)
    assert "did not end in time and is killed" in caplog.text


@pytest.mark.parametrize("child", [OBEYS], indirect=True)
def test_never_waits_on_for_a_stream_that_does_not_end(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departing, "_STREAM_END_WITHIN", SHORT)

    async def test() -> None:
        seen = Seen(child)
        seen.departure.kill()
        await seen.wait()
        assert seen.departure.verdict is Happening.FAILED

    run(test)


@pytest.mark.parametrize("child", [OBEYS], indirect=True)
def test_over_once_where_there_is_no_stream(child: "subprocess.Popen[bytes]") -> None:
    async def test() -> None:
        seen = Seen(child)
        seen.departure.has_stream = False
        seen.departure.kill()
        await seen.wait()
        seen.departure.put(Sign.STREAM_END)
        assert seen.over == 1

    run(test)


@pytest.mark.parametrize("child", [OBEYS], indirect=True)
def test_let_go_of_it_lives(child: "subprocess.Popen[bytes]") -> None:
    async def test() -> None:
        seen = Seen(child)
        seen.departure.let_go()
        assert not seen.departure.has_exited

    run(test)
    assert Path(f"/proc/{child.pid}").exists()
    assert child.poll() is None
