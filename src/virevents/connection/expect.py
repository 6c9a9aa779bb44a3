# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Expectation``: listen first, act, then wait for the event that the action causes.

It stands apart because the order matters and is easily got wrong: who subscribes after the
command may have missed the event.

Locking: none of its own; a gate.

Invariants, each with a test of its name in ``tests/connection/test_expect.py``:
    listens_first   an event caused inside the block is seen, however fast it comes
    times_out       the block's end raises ``ExpectTimeout`` when the event did not come
"""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from virevents.clock import monotonic
from virevents.dispatch import Callback
from virevents.errors import ClosedError, ExpectTimeout, InternalError
from virevents.model import DomainEvent, LifecycleEvent
from virevents.sync import Gate, refuse_to_block

__all__ = ["Expectation"]


class Expectation:
    """A context manager; made by ``Connection.expect``.

    Args:
        what: What is expected, for errors ("web1 stopped").
        timeout: Seconds from the block's beginning.
        listen: Puts a callback on, for the first matching event; gives the record of it.
        forget: Puts it off again.
    """

    def __init__(
        self,
        what: str,
        timeout: float,
        listen: Callable[[Callable[[DomainEvent], object]], Callback],
        forget: Callable[[Callback], None],
    ) -> None:
        self._what: Final = what
        self._timeout: Final = timeout
        self._listen: Final = listen
        self._forget: Final = forget
        self._gate: Final = Gate(f"the event {what}")
        self._deadline = 0.0  # by the thread in the block
        self._callback: Callback | None = None  # by the thread in the block
        self._event: LifecycleEvent | None = None  # set once, before the gate opens

    @property
    def event(self) -> LifecycleEvent:
        """The event that came; there once the block has ended without an exception.

        Raises:
            InternalError: It has not come yet.
        """
        if self._event is None:
            raise InternalError(f"{self._what} has not come yet: read it after the block")
        return self._event

    def __enter__(self) -> Self:
        """Begin to listen."""
        refuse_to_block(f"expecting {self._what}")
        self._deadline = monotonic() + self._timeout
        self._callback = self._listen(self._on_event)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the event, unless the block raised.

        Raises:
            ExpectTimeout: It did not come in time.
            ClosedError: The connection was closed first.
        """
        callback = self._callback
        if callback is None:
            return
        try:
            if kind is None and not self._gate.wait(max(0.0, self._deadline - monotonic())):
                raise ExpectTimeout(
                    f"expected {self._what} within {self._timeout:g} s; it did not come"
                )
        finally:
            self._forget(callback)
        if kind is None and self._event is None:
            raise ClosedError(f"the connection was closed while {self._what} was expected")

    def end(self) -> None:
        """End the wait: the callback was released (the connection is closing)."""
        self._gate.open()

    def _on_event(self, event: DomainEvent) -> None:
        # On the loop thread, as our own direct callback: a few steps that do not wait.
        if self._event is None and isinstance(event, LifecycleEvent):
            self._event = event
            self._gate.open()
