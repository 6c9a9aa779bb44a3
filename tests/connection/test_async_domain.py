# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio handle has every method of the plain one, and each does the same."""

import inspect
from pathlib import Path

import pytest

import virevents
from tests.connection.asyncio_runs import run
from tests.connection.harness import WEB1, Hypervisor
from virevents import aio

XML = (
    "<domain type='test'><name>web9</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
    "<memory>1024</memory><os><type>hvm</type></os></domain>"
)


def test_it_has_what_the_plain_handle_has() -> None:
    for name, plain in inspect.getmembers(virevents.Domain):
        if name.startswith("_") or name == "connection":
            continue
        asynchronous = getattr(aio.Domain, name)
        if inspect.isfunction(plain):
            assert inspect.iscoroutinefunction(asynchronous), name
            assert inspect.signature(asynchronous) == inspect.signature(plain), name
        else:
            assert not inspect.iscoroutinefunction(asynchronous), name


def test_every_verb_reaches_the_driver(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open("test:///default") as conn:
            web9 = await conn.define(XML)
            met: list[object] = [
                (web9.name, web9.id, web9.is_active, web9.is_persistent, web9.uuid[:8])
            ]
            assert met == [("web9", -1, False, True, "11111111")]
            await web9.rename("web10")
            await web9.start()
            await web9.suspend()
            assert str((await web9.state()).state) == "paused"
            await web9.resume()
            await web9.reboot()
            await web9.reset()
            await web9.core_dump(str(tmp_path / "core"))
            assert "web10" in await web9.xml()
            assert "web10" in await web9.xml(inactive=True)
            await web9.managed_save()
            assert web9.has_managed_save
            await web9.managed_save_remove()
            await web9.start()
            await web9.save(str(tmp_path / "saved"))
            await web9.start()
            await web9.shutdown()
            await web9.start()
            await web9.destroy()
            await web9.undefine()
            assert {domain.name for domain in await conn.list()} == {"test"}

    run(main)


def test_it_is_autostarted_until_it_is_not() -> None:
    async def main() -> None:
        async with aio.open("test:///default") as conn:
            web9 = await conn.define(XML)
            await web9.set_autostart()
            was = web9.is_autostarted
            await web9.set_autostart(on=False)
            assert (was, web9.is_autostarted) == (True, False)

    run(main)


def test_a_guests_sleep_is_awaited(hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def main() -> None:
        async with aio.open("fake:///one") as conn:
            web1 = await conn.lookup("web1")
            for name in ("pm_suspend", "pm_wakeup"):
                monkeypatch.setattr(hypervisor.driver, name, lambda *given: asked.append(given))
            await web1.pm_suspend("disk")
            await web1.pm_wakeup()

    run(main)
    assert asked == [(WEB1.uuid, virevents.SleepMode.DISK), (WEB1.uuid,)]


def test_handles_are_equal_by_connection_and_uuid() -> None:
    async def main() -> None:
        async with aio.open("test:///default") as conn:
            first, second = await conn.lookup("test"), await conn.lookup_id(1)
            assert first == second
            assert hash(first) == hash(second)
            assert first != "test"
            assert repr(first) == "<aio <Domain test 6695eb01-f6a4-8304-79aa-97f2502e193f>>"

    run(main)
