# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: the flush timer fired once more after its event state was gone."""

import gc
import weakref

import pytest

from tests.dispatch.fakes import ManualLoop, suspended
from virevents.dispatch import EventState

fired: list[str] = []


class _Watched(EventState):
    """Says when its timer fires."""

    def flush(self) -> None:
        fired.append("flush")
        super().flush()


class _LeavesItsTimer(_Watched):
    """The planted fault: the end frees events and callbacks and forgets the timer."""

    def close(self) -> None:
        self._is_closed = True
        self.queue.close()
        self.registry.close()


def check(kind: type[_Watched]) -> None:
    """With a wake under way, a state that is closed and let go of is not called, nor kept."""
    loop = ManualLoop()
    fired.clear()
    gc.disable()
    try:
        state = kind(loop)
        state.push(suspended())
        assert len(loop.asked) == 1
        state.close()
        watched = weakref.ref(state)
        del state
        loop.turn_until_idle()
        assert fired == [], "the timer fired after the end"
        assert watched() is None, "the timer keeps the state alive"
    finally:
        gc.enable()


def test_ours_fires_no_more() -> None:
    check(_Watched)


def test_a_planted_timer_is_found() -> None:
    with pytest.raises(AssertionError, match="the timer fired after the end"):
        check(_LeavesItsTimer)
