# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real libvirtd for the length of a ``with`` block, which knows nothing of the machine's own.

It has a mount namespace in which the folders that libvirt writes to are private ones in a
temporary directory; it listens on a unix socket there, without authentication, and on no network.
What it needs to run QEMU without systemd, dbus and virtlogd is in its configuration. It and every
QEMU that it left are ended when the block is, or when this process ends in whatever way
(``reaper.py``).

    with PrivateLibvirtd() as libvirtd, StockClient(libvirtd.uri("qemu:///system")) as client:
        client.ask("define", xml)

Confined to the thread that makes it.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

__all__ = ["SYSTEM_PYTHON", "PrivateLibvirtd", "need_libvirtd", "what_is_missing"]

SYSTEM_PYTHON: Final = Path("/usr/bin/python3")
"""The interpreter that the distribution's python3-libvirt belongs to."""

_REAPER: Final = Path(__file__).with_name("reaper.py")
_PATIENCE: Final = 60.0  # seconds; a first start probes QEMU

# name below the temporary directory: what libvirt believes that it writes to
_FOLDERS: Final = {
    "etc": "/etc/libvirt",
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
}

_LIBVIRTD_CONF: Final = """\
unix_sock_dir = "{base}/sock"
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
listen_tls = 0
listen_tcp = 0
log_level = 3
log_outputs = "3:file:{base}/libvirtd.log"
"""

_QEMU_CONF: Final = """\
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
cgroup_controllers = [ ]
namespaces = [ ]
seccomp_sandbox = 0
"""


def _libvirtd() -> str | None:
    """Where it is; not everybody has the folder of system programs in the path."""
    return shutil.which("libvirtd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def what_is_missing() -> str | None:
    """Say what this machine lacks for a private libvirtd and its client; None if nothing."""
    return _not_installed() or _not_allowed()


def _not_installed() -> str | None:
    if _libvirtd() is None:
        return "libvirtd is not installed (Debian: libvirt-daemon, libvirt-daemon-driver-qemu)"
    found = SYSTEM_PYTHON.exists() and subprocess.run(
        [SYSTEM_PYTHON, "-c", "import libvirt"], check=False, stderr=subprocess.DEVNULL
    )
    if not found or found.returncode != 0:
        return f"{SYSTEM_PYTHON} has no module libvirt (Debian: python3-libvirt)"
    return None


@cache
def _not_allowed() -> str | None:
    """Its folders are mounted over the machine's own, in a namespace that only it sees."""
    command = ["unshare", "--mount", "--propagation", "private", "true"]
    allowed = subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    return None if allowed else "a private libvirtd needs a mount namespace, and may not have one"


def need_libvirtd() -> None:
    """Skip the test that calls this where libvirtd is missing; fail it in CI.

    What no installation mends, a system that gives nobody a namespace, is a skip there too.
    """
    absent = _not_installed()
    if absent and os.environ.get("CI"):
        pytest.fail(f"{absent}, and this is CI")
    missing = absent or _not_allowed()
    if missing:
        pytest.skip(f"{missing}: nothing was compared")


class PrivateLibvirtd:
    """A libvirtd that runs while the ``with`` block does.

    Attributes:
        base: Its temporary directory, with ``libvirtd.log`` and ``log/qemu/NAME.log``.
    """

    def __init__(self) -> None:
        self._folder: Final = tempfile.TemporaryDirectory(prefix="vlv", dir="/tmp")
        self.base: Final = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._write_configuration()
        with self._notified() as told:
            self._process = self._launch()
            self._wait(told, self._process)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def uri(self, driver: str = "qemu:///system") -> str:
        """Return the URI at which this libvirtd serves *driver* ("test:///default" for one)."""
        scheme, rest = driver.split(":", 1)
        return f"{scheme}+unix:{rest}?socket={self.base}/sock/libvirt-sock"

    def kill(self) -> None:
        """Kill the daemon; its QEMUs go on."""
        pid = int((self.base / "pid").read_text())
        gone = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        try:
            assert select.select([gone], [], [], _PATIENCE)[0]
        finally:
            os.close(gone)

    def start_again(self) -> None:
        """Start the killed daemon again, and wait until it is ready."""
        assert self._process is not None
        assert self._process.stdin is not None
        with self._notified() as told:
            self._process.stdin.write(b"again\n")
            self._process.stdin.flush()
            self._wait(told, self._process)

    def pid_of_qemu(self, name: str) -> int:
        """Return the process id of the domain *name*'s QEMU."""
        return int((self.base / "run" / "qemu" / f"{name}.pid").read_text())

    def _notified(self) -> socket.socket:
        """Make the socket at which the daemon says that it is ready."""
        path = self.base / "notify"
        path.unlink(missing_ok=True)
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(str(path))
        return told

    def _write_configuration(self) -> None:
        for folder in ("sock", "etc/qemu", "run", "lib/qemu", "log/qemu", "cache"):
            (self.base / folder).mkdir(parents=True)
        (self.base / "etc" / "libvirtd.conf").write_text(_LIBVIRTD_CONF.format(base=self.base))
        (self.base / "etc" / "qemu.conf").write_text(_QEMU_CONF)

    def _launch(self) -> subprocess.Popen[bytes]:
        mounts = "".join(
            f"mkdir -p {real} && mount --bind {self.base}/{name} {real} && "
            for name, real in _FOLDERS.items()
        )
        script = f"{mounts} exec {_libvirtd()} -f {self.base}/etc/libvirtd.conf -p {self.base}/pid"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script]
        with (self.base / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, _REAPER, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, "NOTIFY_SOCKET": str(self.base / "notify")},
                start_new_session=True,
            )

    def _wait(self, told: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Wait until libvirtd says that it is ready, as it does to systemd."""
        ended = os.pidfd_open(process.pid)
        try:
            while told.fileno() in select.select([told.fileno(), ended], [], [], _PATIENCE)[0]:
                if b"READY=1" in told.recv(4096):
                    return
        finally:
            os.close(ended)
        self._end()
        pytest.fail(f"libvirtd did not start: {(self.base / 'output').read_text()}")

    def _end(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(_PATIENCE)
        self._folder.cleanup()
