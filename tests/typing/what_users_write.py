# SPDX-License-Identifier: LGPL-2.1-or-later
"""What users write must infer: this file is type-checked by script/lint and never run."""

from typing import assert_type

import virevents
from virevents.model import Detail, DomainEvent, Gap, LifecycleEvent


def takes_lifecycle(event: LifecycleEvent) -> None:
    assert_type(event.detail, Detail)


def takes_any(event: DomainEvent) -> None:
    assert_type(event.sequence, int)


def plain(conn: virevents.Connection) -> None:
    web = conn.lookup("web1")
    conn.subscribe(print)
    conn.subscribe(takes_lifecycle, only={"stopped", virevents.Lifecycle.STARTED})
    conn.subscribe(takes_any, event_id="reboot", domain=web)
    conn.subscribe(takes_lifecycle, event_id="all")  # type: ignore[arg-type]
    for item in conn.events():
        assert_type(item, LifecycleEvent | Gap)
    for other in conn.events(event_id="all"):
        assert_type(other, DomainEvent | Gap)
    with conn.expect(web, "stopped", timeout=30) as stopped:
        web.shutdown()
    assert_type(stopped.event.detail, Detail)


async def with_asyncio() -> None:
    async with virevents.aio.open("test:///default") as conn:
        assert_type(conn, virevents.aio.Connection)
        async for item in conn.events():
            assert_type(item, LifecycleEvent | Gap)
        web = await conn.lookup("web1")
        async with conn.expect(web, "stopped", timeout=30) as stopped:
            await web.shutdown()
        assert_type(stopped.event, LifecycleEvent)
