# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demo is shown on: the lines, the times, and who got what.

It stands apart from the play so that each can be read alone.

Locking: none. The main thread replaces ``_cause`` before each act, when everybody who is not slow
has got what came before. Each subscriber appends to a list of its own, then looks at the lengths
of all: whoever comes last sees that the act is done and opens its gate.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import virevents
from virevents.cli.ends import OutputClosed
from virevents.cli.printing import event_words, has_colour, print_line, printable
from virevents.clock import monotonic
from virevents.errors import OperationFailedError
from virevents.sync import Gate

__all__ = ["CALLBACK", "SLOW", "STREAM", "Stage"]

CALLBACK: Final = "callback"
STREAM: Final = "stream"
SLOW: Final = "slow"

# How long the events of one act may take, in seconds.
_ACT_MAY_TAKE: Final = 10.0


class _Cause(NamedTuple):
    """What the play does now."""

    since: float  # on the monotonic clock
    goal: int  # how many events the quick subscribers have got once it is done
    done: Gate


class Stage:
    """Prints each act and each delivery, with the time since the act that caused it."""

    def __init__(self) -> None:
        # published: replaced whole by the main thread, read without
        self._cause = _Cause(monotonic(), 0, Gate("nothing"))
        # When the act was that caused an event, by its number; put there by who gets it first,
        # which is during the act: the quick ones are waited for.
        self._caused: Final[dict[int, float]] = {}
        self._got: Final[dict[str, list[str]]] = {CALLBACK: [], STREAM: [], SLOW: []}
        self._delays: Final[list[float]] = []  # of the quick ones, in milliseconds

    def act(self, name: str, events: int, do: Callable[[], object]) -> None:
        """Do it, and wait until the two quick subscribers got its *events*.

        Raises:
            OperationFailedError: They did not come.
        """
        done = Gate(f"the events of {name}")
        self._cause = _Cause(monotonic(), len(self._got[CALLBACK]) + events, done)
        self.say("do", name)
        do()
        if not done.wait(_ACT_MAY_TAKE):
            raise OperationFailedError(f"{name}: its {events} events did not come")

    def say(self, what: str, text: str) -> None:
        """Print a line of the play."""
        print_line(f"{'':>10}  {what:<9} {threading.current_thread().name:<20} {text}")

    def delivered(self, who: str, event: virevents.DomainEvent) -> None:
        """Print a delivery, and note it."""
        since, goal, done = self._cause
        delay = (monotonic() - self._caused.setdefault(event.sequence, since)) * 1000
        thread = printable(threading.current_thread().name)
        shown = event_words(event, with_colour=has_colour())
        with suppress(OutputClosed):  # the main thread's next line ends the program
            print_line(f"{delay:>7.1f} ms  {who:<9} {thread:<20} #{event.sequence} {shown}")
        if who != SLOW:
            self._delays.append(delay)
        self._got[who].append(event_words(event))
        if min(len(self._got[CALLBACK]), len(self._got[STREAM])) >= goal:
            done.open()

    def words(self, who: str) -> list[str]:
        """What a subscriber got so far."""
        return list(self._got[who])

    @property
    def longest_ms(self) -> float:
        """The longest time from an act to the delivery of its event to a quick subscriber."""
        return max(self._delays, default=0.0)
