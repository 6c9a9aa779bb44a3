# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: a second registration of one function was refused."""

import pytest

from tests.dispatch.fakes import ManualLoop, suspended
from virevents.dispatch import Callback, CallbackRegistry, Delivery, EventState, Filter
from virevents.errors import LocalProtocolError
from virevents.model import DomainEvent


class _OneOfEach(CallbackRegistry):
    """The planted fault: the function is the key."""

    def add(self, callback: Callback, delivery: Delivery | None = None) -> int:
        if any(known._function == callback._function for known in self.callbacks):
            raise LocalProtocolError("event callback already tracked")
        return super().add(callback, delivery)


def check() -> None:
    """One function, three times: three numbers, three calls, each put off by itself."""
    loop = ManualLoop()
    state = EventState(loop)
    called: list[int] = []

    def function(event: DomainEvent) -> None:
        called.append(event.sequence)

    callbacks = [Callback(function, Filter()) for _ in range(3)]
    assert [state.register(callback) for callback in callbacks] == [0, 1, 2]
    state.push(suspended())
    loop.turn_until_idle()
    state.deregister(callbacks[1])
    state.push(suspended())
    loop.turn_until_idle()
    assert called == [1, 1, 1, 2, 2]


def test_ours_takes_it() -> None:
    check()


def test_a_planted_refusal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virevents.dispatch.state.CallbackRegistry", _OneOfEach)
    with pytest.raises(LocalProtocolError, match="already tracked"):
        check()
