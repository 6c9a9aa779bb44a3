# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: a queue without bound, that grew while its reader was slow."""

import sys

import pytest

from tests.dispatch.fakes import ManualLoop, batch, suspended
from virevents.dispatch import EventState, Mailbox
from virevents.errors import OperationTimeoutError


class _NeverWaits(EventState):
    """The planted fault: whoever modifies pushes, however much is there."""

    def make_room(self, timeout: float = 0.0) -> None:
        """Pay no heed to the mark."""


class _TakesAll(Mailbox):
    """The planted fault: a mailbox that never overflows."""

    def __init__(self, capacity: int) -> None:
        super().__init__(sys.maxsize)


def check_queue(kind: type[EventState]) -> None:
    """The flush never comes: modifying calls are held up before they change anything."""
    state = kind(ManualLoop(), capacity=16)

    def modify() -> None:
        for _ in range(1_000):
            state.make_room(0.0)
            state.push(suspended())

    with pytest.raises(OperationTimeoutError):
        modify()
    assert len(state.queue) == 16


def check_mailbox(kind: type[Mailbox]) -> None:
    """The reader never comes: the mailbox keeps its bound and counts what it lost."""
    mailbox = kind(16)
    for first in range(1, 1_001, 10):
        mailbox.extend(batch(10, first=first))
    assert len(mailbox._events) == 16
    assert mailbox.lost == 1_000 - 16


def test_ours_is_bounded() -> None:
    check_queue(EventState)
    check_mailbox(Mailbox)


def test_a_planted_queue_without_bound_is_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_queue(_NeverWaits)


def test_a_planted_mailbox_without_bound_is_found() -> None:
    with pytest.raises(AssertionError):
        check_mailbox(_TakesAll)
