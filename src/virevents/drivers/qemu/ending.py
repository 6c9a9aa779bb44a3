# SPDX-License-Identifier: LGPL-2.1-or-later
"""How one QEMU ends: what was seen of its end, in any order, and the one verdict from it.

A QEMU's end shows in three places: the monitor says SHUTDOWN (or does not), the monitor's
stream ends, and the process exits. They come in any order, and some never: after ``kill -9``
there is no SHUTDOWN, a stopped process (SIGSTOP) keeps its socket open, a process in an
uninterruptible wait outlives its socket. It stands apart, without any I/O, so that every order
can be tried.

The verdict comes only after the process is gone *and* the stream was read to its end: the one,
because disks and names are free only then; the other, because SHUTDOWN may still be in the
stream, and it tells an orderly end from a crash. Either wait is bounded by a deadline.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_ending.py``:
    one_verdict     CONCLUDE is returned exactly once, whatever comes and however often
    both_seen       never before the exit, nor before the stream's end or a deadline after it
    always_ends     once the process has exited, one deadline at most separates from the verdict
    first_cause     what made it end decides; what came after the end was certain does not
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from virevents.drivers.qemu.transitions import Happening

__all__ = ["Ending", "Sign", "Step"]


class Sign(Enum):
    """Something seen of, or done about, the end of a QEMU."""

    SHUTDOWN = auto()
    """The monitor's event SHUTDOWN, which may come more than once."""
    PANICKED = auto()
    """The guest's crash is to be its end: QEMU is about to be ended."""
    SAVED = auto()
    """The state was saved: QEMU is about to be ended."""
    DESTROY = auto()
    """Somebody asked for the domain to be destroyed; the signal is about to be sent."""
    STREAM_END = auto()
    """The monitor's stream was read to its end, or broke."""
    EXIT = auto()
    """The process has exited (its pidfd fired)."""
    DEADLINE = auto()
    """The time that a step asked for is over."""


class Step(Enum):
    """What is to be done after a sign."""

    NOTHING = auto()
    AWAIT_EXIT = auto()
    """The stream has ended: give the process a deadline."""
    AWAIT_STREAM = auto()
    """The process is gone: give the stream's end a deadline."""
    KILL = auto()
    """The process outlived its deadline: kill it, and give it another."""
    CONCLUDE = auto()
    """It is over: take the verdict."""


_VERDICTS: Final[Mapping[Sign, Happening]] = {
    Sign.DESTROY: Happening.DESTROYED,
    Sign.PANICKED: Happening.CRASHED,
    Sign.SAVED: Happening.SAVED,
    Sign.SHUTDOWN: Happening.SHUT_DOWN,
}


class Ending:
    """Takes signs, one at a time, and says what to do.

    ``Sign.EXIT`` and ``Sign.STREAM_END`` are final and may be given again; signs after
    ``Step.CONCLUDE`` change nothing.
    """

    def __init__(self) -> None:
        self._seen: Final[set[Sign]] = set()  # loop thread only
        self._cause: Sign | None = None  # loop thread only
        self._is_concluded = False  # loop thread only

    @property
    def is_over(self) -> bool:
        """Whether the verdict has been reached."""
        return self._is_concluded

    @property
    def is_certain(self) -> bool:
        """Whether QEMU is known to be gone or going by itself: destroying it comes too late."""
        return not self._seen.isdisjoint({Sign.STREAM_END, Sign.EXIT})

    @property
    def verdict(self) -> Happening:
        """How it ended, as far as is known; final once `is_over`."""
        if self._cause is None:
            return Happening.FAILED  # QEMU went without a word
        return _VERDICTS[self._cause]

    def put(self, sign: Sign) -> Step:
        """Take in *sign* and return what to do next."""
        if self._is_concluded:
            return Step.NOTHING
        if sign is Sign.DEADLINE:
            return self._on_deadline()
        if sign in {Sign.STREAM_END, Sign.EXIT}:
            return self._on_end(sign)
        self._note_cause(sign)
        return Step.NOTHING

    def _note_cause(self, sign: Sign) -> None:
        """A request to destroy wins over a guest that shuts down at its leisure.

        But it does not turn a crash into a destruction: once QEMU is known to go, a request
        changes nothing. What the monitor said stays true even when it is read after the exit.
        """
        if sign is Sign.DESTROY:
            if not self.is_certain:
                self._cause = sign
        elif self._cause in {None, Sign.SHUTDOWN}:
            self._cause = sign

    def _on_end(self, sign: Sign) -> Step:
        if sign in self._seen:
            return Step.NOTHING
        self._seen.add(sign)
        if {Sign.STREAM_END, Sign.EXIT} <= self._seen:
            return self._conclude()
        return Step.AWAIT_EXIT if sign is Sign.STREAM_END else Step.AWAIT_STREAM

    def _on_deadline(self) -> Step:
        if Sign.EXIT in self._seen:
            return self._conclude()
        return Step.KILL

    def _conclude(self) -> Step:
        self._is_concluded = True
        return Step.CONCLUDE
