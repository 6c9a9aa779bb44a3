# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where one play of a scenario happens: files, sockets, uuids of its own, and the guests' lines.

It stands apart because it is the same for libvirt and for us: neither knows that it is watched.

Confined to the thread that makes it.
"""

import os
import resource
import select
import shutil
import signal
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from virevents.errors import OperationTimeoutError
from virevents.testing.guests import GUESTS, AgentCommand, AgentLine

__all__ = ["Place"]

_QEMU: Final = "qemu-system-x86_64"
_DISK_SIZE: Final = 1 << 20
_FLASH_SIZE: Final = 1 << 16
_GOES_ON: Final = frozenset({signal.SIGSTOP, signal.SIGCONT})
_NAMES: Final = ("web1", "web2", "web3")

# Both are asked by libvirt and by us what they can do before a domain is started with them.
_IF_DOMAIN: Final = 'case "$*" in *guest=*)'
_PROGRAMS: Final = {
    "refuses": f'{_IF_DOMAIN} set -- "$@" -no-such-argument;; esac\nexec {{qemu}} "$@"\n',
    "exits": f'{_IF_DOMAIN} exit 3;; esac\nexec {{qemu}} "$@"\n',
    # The signal of a file too large must be ignored for the write to fail, as any other write.
    "limited": f"{_IF_DOMAIN} trap '' XFSZ; ulimit -S -f 2;; esac\nexec {{qemu}} \"$@\"\n",
}


class Place:
    """A temporary folder with all that the scenarios need, and its guests' serial lines.

    Args:
        patience: How many seconds a guest may take to answer.
    """

    def __init__(self, patience: float) -> None:
        self._patience: Final = patience
        # Not pytest's: the path of a unix socket is short.
        self._temporary: Final = tempfile.TemporaryDirectory(prefix="vcf", dir="/tmp")
        self.folder: Final = Path(self._temporary.name)
        self.firmware: Final = GUESTS["rom-agent"].write(self.folder)
        self.qemu: Final = Path(shutil.which(_QEMU) or "/usr/bin/" + _QEMU)
        self._uuids: Final = {number: str(uuid.uuid4()) for number in (1, 2, 3)}
        self._lines: Final = {
            name: AgentLine(self.serial(name), patience=patience) for name in _NAMES
        }
        for name, script in _PROGRAMS.items():
            program = self.folder / name
            program.write_text("#!/bin/sh\n" + script.format(qemu=self.qemu))
            program.chmod(0o755)
        (self.folder / "template").write_bytes(bytes(_FLASH_SIZE))
        with (self.folder / "disk").open("wb") as disk:
            disk.truncate(_DISK_SIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pid in (pid for identity in self._uuids for pid in self.qemus(identity)):
            os.kill(pid, signal.SIGKILL)  # only a play that went wrong leaves any
        for line in self._lines.values():
            line.close()
        self._temporary.cleanup()

    def uuid(self, identity: int) -> str:
        """Return one of the play's own uuids."""
        return self._uuids[identity]

    def serial(self, name: str) -> Path:
        """Return the socket at which the serial line of a domain is answered."""
        return self.folder / f"{name}.serial"

    def without_addresses(self, text: str) -> str:
        """Return *text* without what is different in each play."""
        for number, one in self._uuids.items():
            text = text.replace(one, f"UUID{number}")
        return text.replace(str(self.folder), "FOLDER")

    def qemus(self, identity: int) -> list[int]:
        """Return the process ids of the QEMUs that run the domain of this uuid."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = path.read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"-uuid" in arguments and self._uuids[identity].encode() in arguments:
                found.append(int(path.parent.name))
        return found

    def act(self, verb: str, *arguments: str) -> None:
        """Do what is nobody's call: the guest's doing, or the host's."""
        getattr(self, f"_act_{verb}")(*arguments)

    def _act_up(self, name: str = "web1") -> None:
        """Wait until the guest says, once more, that it is up."""
        self._lines[name].wait_ready()

    def _act_guest(self, letter: str, name: str = "web1") -> None:
        """Have the guest do what the letter says, and wait until it has read it."""
        self._lines[name].tell(AgentCommand(letter))

    def _act_later(self, letter: str, name: str = "web1") -> None:
        """Send a letter to a guest that cannot read it yet."""
        self._lines[name].send(AgentCommand(letter))

    def _act_signal(self, number: str, identity: int = 1) -> None:
        """Send a signal to the domain's QEMU, and wait until it is gone if it ends it."""
        (pid,) = self.qemus(identity)
        exited = os.pidfd_open(pid)
        try:
            os.kill(pid, int(number))
            if (
                int(number) not in _GOES_ON
                and not select.select([exited], [], [], self._patience)[0]
            ):
                raise OperationTimeoutError(f"QEMU {pid} did not end by signal {number}")
        finally:
            os.close(exited)

    def _act_make_room(self, identity: int = 1) -> None:
        """Let writes succeed from now on that failed until now."""
        (pid,) = self.qemus(identity)
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def _act_remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink()

    def _act_spoil(self, name: str) -> None:
        """Write something into a file that is not what it should hold."""
        (self.folder / name).write_bytes(b"no image at all, and long enough to hold a header" * 99)
