# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process, from ``spawn`` to its exit, known by its pidfd.

It stands apart because a process id is only a number that the system gives away again: signals
and the exit go through the pidfd, which means this very process or nothing. asyncio's child
watcher is not used: it needs a thread for each child or the main thread's signals.

Locking:
    ``spawn`` may be called on any thread and takes no lock. The process it returns is handed to
    the loop thread and confined to it from then on.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_process.py``:
    reaped         an exit leaves neither a zombie nor a descriptor
    told_once      the exit is told exactly once, however it came
    inherits_none  the process gets the descriptors it was given and no other
    signals_itself a signal after the exit goes nowhere
"""

import asyncio
import logging
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from virevents.errors import OperationFailedError

__all__ = ["QemuProcess", "describe_exit", "log_tail", "spawn"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_TAIL_BYTES: Final = 2048
# The exit of a killed process; only one in an uninterruptible wait takes longer.
_KILLED_ENDS_WITHIN_MS: Final = 5000


class QemuProcess:
    """A child process; made by `spawn`."""

    def __init__(self, child: "subprocess.Popen[bytes]", pidfd: int) -> None:
        self.pid: Final = child.pid
        self._child: Final = child
        self._pidfd: int | None = pidfd  # loop thread only

    def watch(self, on_exit: Callable[[int | None], None]) -> None:
        """Have *on_exit* called once, on the loop thread, when the process has exited.

        It is given the exit status, negative for a signal; None if somebody else took it.
        """
        if self._pidfd is not None:
            asyncio.get_running_loop().add_reader(self._pidfd, self._on_readable, on_exit)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process; nothing happens once it has exited."""
        if self._pidfd is None:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            _log.debug("QEMU %d had exited before %s", self.pid, number.name)

    def abandon(self) -> None:
        """Kill a process that nobody watches and take its exit; on any thread that may wait."""
        if self._pidfd is None:
            return
        self.send_signal(signal.SIGKILL)
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not poll.poll(_KILLED_ENDS_WITHIN_MS):
            _log.error("QEMU %d was killed and does not end", self.pid)
        self._reap()

    def _on_readable(self, on_exit: Callable[[int | None], None]) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            on_exit(self._reap())

    def _reap(self) -> int | None:
        """Take the exit status, so that no zombie stays, and close the pidfd."""
        if self._pidfd is None:
            return None
        status = None
        try:
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            _log.warning("the exit status of QEMU %d was taken by somebody else", self.pid)
        else:
            if ended is not None:
                exited = ended.si_code == os.CLD_EXITED
                status = ended.si_status if exited else -ended.si_status
        # Popen would wait for the number, which may be another process by then.
        self._child.returncode = 0 if status is None else status
        os.close(self._pidfd)
        self._pidfd = None
        return status


def spawn(arguments: Sequence[str], *, descriptors: Sequence[int], log: Path) -> QemuProcess:
    """Start QEMU in a session of its own; what it prints goes to the file *log*, made anew.

    It inherits *descriptors* under their own numbers and nothing else, neither other descriptors
    nor the environment, of which only the search path is passed on.

    Raises:
        OperationFailedError: It could not be started.
        OSError: The log could not be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    output = os.open(log, flags, 0o600)
    try:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=tuple(descriptors),
            start_new_session=True,
            env=_environment(),
            cwd="/",
        )
    except (OSError, ValueError) as error:
        raise OperationFailedError(f"could not start {arguments[0]}: {error}") from error
    finally:
        os.close(output)
    try:
        return QemuProcess(child, os.pidfd_open(child.pid))
    except OSError as error:
        child.kill()
        child.wait()
        raise OperationFailedError(f"could not watch QEMU {child.pid}: {error}") from error


def _environment() -> Mapping[str, str]:
    """QEMU's messages in English, and its programs where ours are."""
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


def describe_exit(status: int | None) -> str:
    """Put an exit status into words: "exit status 1", "signal SIGKILL"."""
    if status is None:
        return "unknown exit status"
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def log_tail(log: Path) -> str:
    """Return the end of what QEMU printed, for an error; "" if there is nothing to read."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
