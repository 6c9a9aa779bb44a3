# SPDX-License-Identifier: LGPL-2.1-or-later
"""What users write, and what a type checker must make of it. Checked, never run."""

import asyncio
from pathlib import Path
from typing import assert_type

import virevents
from virevents import DomainEvent, Gap, LifecycleEvent, aio
from virevents.connection import ConnectionStats
from virevents.model import Detail, Lifecycle, RebootEvent, StateAndReason


def on_lifecycle(event: LifecycleEvent) -> None:
    assert_type(event.event, Lifecycle)
    assert_type(event.detail, Detail)
    assert_type(event.time, float)
    assert_type(event.domain.name, str)
    assert_type(event.cause, virevents.Cause)
    if event.cause.requested_by is virevents.RequestedBy.GUEST:
        assert_type(event.cause.is_graceful, bool | None)


def on_any(event: DomainEvent) -> None:
    if isinstance(event, RebootEvent):
        assert_type(event.sequence, int)


def on_anything(item: object) -> str:
    return str(item)


async def on_lifecycle_async(event: LifecycleEvent) -> None:
    await asyncio.sleep(0)
    on_lifecycle(event)


def on_gap(gap: Gap) -> None:
    assert_type(gap.count, int | None)


def on_error(event: LifecycleEvent, error: BaseException) -> None:
    on_lifecycle(event)
    raise error


def cleanup() -> None: ...


def the_tour(xml: str) -> None:
    """Section 5 of the architecture, as printed."""
    with virevents.open("qemu:///session") as conn:
        assert_type(conn, virevents.Connection)
        with conn.subscribe(print) as subscription:
            assert_type(subscription, virevents.Subscription)
            domain = conn.define(xml)
            assert_type(domain, virevents.Domain)
            domain.start()
            domain.suspend()
            domain.resume()
            domain.shutdown()

        web = conn.lookup("web1")
        conn.subscribe(on_any, event_id="reboot", domain=web, on_release=cleanup)
        with conn.expect(web, "stopped", timeout=30) as stopped:
            web.shutdown()
        assert_type(stopped.event, LifecycleEvent)
        print(stopped.event.detail)  # noqa: T201  (as printed there)
        assert_type(stopped.event.detail, Detail)


async def the_asyncio_tour() -> None:
    async with aio.open("qemu+ssh://root@host/system") as conn:
        assert_type(conn, aio.Connection)
        async for event in conn.events():
            assert_type(event, LifecycleEvent | Gap)


def callbacks(conn: virevents.Connection, domain: virevents.Domain) -> None:
    """A callback takes what its filter lets through, or anything wider."""
    conn.subscribe(on_lifecycle)
    conn.subscribe(on_any)
    conn.subscribe(on_anything)
    conn.subscribe(lambda event: event.detail)
    conn.subscribe(on_lifecycle, event_id="lifecycle", only={"started", Lifecycle.STOPPED})
    conn.subscribe(on_lifecycle, on_gap=on_gap, on_error=on_error, on_release=cleanup)
    conn.subscribe(on_lifecycle, delivery="direct", capacity=1, domain=domain)
    conn.subscribe(on_lifecycle, delivery=asyncio.new_event_loop())
    conn.subscribe(on_any, event_id="all")
    conn.subscribe(on_any, event_id={"reboot", "lifecycle"})
    conn.subscribe(on_any, event_id=virevents.EventId.REBOOT)


def subscriptions(subscription: virevents.Subscription) -> None:
    assert_type(subscription.close(), bool)
    assert_type(subscription.close(wait=False), bool)
    assert_type(subscription.drain(1), bool)
    assert_type(subscription.is_closed, bool)
    assert_type(subscription.id, int)
    assert_type(subscription.stats, virevents.SubscriptionStats)
    assert_type(subscription.stats.slowest, float)


def streams(conn: virevents.Connection) -> None:
    for item in conn.events():
        assert_type(item, LifecycleEvent | Gap)
        if not isinstance(item, Gap):
            assert_type(item.detail, Detail)
    for wider in conn.events(event_id="all"):
        assert_type(wider, DomainEvent | Gap)
    with conn.events(only={"started"}) as stream:
        assert_type(stream, virevents.EventStream[LifecycleEvent])
        assert_type(stream.get(1.0), LifecycleEvent | Gap | None)


def domains(conn: virevents.Connection) -> None:
    assert_type(conn.list(), list[virevents.Domain])
    assert_type(conn.list(active=True)[0].state(), StateAndReason)
    assert_type(conn.lookup_id(1).id, int)
    assert_type(conn.lookup_uuid("").xml(inactive=True), str)
    assert_type(conn.stats(), ConnectionStats)
    assert_type(conn.close(), bool)


def operations(conn: virevents.Connection, xml: str) -> None:
    """Words and members mean the same; paths are texts or paths."""
    domain = conn.create(xml, paused=True, autodestroy=True)
    domain.start(paused=True, force_boot=True, autodestroy=True)
    domain.shutdown(timeout=30)
    domain.shutdown(timeout=0.5, force=True)
    domain.destroy(graceful=True)
    domain.save("/var/tmp/web1")
    domain.save(Path("web1"), paused=False)
    domain.managed_save(paused=True)
    assert_type(conn.restore(Path("web1"), paused=None), virevents.Domain)
    domain.core_dump("core", mode="live")
    domain.core_dump("core", mode=virevents.CoreDumpMode.CRASH)
    domain.set_autostart()
    domain.set_autostart(on=False)
    assert_type(domain.is_autostarted, bool)
    domain.pm_suspend()
    domain.pm_suspend("disk")
    domain.pm_suspend(virevents.SleepMode.HYBRID)
    domain.pm_wakeup()
    domain.undefine(managed_save=True, nvram="remove")
    domain.undefine(nvram=virevents.NvramFate.KEEP)


def errors(domain: virevents.Domain) -> None:
    try:
        domain.pm_suspend()
    except virevents.AgentError as error:
        assert_type(error.code, int)
    except (virevents.UnsupportedArgumentError, virevents.HostError):
        pass
    except virevents.UnsupportedDefinitionError as error:
        assert_type(error.line, int | None)


async def asyncio_face() -> None:
    opened = await aio.open("test:///default", read_only=True, timeout=3)
    assert_type(opened, aio.Connection)
    domain = await opened.lookup("test")
    assert_type(domain, aio.Domain)
    assert_type(await opened.list(), list[aio.Domain])
    assert_type(await domain.state(), StateAndReason)
    assert_type(await domain.suspend(), None)
    await domain.save(Path("web1"), paused=True)
    await domain.core_dump("core", mode="reset")
    await domain.set_autostart(on=False)
    assert_type(await opened.create("", autodestroy=True), aio.Domain)
    subscription = opened.subscribe(on_lifecycle_async, on_error=on_error)
    assert_type(subscription, aio.AsyncSubscription)
    opened.subscribe(on_lifecycle)
    opened.subscribe(on_any, event_id="all")
    assert_type(await subscription.close(), bool)
    assert_type(await subscription.drain(1), bool)
    async with opened.expect(domain, "stopped", timeout=1) as stopped:
        await domain.destroy()
    assert_type(stopped.event, LifecycleEvent)
    async for item in opened.events(event_id="all"):
        assert_type(item, DomainEvent | Gap)
    assert_type(await opened.close(), bool)
