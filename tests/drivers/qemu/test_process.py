# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import uvloop

from virevents.drivers.qemu.process import (
    QemuProcess,
    describe_exit,
    find,
    find_marked,
    log_tail,
    spawn,
)
from virevents.errors import OperationFailedError

PATIENCE: Final = 10.0
SHELL: Final = "/bin/sh"
LOOPS: Final = [asyncio.SelectorEventLoop, uvloop.new_event_loop]

Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(scope="module", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))


@pytest.fixture(params=LOOPS, ids=["std", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> Loop:
    factory: Loop = request.param
    return factory


def exits_of(process: QemuProcess, loop_factory: Loop, *signals: signal.Signals) -> list[object]:
    """All that the process's watcher is told until its exit and some turns of the loop after."""

    async def watch() -> list[object]:
        told: list[object] = []
        first = asyncio.Event()

        def on_exit(status: int | None) -> None:
            told.append(status)
            first.set()

        process.watch(on_exit)
        for number in signals:
            process.send_signal(number)
        await asyncio.wait_for(first.wait(), PATIENCE)
        for _ in range(10):
            await asyncio.sleep(0)
        return told

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(watch())


def is_a_child_left() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def test_told_once_with_the_status(tmp_path: Path, loop_factory: Loop) -> None:
    process = spawn([SHELL, "-c", "exit 3"], descriptors=(), log=tmp_path / "log")
    assert exits_of(process, loop_factory) == [3]
    assert not is_a_child_left()


def test_told_once_with_the_signal(tmp_path: Path, loop_factory: Loop) -> None:
    process = spawn(["/bin/sleep", "60"], descriptors=(), log=tmp_path / "log")
    assert exits_of(process, loop_factory, signal.SIGKILL, signal.SIGTERM) == [-signal.SIGKILL]


def test_told_once_without_a_status_when_somebody_took_it(
    tmp_path: Path, loop_factory: Loop
) -> None:
    process = spawn([SHELL, "-c", "exit 3"], descriptors=(), log=tmp_path / "log")
    os.waitid(os.P_PID, process.pid, os.WEXITED)
    assert exits_of(process, loop_factory) == [None]


def test_reaped_without_a_loop(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], descriptors=(), log=tmp_path / "log")
    process.abandon()
    process.abandon()
    assert not is_a_child_left()


def test_reaped_when_it_cannot_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_pid: int) -> int:
        raise OSError(errno.EMFILE, "no descriptor left")

    monkeypatch.setattr(os, "pidfd_open", fail)
    with pytest.raises(OperationFailedError, match="could not watch QEMU"):
        spawn(["/bin/sleep", "60"], descriptors=(), log=tmp_path / "log")
    assert not is_a_child_left()


def test_signals_itself(tmp_path: Path, loop_factory: Loop) -> None:
    process = spawn([SHELL, "-c", "exit 0"], descriptors=(), log=tmp_path / "log")
    assert exits_of(process, loop_factory) == [0]
    process.send_signal(signal.SIGKILL)

    async def watch_again() -> None:
        process.watch(lambda _status: pytest.fail("told twice"))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(watch_again())


def test_inherits_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as given:
        # A foreign library's descriptor, inheritable and far from the numbers in use.
        careless = fcntl.fcntl(given.fileno(), fcntl.F_DUPFD, 500)
        script = "ls /proc/self/fd; echo session; cut -d' ' -f6 /proc/$$/stat; env"
        process = spawn([SHELL, "-c", script], descriptors=[given.fileno()], log=log)
        os.close(careless)
        number = given.fileno()
    assert exits_of(process, asyncio.SelectorEventLoop) == [0]
    listed, _, rest = log.read_text().partition("session")
    assert str(number) in listed.split()
    assert str(careless) not in listed.split()
    assert rest.split()[0] == str(process.pid)
    assert "PYTEST" not in rest


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperationFailedError, match="could not start /nowhere/qemu"):
        spawn(["/nowhere/qemu"], descriptors=(), log=tmp_path / "log")


def test_the_log_is_made_anew_and_private_and_its_tail_is_short(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old")
    script = "i=0; while [ $i -lt 1000 ]; do echo line$i >&2; i=$((i+1)); done"
    process = spawn([SHELL, "-c", script], descriptors=(), log=log)
    exits_of(process, asyncio.SelectorEventLoop)
    assert "old" not in log.read_text()
    tail = log_tail(log)
    assert tail.endswith("line999")
    assert len(tail) <= 2048
    assert log_tail(tmp_path / "nothing") == ""


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        spawn(["/bin/true"], descriptors=(), log=tmp_path / "log")


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit status 0"), (-9, "signal SIGKILL"), (-99, "signal 99"), (None, "unknown")],
)
def test_an_exit_has_words(status: int | None, words: str) -> None:
    assert describe_exit(status).startswith(words)


def test_found_again(tmp_path: Path, loop_factory: Loop) -> None:
    # Its mark is there a moment after its start, when it has become what it is to be.
    is_up, says_up = os.pipe()
    script = f"echo up >/proc/self/fd/{says_up}; exec sleep 60"
    arguments = [SHELL, "-c", script]
    process = spawn(arguments, descriptors=[says_up], log=tmp_path / "log", mark="a/run/1")
    os.close(says_up)
    assert os.read(is_up, 3) == b"up\n"
    os.close(is_up)
    assert find(process.pid, process.start_time + 1) is None
    assert find_marked("a/run/2") is None
    for found in (find(process.pid, process.start_time), find_marked("a/run/1")):
        assert found is not None
        assert (found.pid, found.start_time) == (process.pid, process.start_time)
        found.forget()
    process.forget()
    again = find(process.pid, process.start_time)
    assert again is not None
    assert exits_of(again, loop_factory, signal.SIGKILL) == [-signal.SIGKILL]
    assert not is_a_child_left()
    assert find(process.pid, process.start_time) is None


def test_zombie_is_gone(tmp_path: Path) -> None:
    """One that is our child is reaped as well; nobody else will."""
    process = spawn(["/bin/true"], descriptors=(), log=tmp_path / "log", mark="z/run/1")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert find_marked("z/run/1") is None
    assert find(process.pid, process.start_time) is None
    assert not is_a_child_left()
    process.abandon()


def test_reaped_when_it_was_let_go(tmp_path: Path, loop_factory: Loop) -> None:
    """Nobody watches it any more: the next process that is begun has it reaped."""
    process = spawn(["/bin/sleep", "60"], descriptors=(), log=tmp_path / "log")

    async def let_go() -> None:
        process.watch(lambda _status: pytest.fail("told"))
        process.let_go()
        process.let_go()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(let_go())
    spawn(["/bin/true"], descriptors=(), log=tmp_path / "log").abandon()
    assert is_a_child_left()
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    spawn(["/bin/true"], descriptors=(), log=tmp_path / "log").abandon()
    assert not is_a_child_left()


def test_told_once_of_somebody_elses_child(tmp_path: Path, loop_factory: Loop) -> None:
    """The starter is gone, and nobody may ever reap it: its pidfd tells all the same."""
    script = "sleep 60 >/dev/null 2>&1 & echo $!"
    log = tmp_path / "log"
    parent = spawn([SHELL, "-c", script], descriptors=(), log=log)
    assert exits_of(parent, loop_factory) == [0]
    pid = int(log.read_text())
    stat = Path(f"/proc/{pid}/stat").read_text()
    process = find(pid, int(stat.rpartition(")")[2].split()[19]))
    assert process is not None
    assert exits_of(process, loop_factory, signal.SIGKILL) == [None]
    assert find(pid, process.start_time) is None


def test_confined(tmp_path: Path) -> None:
    """Its files are its own, it leaves no core; the other limits are in test_confinement.py."""
    log = tmp_path / "log"
    process = spawn([SHELL, "-c", "umask; ulimit -c; pwd"], descriptors=(), log=log)
    assert exits_of(process, asyncio.SelectorEventLoop) == [0]
    umask, core, folder = log.read_text().split()
    assert (umask, core, folder) == ("0077", "0", "/")


def test_the_log_before_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for words in ("first", "second", "third"):
        process = spawn(["/bin/echo", words], descriptors=(), log=log)
        exits_of(process, asyncio.SelectorEventLoop)
    assert log.read_text() == "third\n"
    assert (tmp_path / "log.old").read_text() == "second\n"
