# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: "it is being called" was a flag, where two threads may be inside.

The first one out cleared it, and what the other still used was freed.
"""

import pytest

from tests.dispatch.fakes import Listener
from virevents.dispatch import Callback


def _begin_by_flag(callback: Callback) -> bool:
    with callback._lock:
        if callback._is_released or callback.is_closed:
            return False
        callback._in_flight = 1  # the planted fault
    return True


def check() -> None:
    """Two threads are inside when it ends; it is released by the last one out."""
    listener = Listener()
    assert listener.callback.begin()
    assert listener.callback.begin()
    listener.callback.end()
    listener.callback.finish()
    assert listener.releases == 0, "released while a call was in flight"
    listener.callback.finish()
    assert listener.releases == 1


def test_ours_counts() -> None:
    check()


def test_a_planted_flag_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Callback, "begin", _begin_by_flag)
    with pytest.raises(AssertionError, match="released while a call was in flight"):
        check()
