# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: a registration saw events that were queued before it."""

import pytest

from tests.dispatch.fakes import Listener, ManualLoop, suspended
from virevents.dispatch import EventQueue, EventState, Starting


def _start_anywhere(_queue: EventQueue, starting: Starting) -> None:
    starting.since = 0  # the planted fault: it gets whatever the flush finds


def check() -> None:
    """What was pushed before the registration and flushed after it is not for it."""
    loop, listener = ManualLoop(), Listener()
    state = EventState(loop)
    state.push(suspended())
    state.register(listener.callback)
    state.push(suspended())
    loop.turn_until_idle()
    assert listener.sequences == [2]


def test_ours_begins_with_its_registration() -> None:
    check()


def test_a_planted_look_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventQueue, "start", _start_anywhere)
    with pytest.raises(AssertionError):
        check()
