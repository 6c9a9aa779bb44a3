# SPDX-License-Identifier: LGPL-2.1-or-later
"""``open``: from a URI to a connection.

It stands apart from the connection, which begins when everything that it needs is there.

Locking: none here; see ``process``.

Invariants, each with a test of its name in ``tests/connection/test_opening.py``:
    all_or_nothing   an opening that fails leaves no thread and no driver behind
"""

from virevents.clock import monotonic
from virevents.connection.connection import CLOSE_MAY_TAKE, Connection
from virevents.connection.process import current_process
from virevents.drivers import ConnectionUri
from virevents.sync import refuse_to_block

__all__ = ["open"]


def open(uri: str, *, read_only: bool = False, timeout: float = 30.0) -> Connection:
    """Open a hypervisor.

    Args:
        uri: libvirt's form: ``test:///default``, ``qemu:///embed?root=DIR``.
        read_only: Refuse modifying calls.
        timeout: The longest wait in seconds for another thread that opens or closes it now.

    Raises:
        InvalidArgumentError: *uri* is no connection URI, or has an unknown parameter.
        OpenError: No driver has it, or it could not be opened.
        WouldBlockError: This thread runs an event loop; see ``virevents.aio.open``.
    """
    refuse_to_block("open")
    parsed = ConnectionUri.parse(uri)
    process = current_process()
    machinery = process.enter()
    try:
        shared, driver = process.hold_driver(parsed, machinery, timeout)
    except BaseException:
        process.leave(machinery, monotonic() + CLOSE_MAY_TAKE)
        raise
    connection = Connection(parsed, process, machinery, shared, driver, read_only=read_only)
    process.add(connection)
    return connection
