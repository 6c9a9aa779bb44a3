# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Gate``: the one door through which a thread waits for another."""

import asyncio
import re
import threading

import pytest

from virevents.errors import LockOrderError, WouldBlockError
from virevents.sync import (
    DOMAIN,
    MAILBOX,
    TURN,
    Gate,
    LockClass,
    RankedLock,
    Role,
    SystemPrimitives,
    in_role,
    installed,
)


def test_opened_is_open() -> None:
    gate = Gate("the end")
    assert [gate.is_open, gate.wait(0.0)] == [False, False]
    seen: list[bool] = []
    waiters = [threading.Thread(target=lambda: seen.append(gate.wait(None))) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    gate.open()
    gate.open()
    for waiter in waiters:
        waiter.join()
    assert seen == [True, True, True]
    assert [gate.is_open, gate.wait(0.0)] == [True, True]


@pytest.mark.parametrize("kind", [DOMAIN, MAILBOX], ids=lambda kind: kind.name)
def test_nothing_held(kind: LockClass) -> None:
    gate = Gate("the monitor's answer")
    with RankedLock(kind), pytest.raises(LockOrderError) as refused:
        gate.wait(None)
    place = re.escape(__file__) + r":\d+"
    assert re.fullmatch(
        f"waiting at the gate for the monitor's answer at {place}", refused.value.wanted
    )
    assert re.fullmatch(f"the {kind.name} lock at {place}", refused.value.held)


def test_a_turn_may_be_held() -> None:
    with RankedLock(TURN):
        assert not Gate("the disk").wait(0.0)


def test_a_bad_path_is_found_also_where_the_gate_happens_to_be_open() -> None:
    gate = Gate("the end")
    gate.open()
    with RankedLock(DOMAIN), pytest.raises(LockOrderError):
        gate.wait(None)
    with in_role(Role.LOOP, "loop"), pytest.raises(LockOrderError):
        gate.wait(None)


def test_not_on_a_loop() -> None:
    with in_role(Role.LOOP, "the virevents loop"), pytest.raises(LockOrderError) as refused:
        Gate("the end").wait(None)
    assert re.fullmatch(
        f"waiting at the gate for the end at {re.escape(__file__)}:\\d+", refused.value.wanted
    )
    assert refused.value.held == "the event loop, the virevents loop"


def test_not_on_an_asyncio_loop() -> None:
    async def wait() -> None:
        Gate("the end").wait(None)

    with pytest.raises(LockOrderError, match="held the event loop, asyncio"):
        asyncio.run(wait())


def test_not_on_a_loop_where_locks_are_not_checked() -> None:
    with installed(SystemPrimitives(is_checked=False)):
        gate = Gate("the end")
        assert not gate.wait(0.0)
        with (
            in_role(Role.LOOP, "loop"),
            pytest.raises(WouldBlockError, match="waiting for the end"),
        ):
            gate.wait(None)
