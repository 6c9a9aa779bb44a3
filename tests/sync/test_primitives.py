# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam under ``sync``."""

import threading
from collections import deque

import pytest

from virevents.sync import (
    QUEUE,
    CheckedLock,
    Doorbell,
    RankedLock,
    SystemPrimitives,
    WakeSignal,
    installed,
    primitives,
)


def test_bare_by_default() -> None:
    with installed(SystemPrimitives(is_checked=False)):
        assert type(RankedLock(QUEUE)) is type(threading.Lock())
    with installed(SystemPrimitives(is_checked=True)):
        assert type(RankedLock(QUEUE)) is CheckedLock


def test_restored() -> None:
    before = primitives()
    other = SystemPrimitives(is_checked=False)

    def fail() -> None:
        assert primitives() is other
        _ = 1 / 0

    with pytest.raises(ZeroDivisionError), installed(other):
        fail()
    assert primitives() is before


def test_tests_check_locks() -> None:
    assert primitives().is_checked


def test_each_system_primitive_is_pythons_own() -> None:
    system = SystemPrimitives(is_checked=False)
    lock = system.make_lock("lock")
    assert type(lock) is type(threading.Lock())
    assert not lock.locked()
    one_shot = system.make_one_shot("event")
    assert isinstance(one_shot, threading.Event)
    assert not one_shot.is_set()
    line = system.make_line(int, "line")
    assert type(line) is deque
    assert not line


def test_bells_and_signals_are_made_fresh() -> None:
    system = SystemPrimitives(is_checked=False)
    bell: Doorbell = system.make_doorbell("bell")
    bell.ring()
    bell.wait()
    signal: WakeSignal = system.make_wake_signal("signal")
    assert signal.fileno() >= 0
    bell.close()
    signal.close()


def test_threads_are_daemons_with_their_names() -> None:
    seen: list[tuple[str, bool]] = []
    done = threading.Event()

    def body() -> None:
        thread = threading.current_thread()
        seen.append((thread.name, thread.daemon))
        done.set()

    SystemPrimitives(is_checked=False).start_thread("worker-1", body)
    assert done.wait(5)
    assert seen == [("worker-1", True)]
