# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running a test's coroutine, with a patience that ends."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from tests.connection.harness import PATIENCE

T = TypeVar("T")


def run(main: Callable[[], Coroutine[object, object, T]]) -> T:
    """Run *main* on a new loop; it must end in time."""

    async def bounded() -> T:
        return await soon(main())

    return asyncio.run(bounded())


async def soon(awaitable: Awaitable[T], seconds: float = PATIENCE) -> T:
    """Await what must end in time."""
    return await asyncio.wait_for(awaitable, seconds)


async def blocked(event: threading.Event) -> None:
    """Await a threading event without blocking the loop."""
    assert await asyncio.to_thread(event.wait, PATIENCE)
