# SPDX-License-Identifier: LGPL-2.1-or-later
"""An asyncio stream of events, and coroutines that change a domain meanwhile.

Run it: ``python examples/asyncio_stream.py [URI]``; it pauses and resumes the domain "test".
"""

import asyncio
import sys

import virevents


async def watch(events: virevents.aio.AsyncEventStream[virevents.LifecycleEvent]) -> None:
    """Print what comes, in order, until the stream is closed or its connection is."""
    async for item in events:
        if isinstance(item, virevents.Gap):  # we were too slow: what was lost is said in its place
            print(f"lost: {item.count} events, from {item.first} to {item.last}")
            continue
        print(f"{item.domain.name} {item.event} ({item.detail})")
        if item.event is virevents.Lifecycle.RESUMED:
            return


async def main(uri: str) -> None:
    """Listen first, then act."""
    async with virevents.aio.open(uri) as connection:
        events = connection.events()  # from this call on, not from the first item
        watching = asyncio.create_task(watch(events))
        domain = await connection.lookup("test")
        await domain.suspend()
        await domain.resume()
        await watching


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or ["test:///default"])))
