# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio handle: every verb is the plain one's, run where waiting disturbs nobody."""

import asyncio
from pathlib import Path

import pytest

import virevents

XML = (
    "<domain type='test'><name>web1</name><uuid>11111111-0000-4000-8000-000000000001</uuid>"
    "<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
)


async def look(domain: virevents.aio.Domain) -> None:
    """Every question."""
    assert (domain.name, domain.id) == ("web1", 2)
    assert domain.uuid.endswith("0001")
    assert domain.is_active
    assert domain.is_persistent
    assert "<name>web1</name>" in await domain.xml()
    assert " id=" not in await domain.xml(inactive=True)
    assert str((await domain.state()).state) == "running"


async def save(conn: virevents.aio.Connection, domain: virevents.aio.Domain, folder: Path) -> None:
    """Every way of saving; it runs before and after."""
    await domain.save(str(folder / "saved"))
    await conn.restore(str(folder / "saved"))
    await domain.managed_save()
    saved = [domain.has_managed_save]
    await domain.managed_save_remove()
    saved.append(domain.has_managed_save)
    assert saved == [True, False]
    await domain.start()


async def stop(domain: virevents.aio.Domain, folder: Path) -> None:
    """Every way of stopping."""
    await domain.core_dump(str(folder / "core"), crash=True)
    await domain.start()
    await domain.shutdown()
    await domain.start()
    await domain.destroy()


async def whole_life(folder: Path) -> list[str]:
    """Every verb; returns the events in words."""
    async with virevents.aio.open("test:///default") as conn:
        stream = conn.events()
        domain = await conn.define(XML)
        await domain.start()
        await look(domain)
        await domain.suspend()
        await domain.resume()
        await domain.reset()
        await domain.reboot()
        await save(conn, domain, folder)
        await stop(domain, folder)
        await domain.rename("web2")
        assert domain.name == "web2"
        await domain.undefine()
        items = [await anext(stream) for _ in range((await conn.stats()).last_sequence)]
        return [str(i.event) for i in items if isinstance(i, virevents.LifecycleEvent)]


def test_every_verb(tmp_path: Path) -> None:
    assert asyncio.run(whole_life(tmp_path)) == [
        *("defined", "started", "suspended", "resumed"),
        *("stopped", "started", "stopped", "started"),
        *("stopped", "started", "stopped", "started", "stopped"),
        *("undefined", "defined", "undefined"),
    ]


def test_two_handles_of_one_domain_are_equal() -> None:
    async def main() -> None:
        async with virevents.aio.open("test:///default") as conn:
            one, two = await conn.lookup("test"), await conn.lookup_id(1)
            assert one == two
            assert hash(one) == hash(two)
            assert one != "test"
            assert "test" in repr(one)

    asyncio.run(main())


def test_errors_come_where_they_are_awaited() -> None:
    async def main() -> None:
        async with virevents.aio.open("test:///default") as conn:
            domain = await conn.lookup("test")
            with pytest.raises(virevents.StateError):
                await domain.resume()

    asyncio.run(main())
