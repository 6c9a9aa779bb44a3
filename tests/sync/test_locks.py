# SPDX-License-Identifier: LGPL-2.1-or-later
"""``RankedLock``: a wrong order is refused at once, in one sequential run, naming both places."""

import inspect
import re
import threading
from collections.abc import Callable

import pytest

from virevents.errors import LockOrderError
from virevents.sync import (
    CONNECTION,
    DOMAIN,
    DRIVER,
    LOCK_TABLE,
    QUEUE,
    TURN,
    CheckedLock,
    LockClass,
    RankedLock,
    Role,
    Step,
    SystemPrimitives,
    are_locks_checked,
    assert_held,
    assert_nothing_held,
    in_role,
    installed,
)


def this_line() -> int:
    """The line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def checked(kind: LockClass) -> CheckedLock:
    lock = RankedLock(kind)
    assert isinstance(lock, CheckedLock)
    return lock


@pytest.mark.parametrize("held", LOCK_TABLE, ids=lambda kind: kind.name)
@pytest.mark.parametrize("wanted", LOCK_TABLE, ids=lambda kind: kind.name)
def test_downwards_only(held: LockClass, wanted: LockClass) -> None:
    outer, inner = checked(held), checked(wanted)
    with outer:
        if held.step < wanted.step:
            with inner:
                assert inner.is_held()
        else:
            with pytest.raises(LockOrderError, match="downwards"):
                inner.acquire()
            assert not inner.locked()
    assert not outer.locked()


def test_both_named() -> None:
    # Must be shown: a planted inversion, refused in one sequential run, before anything blocks.
    first, second = RankedLock(DRIVER), RankedLock(DOMAIN)
    taken = this_line() + 1
    first.acquire()
    tried = this_line() + 2
    with pytest.raises(LockOrderError) as refused:
        second.acquire()
    first.release()
    assert refused.value.wanted == f"the domain lock at {__file__}:{tried}"
    assert refused.value.held == f"the driver lock at {__file__}:{taken}"
    assert refused.value.wanted in str(refused.value)
    assert refused.value.held in str(refused.value)


def test_a_lock_is_not_taken_twice() -> None:
    lock = RankedLock(DOMAIN)
    with lock, pytest.raises(LockOrderError, match="the domain lock at"):
        lock.acquire()


def test_held_locks_of_earlier_steps_are_not_forgotten() -> None:
    turn, driver, connection = RankedLock(TURN), RankedLock(DRIVER), RankedLock(CONNECTION)
    with turn:
        with driver:
            pass
        with connection:
            pass
        with pytest.raises(LockOrderError):
            turn.acquire()


def test_locks_may_be_let_go_in_any_order() -> None:
    turn, domain, queue = checked(TURN), checked(DOMAIN), checked(QUEUE)
    for lock in (turn, domain, queue):
        lock.acquire()
    turn.release()
    queue.release()
    assert domain.is_held()
    domain.release()
    assert_nothing_held("this")


def test_a_failed_attempt_leaves_nothing_held() -> None:
    lock = checked(QUEUE)
    other = threading.Thread(target=lock.acquire)
    other.start()
    other.join()
    assert not lock.acquire(blocking=False)
    assert not lock.acquire(timeout=0.001)
    assert lock.locked()
    assert not lock.is_held()
    assert_nothing_held("this")


def test_only_the_holder_lets_go() -> None:
    lock = RankedLock(QUEUE)
    refused: list[str] = []

    def let_go() -> None:
        try:
            lock.release()
        except LockOrderError as error:
            refused.append(str(error))

    with lock:
        other = threading.Thread(target=let_go)
        other.start()
        other.join()
        assert lock.locked()
    assert len(refused) == 1
    assert "release of the queue lock at" in refused[0]


def test_the_holder_of_another_lock_does_not_let_go() -> None:
    held, free = RankedLock(TURN), RankedLock(QUEUE)
    with held, pytest.raises(LockOrderError, match="released by the thread that holds it"):
        free.release()


@pytest.mark.parametrize("where", ["the virevents loop", ""])
def test_nothing_on_loop(where: str) -> None:
    turn, domain = RankedLock(TURN), RankedLock(DOMAIN)
    with in_role(Role.LOOP, where):
        with pytest.raises(LockOrderError) as refused:
            turn.acquire()
        with domain:
            pass
    assert "a turn is never taken on a loop thread" in str(refused.value)
    assert f"held the event loop, {where or 'asyncio'}" in str(refused.value)
    assert not turn.locked()


def test_assert_held() -> None:
    lock = RankedLock(DOMAIN)
    with lock:
        assert_held(lock)
    with pytest.raises(LockOrderError, match=f"the domain lock held at {re.escape(__file__)}:"):
        assert_held(lock)


def test_assert_held_asks_nothing_of_a_bare_lock() -> None:
    with installed(SystemPrimitives(is_checked=False)):
        assert not are_locks_checked()
        assert_held(RankedLock(DOMAIN))


def test_assert_nothing_held() -> None:
    assert_nothing_held("this")
    with RankedLock(QUEUE), pytest.raises(LockOrderError) as refused:
        assert_nothing_held("the dance")
    assert f"wanted the dance at {__file__}:" in str(refused.value)
    assert f"held the queue lock at {__file__}:" in str(refused.value)


def test_repr_names_it() -> None:
    lock = RankedLock(QUEUE)
    assert repr(lock) == "<CheckedLock queue free>"
    with lock:
        assert repr(lock) == "<CheckedLock queue held>"


def test_an_exception_lets_go() -> None:
    lock = checked(QUEUE)
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    assert not lock.locked()
    assert_nothing_held("this")


@pytest.mark.parametrize(
    "attempt", [lambda lock: lock.acquire(), lambda lock: lock.acquire(blocking=False)]
)
def test_an_attempt_is_refused_as_well(attempt: Callable[[CheckedLock], bool]) -> None:
    lock = checked(DRIVER)
    with RankedLock(QUEUE), pytest.raises(LockOrderError):
        attempt(lock)


def test_nothing_held_above_a_step_allows_what_is_of_earlier_ones() -> None:
    with RankedLock(TURN):
        assert_nothing_held("a wait", above=Step.OWNER)
        with pytest.raises(LockOrderError, match="turn"):
            assert_nothing_held("a call")
