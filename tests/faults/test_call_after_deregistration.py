# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: a callback started after its deregistration had returned."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.dispatch.fakes import HandPool, Listener, ManualLoop, suspended
from virevents.dispatch import Callback, EventState, Mailbox, isolated


class _OnlyUnlists(EventState):
    """The planted fault: off the list, but the flush that goes on has a copy of the list."""

    def deregister(self, callback: Callback) -> None:
        with self.registry._lock:
            self.registry._take_locked(lambda c: c is callback)


_end: Final = Mailbox.end


def _end_and_keep(mailbox: Mailbox, *, is_discarding: bool) -> bool:
    return _end(mailbox, is_discarding=False)  # the planted fault: what waits is delivered


def check_flush(kind: type[EventState]) -> None:
    """One callback puts off another, which stands behind it in the list."""
    loop = ManualLoop()
    state = kind(loop)
    second = Listener()
    first = Listener(on_event=lambda _: state.deregister(second.callback))
    for listener in (first, second):
        state.register(listener.callback)
    state.push(suspended())
    loop.turn_until_idle()
    assert first.sequences == [1]
    assert second.events == [], "called after its deregistration"


def check_mailbox(is_let_in: Callable[[Callback], bool]) -> None:
    """What waits in the mailbox when the deregistration returns is not delivered."""
    loop, pool, listener = ManualLoop(), HandPool(), Listener()
    state = EventState(loop)
    state.register(listener.callback, isolated(pool, listener.callback))
    state.push(suspended())
    loop.turn_until_idle()
    state.deregister(listener.callback)
    if is_let_in(listener.callback):
        listener.callback.is_closed = False
    pool.run_all()
    assert listener.events == [], "called after its deregistration"
    assert listener.releases == 1


def test_ours_is_free_of_it() -> None:
    check_flush(EventState)
    check_mailbox(lambda _: False)


def test_a_planted_copy_of_the_list_is_found() -> None:
    with pytest.raises(AssertionError, match="called after its deregistration"):
        check_flush(_OnlyUnlists)


def test_a_planted_mailbox_that_delivers_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mailbox, "end", _end_and_keep)
    with pytest.raises(AssertionError, match="called after its deregistration"):
        check_mailbox(lambda _: True)
