# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio face of ``virevents``: the same names, where what may wait is a coroutine.

It stands apart only so that it can be imported by this name; see ``virevents.connection``.
"""

from virevents.connection.aio import (
    AsyncEventStream,
    AsyncSubscription,
    Connection,
    Domain,
    Expectation,
    open,
)

__all__ = [
    "AsyncEventStream",
    "AsyncSubscription",
    "Connection",
    "Domain",
    "Expectation",
    "open",
]
