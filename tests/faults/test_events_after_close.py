# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: callbacks of a connection were still called after its ``close()``."""

import pytest

import virevents
from tests.dispatch.fakes import TIMEOUT
from virevents.connection import Connection
from virevents.dispatch import CallbackRegistry
from virevents.model import DomainEvent


def _forgets_them(_registry: CallbackRegistry, _owner: object, *, is_closing: bool = True) -> int:
    return 0  # the planted fault: the connection goes, its callbacks stay on record


def _refuses_only(connection: Connection) -> bool:
    """The planted fault: new calls are refused, callbacks are not closed."""
    with connection._lock:
        connection._phase = type(connection._phase).CLOSING
        connection._is_open = connection._may_modify = False
        connection._callbacks.clear()
    return True


def check() -> None:
    """The driver lives on, by another connection: what it tells reaches only that one."""
    seen: list[str] = []
    witnessed: list[DomainEvent] = []
    with virevents.open("test:///default") as witness:
        closed = virevents.open("test:///default")
        closed.subscribe(lambda event: seen.append("isolated"))
        closed.subscribe(lambda event: seen.append("direct"), delivery="direct")
        subscription = witness.subscribe(witnessed.append)
        last = witness.subscribe(lambda _: None)
        assert closed.close()
        domain = witness.lookup("test")
        domain.suspend()
        domain.resume()
        assert subscription.drain(TIMEOUT)
        assert last.drain(TIMEOUT)
    assert len(witnessed) == 2
    assert seen == [], "called after the close of its connection"


def test_ours_is_silent() -> None:
    check()


def test_a_planted_left_over_callback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallbackRegistry, "remove_connection", _forgets_them)
    monkeypatch.setattr(Connection, "begin_close", _refuses_only)
    with pytest.raises(AssertionError, match="called after the close of its connection"):
        check()
