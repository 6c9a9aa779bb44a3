# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keepalive: when to ask a silent peer whether it is there, and when to give it up.

It stands apart from timers and sockets: who has them asks when to come again. Either side may ask
(PING), the other answers (PONG) at once; whatever is heard of the peer tells that it is there.

Confined to its owner.

Invariants, each with a test of its name in ``tests/wire/rpc/test_keepalive.py``:
    as_libvirt   silence is asked about *count* times, one *interval* apart, and is the end after
                 one more
    any_sign     whatever is heard begins the count anew
"""

from enum import Enum, auto
from typing import Final

from virevents.wire.rpc.frames import Frame, FrameType
from virevents.wire.rpc.protocol import KEEPALIVE_PROGRAM, PROTOCOL_VERSION

__all__ = ["PING", "PONG", "Keepalive", "KeepaliveStep", "is_ping", "is_pong"]

PING: Final = Frame(KEEPALIVE_PROGRAM, 1, FrameType.MESSAGE, 0)
"""Asks whether the peer is there."""
PONG: Final = Frame(KEEPALIVE_PROGRAM, 2, FrameType.MESSAGE, 0)
"""Says that it is."""


def is_ping(frame: Frame) -> bool:
    """Whether *frame* asks, whatever its serial and payload are."""
    return _is(frame, PING)


def is_pong(frame: Frame) -> bool:
    """Whether *frame* answers."""
    return _is(frame, PONG)


def _is(frame: Frame, wanted: Frame) -> bool:
    return (
        frame.program == KEEPALIVE_PROGRAM
        and frame.version == PROTOCOL_VERSION
        and frame.type == FrameType.MESSAGE
        and frame.procedure == wanted.procedure
    )


class KeepaliveStep(Enum):
    """What is to be done now."""

    NOTHING = auto()
    ASK = auto()
    """Send a `PING`."""
    GIVE_UP = auto()
    """The peer is gone: close the stream."""


class Keepalive:
    """Watches over one peer.

    Args:
        interval: Seconds of silence before it is asked, above 0.
        count: How often it is asked, at least 1.
        now: The monotonic clock's time, seconds.
    """

    def __init__(self, interval: float, count: int, now: float) -> None:
        self._interval: Final = interval
        self._count: Final = count
        self._asked = 0  # confined to the owner
        self._deadline = now + interval  # confined to the owner

    @property
    def deadline(self) -> float:
        """When to come again, unless something is heard before."""
        return self._deadline

    def hear(self, now: float) -> None:
        """Take notice that something came from the peer."""
        self._asked = 0
        self._deadline = now + self._interval

    def step(self, now: float) -> KeepaliveStep:
        """Say what is to be done; nothing before the deadline."""
        if now < self._deadline:
            return KeepaliveStep.NOTHING
        if self._asked == self._count:
            return KeepaliveStep.GIVE_UP
        self._asked += 1
        self._deadline = now + self._interval
        return KeepaliveStep.ASK
