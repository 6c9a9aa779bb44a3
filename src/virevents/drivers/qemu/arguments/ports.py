# SPDX-License-Identifier: LGPL-2.1-or-later
"""TCP ports for graphics: free ones found, and held until QEMU has them.

It stands apart because of a race: a port that was found free may be taken before QEMU binds it,
by another start of ours for one. Here the port is bound and kept, without listening; the socket
is then marked as sharable, which QEMU's own is, so only a socket that asks to share can bind it
beside ours, and nobody who looks for a free port does.

Immutable: functions only; they may be called from any thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_ports.py``:
    no_port_twice    two that hold ports at the same time hold different ones
    qemu_can_have_it a port that is held can be listened on by who shares
"""

import errno
import socket
from contextlib import ExitStack
from typing import Final

from virevents.errors import HostError

__all__ = ["PORT_MAX", "PORT_MIN", "hold_free_port", "hold_port"]

PORT_MIN: Final = 5900
"""The first port that is given automatically: VNC's display 0, as libvirt has it."""

PORT_MAX: Final = 65535
"""The last one."""

_TAKEN: Final = frozenset({errno.EADDRINUSE, errno.EACCES})


def hold_free_port(address: str, held: ExitStack, *, least: int = PORT_MIN) -> int:
    """Hold the first free port at *address* until *held* is closed.

    Args:
        address: A numeric address, or "" or a name for all of them.
        held: Closes the socket that holds the port.
        least: Where to begin.

    Raises:
        HostError: There is none.
    """
    for port in range(least, PORT_MAX + 1):
        if hold_port(address, port, held):
            return port
    raise HostError(f"Unable to find an unused port in range {least}-{PORT_MAX} at {address!r}")


def hold_port(address: str, port: int, held: ExitStack) -> bool:
    """Hold *port* at *address* until *held* is closed; tell whether it was free.

    Raises:
        HostError: There is no such address here.
    """
    family, bound = _resolved(address, port)
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        holder.bind(bound)
        # Only now: it says that QEMU's socket may share the port, not that ours shares another's.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError as error:
        holder.close()
        if error.errno in _TAKEN:
            return False
        raise HostError(f"Unable to bind to {address!r} port {port}: {error}") from error
    held.callback(holder.close)
    return True


def _resolved(address: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """A name is not looked up, which could take its time: all of IPv4 stands for it."""
    try:
        found = socket.getaddrinfo(
            address or "0.0.0.0",  # noqa: S104  (held, never listened on)
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_NUMERICHOST,
        )
    except socket.gaierror:
        return socket.AF_INET, ("0.0.0.0", port)  # noqa: S104  (the same)
    family, *_, bound = found[0]
    return family, (str(bound[0]), port)
