# SPDX-License-Identifier: LGPL-2.1-or-later
"""C4: what a stream has not begun when it is closed is discarded; no later item comes."""

import asyncio

import pytest

import virevents


def _pause_and_wait(connection: virevents.Connection) -> None:
    domain = connection.lookup("test")
    # It was registered after the stream, so the stream has an event once the block ends.
    with connection.expect(domain, "resumed", timeout=10):
        domain.suspend()
        domain.resume()


def test_a_closed_stream_discards_what_it_had_not_begun() -> None:
    with virevents.open("test:///default") as connection, connection.events() as stream:
        _pause_and_wait(connection)
        first = stream.get(0)
        assert isinstance(first, virevents.LifecycleEvent)
        assert first.event is virevents.Lifecycle.SUSPENDED
        _pause_and_wait(connection)
        # The first thing that close() does; the purge that empties the mailbox comes later.
        stream._callback.is_closed = True
        with pytest.raises(StopIteration):
            stream.get(0)


async def _read_closed(other: virevents.Connection) -> list[str]:
    async with virevents.aio.open(other.uri) as connection:
        stream = connection.events()
        await asyncio.to_thread(_pause_and_wait, other)
        assert not isinstance(await anext(stream), virevents.Gap)
        await asyncio.to_thread(_pause_and_wait, other)
        stream.callback.is_closed = True
        return [str(item) async for item in stream]


def test_a_closed_async_stream_discards_what_it_had_not_begun() -> None:
    with virevents.open("test:///default") as other:
        assert asyncio.run(_read_closed(other)) == []
