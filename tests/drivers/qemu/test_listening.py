# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio

import pytest

from virevents.drivers.qemu.listening import Listeners
from virevents.errors import MonitorError, MonitorTimeoutError

PATIENCE = 30.0
SHORT = 0.02
STOP = {"event": "STOP"}
ACTIVE = {"event": "MIGRATION", "data": {"status": "active"}}
DONE = {"event": "MIGRATION", "data": {"status": "completed"}}


def test_none_missed() -> None:
    async def test() -> None:
        listeners = Listeners()
        with listeners.listen("MIGRATION") as heard:
            for message in (STOP, ACTIVE, DONE):
                listeners.put(message)
            assert await heard.next(within=PATIENCE) == ACTIVE
            assert await heard.next(within=PATIENCE) == DONE

    asyncio.run(test())


def test_what_is_not_accepted_is_passed_over_until_it_comes() -> None:
    async def test() -> None:
        listeners = Listeners()
        with listeners.listen("MIGRATION", "STOP") as heard:
            listeners.put(ACTIVE)
            wait = asyncio.create_task(
                heard.next(within=PATIENCE, accept=lambda message: message == DONE)
            )
            await asyncio.sleep(0)
            listeners.put(STOP)
            await asyncio.sleep(0)
            assert not wait.done()
            listeners.put(DONE)
            assert await wait == DONE

    asyncio.run(test())


def test_always_ends_at_its_deadline() -> None:
    async def test() -> None:
        with (
            Listeners().listen("STOP", "MIGRATION") as heard,
            pytest.raises(MonitorTimeoutError, match=r"no event MIGRATION or STOP within 0.02"),
        ):
            await heard.next(within=SHORT)

    asyncio.run(test())


def test_always_ends_with_the_session() -> None:
    async def test() -> None:
        listeners = Listeners()
        with listeners.listen("STOP") as heard:
            listeners.put(STOP)
            listeners.end()
            assert await heard.next(within=PATIENCE) == STOP
            with pytest.raises(MonitorError, match="the session ended before the event"):
                await heard.next(within=PATIENCE)
        with (
            listeners.listen("STOP") as late,
            pytest.raises(MonitorError, match="the session ended"),
        ):
            await late.next(within=PATIENCE)

    asyncio.run(test())


def test_after_its_block_it_takes_no_more() -> None:
    async def test() -> None:
        listeners = Listeners()
        with listeners.listen("STOP") as heard:
            pass
        listeners.put(STOP)
        with pytest.raises(MonitorTimeoutError):
            await heard.next(within=SHORT)

    asyncio.run(test())
