# SPDX-License-Identifier: LGPL-2.1-or-later
"""The monitor's socket: made, listening, in our own directory before QEMU starts.

It stands apart because of two system limits that the rest need not know. QEMU inherits the
listening descriptor, so a client can connect before QEMU is up, and nobody ever waits for a
file to appear. And a Unix socket's address holds 107 bytes, fewer than many a path: sockets are
addressed through a descriptor of their directory.

Immutable: functions only. They block on the disk; any thread that may wait.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_sockets.py``:
    any_length    a directory's path may be as long as the file system allows
    private       only the owner can connect
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["connect", "listen"]

# QEMU takes one client at a time; one that hangs leaves here those that gave up waiting.
_BACKLOG: Final = 16


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A short address of *path*, good while the block runs."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def listen(path: Path) -> socket.socket:
    """Return a socket that listens at *path*; one that is left there is replaced.

    The directory must be ours alone (mode 0700): it is what keeps others out.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def connect(path: Path) -> socket.socket:
    """Connect to the socket at *path*; never waits, a listening socket takes it at once."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.settimeout(0)
        with _address(path) as address:
            client.connect(address)
    except OSError:
        client.close()
        raise
    return client
