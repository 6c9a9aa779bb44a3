# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command, reaps its orphans at once, and leaves no process behind; a program of its own.

    reaper.py COMMAND ARGUMENT...

QEMU is forked twice by libvirtd, so its parent is process 1, or the nearest process that asked for
orphans: this one. libvirtd takes a QEMU for alive as long as a signal can be sent to it, which a
zombie allows. Where process 1 reaps every few seconds, as in some containers, every STOPPED would
come that much later.

A command that was killed is started again when a line comes on the standard input. When that
ends, or SIGTERM comes, the command is ended with SIGTERM, after a while with SIGKILL, and then
whatever is left below this program is killed. So nothing outlives the test that holds the other
end of that pipe, even one that is killed.
"""

import ctypes
import os
import select
import signal
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def main() -> int:
    """Run the command; its status, or 128 and the signal's number, is this program's."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed")
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    is_wanted, status = True, 0
    while is_wanted:
        child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[null])
        status = watch(child, woken)
        is_wanted = os.waitstatus_to_exitcode(status) == -signal.SIGKILL and is_asked_again(woken)
    kill_the_rest()
    return os.waitstatus_to_exitcode(status) & 0xFF


def watch(child: int, woken: int) -> int:
    """Reap until *child* has ended, which is asked of it once nobody holds our input any more."""
    watched, patience = [0, woken], None
    while True:
        ready = select.select(watched, [], [], patience)[0]
        numbers = os.read(woken, 100) if woken in ready else b""
        if (status := reap(child)) is not None:
            return status
        if not ready:
            os.kill(child, signal.SIGKILL)
        is_over = 0 in ready and not os.read(0, 100)
        if is_over or signal.SIGTERM in numbers or signal.SIGINT in numbers:
            watched, patience = [woken], GRACE
            os.kill(child, signal.SIGTERM)


def is_asked_again(woken: int) -> bool:
    """Reap what the killed command left, until its next start is asked for, or the end."""
    while 0 not in select.select([0, woken], [], [])[0]:
        os.read(woken, 100)
        reap(-1)
    return bool(os.read(0, 100))


def reap(child: int) -> int | None:
    """Reap whatever ended; the status of *child* if it was among it."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def kill_the_rest() -> None:
    """Kill what is left below this process, and what that leaves behind, until nothing is."""
    while True:
        for path in Path("/proc/self/task").glob("*/children"):
            for pid in path.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main())
