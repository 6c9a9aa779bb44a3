# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeing one QEMU out: requests, signals and deadlines, until it is gone.

It stands apart from the run because it is all that is done to the process; what is seen of its
end, and what follows from it, is ``Ending``, which has neither a process nor a clock.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_departing.py``:
    asked_first     it is asked by SIGTERM, and killed only when it has not obeyed in time
    never_waits_on  once the stream or the process has ended, the other is waited for so long
    over_once       the end is told once
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Final

from virevents.drivers.qemu.ending import Ending, Sign, Step
from virevents.drivers.qemu.process import QemuProcess
from virevents.drivers.qemu.transitions import Happening

__all__ = ["EXIT_WITHIN", "Departure"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

EXIT_WITHIN: Final = 5.0
"""How long QEMU may take between a request to end, or the end of its stream, and its exit."""

# Between the exit and the end of the stream, which the system closes with the process.
_STREAM_END_WITHIN: Final = 2.0


class Departure:
    """The way out of one QEMU.

    Args:
        process: It.
        on_over: Told once that it is gone.
    """

    def __init__(self, process: QemuProcess, on_over: Callable[[], None]) -> None:
        self._process: Final = process
        self._on_over: Final = on_over
        self._ending: Final = Ending()
        self._deadline: asyncio.TimerHandle | None = None
        self.has_stream = True  # whether the end of the monitor's stream is to come
        self.has_exited = False
        self.exit_status: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is gone."""
        return self._ending.is_over

    @property
    def is_certain(self) -> bool:
        """Whether it is known to be going by itself."""
        return self._ending.is_certain

    @property
    def verdict(self) -> Happening:
        """How it ended, as far as is known."""
        return self._ending.verdict

    def watch(self) -> None:
        """Begin to watch the process."""
        self._process.watch(self._on_exit)

    def let_go(self) -> None:
        """Stop watching it: it goes on without us."""
        self._disarm()
        self._process.let_go()

    def put(self, sign: Sign) -> None:
        """Take in what was seen, and do what follows."""
        step = self._ending.put(sign)
        if step is Step.AWAIT_EXIT:
            self._arm(EXIT_WITHIN)
        elif step is Step.AWAIT_STREAM:
            self._arm(_STREAM_END_WITHIN)
        elif step is Step.KILL:
            _log.warning("QEMU %d did not end in time and is killed", self._process.pid)
            self._process.send_signal(signal.SIGKILL)
            self._arm(EXIT_WITHIN)
        elif step is Step.CONCLUDE:
            self._disarm()
            self._on_over()

    def ask(self, patience: float | None) -> None:
        """Ask it to end, and kill it after *patience* seconds; never, if that is None."""
        self._process.send_signal(signal.SIGTERM)
        if patience is not None:
            self._arm(patience)

    def kill(self) -> None:
        """End it at once."""
        self._process.send_signal(signal.SIGKILL)

    def _on_exit(self, status: int | None) -> None:
        self.has_exited = True
        self.exit_status = status
        self.put(Sign.EXIT)
        if not self.has_stream:
            self.put(Sign.STREAM_END)

    def _on_deadline(self) -> None:
        self._deadline = None
        self.put(Sign.DEADLINE)

    def _arm(self, timeout: float) -> None:
        self._disarm()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(timeout, self._on_deadline)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
