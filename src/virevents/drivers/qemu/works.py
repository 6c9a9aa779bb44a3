# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run does by itself in several steps, one work after the other.

It stands apart because whoever pauses or resumes the same QEMU meanwhile has to wait for the end
of such a work: a reset without the continuation that belongs to it is half a reboot.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_works.py``:
    in_order   a work begins when those before it have ended, however they ended
    settled    `settled` returns when none is left
"""

import asyncio
from collections.abc import Callable, Coroutine

__all__ = ["Works"]

Work = Callable[[], Coroutine[object, object, None]]


class Works:
    """Works in the order in which they were begun."""

    def __init__(self) -> None:
        self._last: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done."""
        return self._last is None

    def begin(self, work: Work) -> None:
        """Do *work*, after what is being done already."""
        self._last = asyncio.get_running_loop().create_task(self._after(self._last, work))

    async def settled(self) -> None:
        """Wait until nothing is being done; not to be called within a work."""
        while self._last is not None:
            await asyncio.wait({self._last})

    def cancel(self) -> "set[asyncio.Task[None]]":
        """Break off what is being done, and return it."""
        if self._last is None:
            return set()
        self._last.cancel()
        return {self._last}

    async def _after(self, previous: "asyncio.Task[None] | None", work: Work) -> None:
        try:
            if previous is not None:
                await asyncio.wait({previous})
            await work()
        finally:
            if self._last is asyncio.current_task():
                self._last = None
