# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting for one of the monitor's events, begun before the command that causes it.

It stands apart because a wait that begins after the command can miss what it waits for, and
because every wait ends: with its event, at its deadline, or with the monitor's session.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_listening.py``:
    none_missed   an event that came before the wait began is found by it
    always_ends   the end of the session and the deadline end a wait with an error
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from virevents.errors import MonitorError, MonitorTimeoutError

__all__ = ["Listeners", "Listening"]

Message = Mapping[str, object]


class Listening:
    """The events of some names, from its making to the end of its ``with`` block.

    Args:
        names: Which events.
        leave: Told at the end of the block.
    """

    def __init__(self, names: frozenset[str], leave: Callable[["Listening"], None]) -> None:
        self.names: Final = names
        self._leave: Final = leave
        self._heard: Final[deque[Message]] = deque()
        self._error: MonitorError | None = None
        self._changed: Final = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(self)

    async def next(
        self, *, within: float, accept: Callable[[Message], bool] = lambda _message: True
    ) -> Message:
        """Return the next event that *accept* accepts; the others are forgotten.

        Raises:
            MonitorTimeoutError: None came within *within* seconds.
            MonitorError: The session ended first.
        """
        try:
            async with asyncio.timeout(within):
                return await self._next(accept)
        except TimeoutError as error:
            names = " or ".join(sorted(self.names))
            raise MonitorTimeoutError("", "", f"no event {names} within {within:g} s") from error

    async def _next(self, accept: Callable[[Message], bool]) -> Message:
        while True:
            while self._heard:
                message = self._heard.popleft()
                if accept(message):
                    return message
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()

    def put(self, message: Message) -> None:
        """Take in an event of one of its names."""
        self._heard.append(message)
        self._changed.set()

    def fail(self, error: MonitorError) -> None:
        """Have the wait end with *error* once all that came before was looked at."""
        self._error = error
        self._changed.set()


class Listeners:
    """All who listen to one run."""

    def __init__(self) -> None:
        self._listening: Final[list[Listening]] = []
        self._error: MonitorError | None = None

    def listen(self, *names: str) -> Listening:
        """Listen to the events of these names until the end of the ``with`` block."""
        made = Listening(frozenset(names), self._listening.remove)
        if self._error is not None:
            made.fail(self._error)
        self._listening.append(made)
        return made

    def put(self, message: Message) -> None:
        """Hand an event to who listens to it."""
        name = message.get("event")
        for listening in self._listening:
            if name in listening.names:
                listening.put(message)

    def end(self) -> None:
        """End every wait, now and from now on: nothing more will be heard."""
        self._error = MonitorError("", "", "the session ended before the event")
        for listening in self._listening:
            listening.fail(self._error)
