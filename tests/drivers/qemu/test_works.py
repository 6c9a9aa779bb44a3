# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
from collections.abc import Callable, Coroutine

import pytest

from virevents.drivers.qemu.works import Works


def test_in_order_however_they_end() -> None:
    async def test() -> None:
        works, done = Works(), list[str]()
        may_go_on = asyncio.Event()

        def work(name: str) -> Callable[[], Coroutine[object, object, None]]:
            async def do() -> None:
                await may_go_on.wait()
                done.append(name)

            return do

        for name in "abc":
            works.begin(work(name))
        settled = asyncio.create_task(works.settled())
        await asyncio.sleep(0)
        assert done == []
        assert not settled.done()
        may_go_on.set()
        await settled
        assert done == ["a", "b", "c"]

    asyncio.run(test())


def test_settled_at_once_without_any() -> None:
    asyncio.run(Works().settled())


def test_settled_is_settled_also_after_a_cancellation() -> None:
    async def test() -> None:
        works = Works()
        never = asyncio.Event()

        async def wait() -> None:
            await never.wait()

        works.begin(wait)
        await asyncio.sleep(0)
        (task,) = works.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await works.settled()
        assert works.cancel() == set()

    asyncio.run(test())
