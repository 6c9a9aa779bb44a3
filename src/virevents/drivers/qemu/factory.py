# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the QEMU driver is opened, also where it cannot be.

It stands apart because the driver's modules need Linux (``fcntl``) and ``qemu.qmp``, and this
must import without either.

Immutable.
"""

from collections.abc import Callable
from typing import Final

from virevents.drivers.base import Driver, DriverContext, DriverFactory
from virevents.drivers.qemu.places import resolve
from virevents.drivers.uri import ConnectionUri
from virevents.errors import UnsupportedError

__all__ = ["QEMU"]


def _make_refusal(error: ImportError) -> Callable[[ConnectionUri, DriverContext], Driver]:
    missing = str(error)

    def refuse(uri: ConnectionUri, _context: DriverContext) -> Driver:
        raise UnsupportedError(f"{uri}: the qemu driver needs Linux and qemu.qmp: {missing}")

    return refuse


try:
    from virevents.drivers.qemu.driver import open_qemu
except ImportError as _error:  # no fcntl, or no qemu.qmp
    _open: Callable[[ConnectionUri, DriverContext], Driver] = _make_refusal(_error)
else:
    _open = open_qemu

QEMU: Final = DriverFactory("qemu", resolve, _open)
"""Opens ``qemu:///embed?root=DIR``, ``qemu:///session`` and ``qemu:///system``."""
