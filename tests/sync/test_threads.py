# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library knows of the thread it runs on."""

import asyncio
import threading

import pytest

from virevents.errors import WouldBlockError
from virevents.sync import (
    Role,
    in_role,
    is_callback_thread,
    is_caller_thread,
    is_loop_thread,
    refuse_to_block,
)


def known() -> tuple[bool, bool, bool]:
    return is_loop_thread(), is_callback_thread(), is_caller_thread()


NOBODY = (False, False, False)


@pytest.mark.parametrize(
    ("role", "facts"),
    [
        (Role.LOOP, (True, True, False)),
        (Role.WORKER, (False, True, False)),
        (Role.CALLER, (False, False, True)),
    ],
)
def test_each_role(role: Role, facts: tuple[bool, bool, bool]) -> None:
    assert known() == NOBODY
    with in_role(role, "here"):
        assert known() == facts
    assert known() == NOBODY


def test_roles_nest() -> None:
    def fail() -> None:
        assert not is_loop_thread()
        _ = 1 / 0

    with in_role(Role.LOOP, "outer"):
        with pytest.raises(ZeroDivisionError), in_role(Role.WORKER, "inner"):
            fail()
        assert is_loop_thread()
        with pytest.raises(WouldBlockError, match="outer"):
            refuse_to_block("this")


def test_a_role_is_its_threads_alone() -> None:
    seen: list[tuple[bool, bool, bool]] = []
    with in_role(Role.LOOP, "loop"):
        other = threading.Thread(target=lambda: seen.append(known()))
        other.start()
        other.join()
    assert seen == [NOBODY]


def test_loop_is_found() -> None:
    async def ask() -> tuple[bool, bool, bool]:
        return known()

    assert asyncio.run(ask()) == (True, True, False)
    assert known() == NOBODY


def test_refuse_to_block_names_operation_and_loop() -> None:
    refuse_to_block("closing")
    with in_role(Role.WORKER, "pool"):
        refuse_to_block("closing")
    with in_role(Role.LOOP, "the virevents loop"), pytest.raises(WouldBlockError) as refused:
        refuse_to_block("closing callback 3")
    assert "closing callback 3 would wait" in str(refused.value)
    assert "the virevents loop" in str(refused.value)


def test_refuse_to_block_on_an_asyncio_loop() -> None:
    async def block() -> None:
        refuse_to_block("closing")

    with pytest.raises(WouldBlockError, match=r"\(asyncio\)"):
        asyncio.run(block())
