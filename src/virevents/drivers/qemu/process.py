# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU process, from ``spawn``, or from finding it again, to its exit, known by its pidfd.

It stands apart because a process id is only a number that the system gives away again: signals
and the exit go through the pidfd, which means this very process or nothing. asyncio's child
watcher is not used: it needs a thread for each child or the main thread's signals.

A process may be our child or that of a manager before us; both have a pidfd that becomes readable
at the exit, but only a child's exit status can be had, and only a child must be reaped. Whether a
process lives is asked of the pidfd alone: one that nobody reaps stays in ``/proc`` and takes
signals for ever.

Locking:
    `spawn`, `find` and `find_marked` may be called on any thread and take no lock. The process
    they return is handed to the loop thread and confined to it from then on.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_process.py``:
    reaped         an exit leaves neither a zombie nor a descriptor
    told_once      the exit is told exactly once, however it came
    inherits_none  the process gets the descriptors it was given and no other
    signals_itself a signal after the exit goes nowhere
    found_again    a process is found by its number only if it started when it should have
    zombie_is_gone one that exited and was not reaped is not found
    confined       it runs as the user, in the control group and under the limits it was given
"""

import asyncio
import logging
import os
import resource
import select
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Self

from virevents.drivers.qemu.confinement import UNCONFINED, Confinement
from virevents.errors import OperationFailedError

__all__ = ["QemuProcess", "describe_exit", "find", "find_marked", "log_tail", "spawn"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_TAIL_BYTES: Final = 2048
# The exit of a killed process; only one in an uninterruptible wait takes longer.
_KILLED_ENDS_WITHIN_MS: Final = 5000

# Field 22 of /proc/PID/stat, counted from the state, which follows the name (proc(5)).
_START_TIME_FIELD: Final = 19

_MARK: Final = "VIREVENTS_RUN"

# Another user's process is not ours to limit, not even as root without a capability: it limits
# itself, then becomes QEMU.
_NO_CORE: Final = ("/bin/sh", "-c", 'ulimit -c 0 && exec "$@"', "sh")

# Children that nobody watches any more, by number: reaped when the next process is begun.
# Not guarded: whoever pops a number, in one step, is the only one to wait for it.
_left_running: Final[dict[int, None]] = {}
_TAKEN: Final = object()


class QemuProcess:
    """A process; made by `spawn`, `find` or `find_marked`."""

    def __init__(self, pid: int, pidfd: int, start_time: int) -> None:
        self.pid: Final = pid
        self.start_time: Final = start_time
        self._pidfd: int | None = pidfd  # loop thread only

    @classmethod
    def of_number(cls, pid: int, is_it: Callable[[], bool]) -> Self | None:
        """Return the process that has the number *pid*, if *is_it* says that it is the one.

        It is asked when the number cannot be given to another process any more.

        Returns:
            None also if it is over; one that is our child is reaped then.

        Raises:
            OSError: The system has no descriptor left.
        """
        try:
            process = cls(pid, os.pidfd_open(pid), _start_time(pid) or 0)
        except ProcessLookupError:
            return None
        if not is_it():
            process._close()
            return None
        _left_running.pop(pid, None)
        if process._is_over():
            process._reap()
            return None
        return process

    def watch(self, on_exit: Callable[[int | None], None]) -> None:
        """Have *on_exit* called once, on the loop thread, when the process has exited.

        It is given the exit status, negative for a signal; None if it cannot be had, because the
        process is no child of ours or somebody else took it.
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

    def abandon(self) -> bool:
        """Kill a process that nobody watches and take its exit; on any thread that may wait.

        Returns:
            Whether it is gone.
        """
        if self._pidfd is None:
            return True
        self.send_signal(signal.SIGKILL)
        is_gone = self._is_over(_KILLED_ENDS_WITHIN_MS)
        if not is_gone:
            _log.error("QEMU %d was killed and does not end", self.pid)
        self._reap()
        return is_gone

    def let_go(self) -> None:
        """Stop watching a process that goes on without us; on the loop thread. Idempotent."""
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            self.forget()

    def forget(self) -> None:
        """Close what we have of a process that nobody watches; it goes on. Idempotent."""
        if self._pidfd is None:
            return
        with suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            _left_running[self.pid] = None  # a child's number is its own until it is reaped
        self._close()

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
            _log.debug("QEMU %d is no child of ours, or its status was taken", self.pid)
        else:
            if ended is not None:
                exited = ended.si_code == os.CLD_EXITED
                status = ended.si_status if exited else -ended.si_status
        self._close()
        return status

    def _close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _is_over(self, timeout_ms: int = 0) -> bool:
        poll = select.poll()
        poll.register(-1 if self._pidfd is None else self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout_ms))


def find(pid: int, start_time: int) -> QemuProcess | None:
    """Return the process that was started with the number *pid* at *start_time*, if it lives.

    The start time, in the system's ticks since its boot, is what tells it from a later process of
    the same number.
    """
    return QemuProcess.of_number(pid, lambda: _start_time(pid) == start_time)


def find_marked(mark: str) -> QemuProcess | None:
    """Return the process that was spawned with *mark*, if it lives; looks at every process."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and _has_mark(path, mark):
            process = QemuProcess.of_number(int(path.name), partial(_has_mark, path, mark))
            if process is not None:
                return process
    return None


def _has_mark(path: Path, mark: str) -> bool:
    try:
        environment = (path / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, or not ours to look at
        return False
    return f"{_MARK}={mark}".encode(errors="surrogateescape") in environment


def _start_time(pid: int) -> int | None:
    """When the process was started; None if there is none, not even a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name stands in brackets and may hold any character, brackets too.
    return int(stat.rpartition(b")")[2].split()[_START_TIME_FIELD])


def _reap_left_running() -> None:
    for pid in list(_left_running):
        if _left_running.pop(pid, _TAKEN) is _TAKEN:
            continue  # another thread was faster
        with suppress(ChildProcessError):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None:
                _left_running[pid] = None


def spawn(
    arguments: Sequence[str],
    *,
    descriptors: Sequence[int],
    log: Path,
    mark: str = "",
    confinement: Confinement = UNCONFINED,
) -> QemuProcess:
    """Start QEMU in a session of its own; what it prints goes to the file *log*, made anew.

    It inherits *descriptors* under their own numbers and nothing else, neither other descriptors
    nor the environment, of which only the search path is passed on. What it makes is for its user
    alone; it leaves no core file, which would hold the guest's memory.

    Args:
        arguments: The program's path, then its arguments.
        descriptors: What it inherits.
        log: A file; what was there is kept beside it, as ``LOG.old``.
        mark: By which `find_marked` finds it.
        confinement: As whom and within which limits it runs.

    Raises:
        OperationFailedError: It could not be started.
        OSError: The log could not be written.
    """
    _reap_left_running()
    output = _fresh_log(log)
    identity = confinement.identity
    try:
        # With a user to become, subprocess forks, which copies our page tables; else it uses
        # vfork, which does not.
        child = subprocess.Popen(
            [*(_NO_CORE if identity is not None else ()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=tuple(descriptors),
            start_new_session=True,
            env=_environment(mark),
            cwd="/",
            umask=0o077,
            user=None if identity is None else identity.user,
            group=None if identity is None else identity.group,
            extra_groups=None if identity is None else [],
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise OperationFailedError(f"could not start {arguments[0]}: {error}") from error
    finally:
        os.close(output)
    return _taken_over(child, confinement)


def _taken_over(child: "subprocess.Popen[bytes]", confinement: Confinement) -> QemuProcess:
    """The process that *child* is, confined; ours to reap, where Popen would go by the number."""
    try:
        with suppress(ProcessLookupError):  # it may be over already
            if confinement.identity is None:
                resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
            confinement.join(child.pid)
        process = QemuProcess(child.pid, os.pidfd_open(child.pid), _start_time(child.pid) or 0)
    except OSError as error:
        child.kill()
        child.wait()
        raise OperationFailedError(f"could not watch QEMU {child.pid}: {error}") from error
    child.returncode = 0
    return process


def _fresh_log(log: Path) -> int:
    """Open *log*, empty; what it held is kept as ``LOG.old``, one generation of it."""
    if log.exists():
        log.replace(log.with_name(log.name + ".old"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(log, flags, 0o600)


def _environment(mark: str) -> Mapping[str, str]:
    """QEMU's messages in English, its programs where ours are, and by what it is found."""
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath), _MARK: mark}


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
