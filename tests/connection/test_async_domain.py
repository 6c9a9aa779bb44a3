# SPDX-License-Identifier: LGPL-2.1-or-later
"""The asyncio handle has every method of the plain one, and each does the same."""

import asyncio
import inspect
from pathlib import Path

import pytest

import virevents
from tests.connection.asyncio_runs import run
from tests.connection.harness import PATIENCE, WEB1, Hypervisor
from virevents import LifecycleEvent, aio
from virevents.errors import InvalidArgumentError, OperationTimeoutError, StateError
from virevents.model import Lifecycle
from virevents.model.lifecycle import StoppedDetail

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


def test_no_thread_held(hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def main() -> None:
        async with aio.open("fake:///one") as conn:
            web1 = await conn.lookup("web1")
            monkeypatch.setattr(
                hypervisor.driver, "shutdown", lambda *given, **named: asked.append((given, named))
            )
            waiting = [
                asyncio.create_task(web1.shutdown(timeout=PATIENCE, force=True)) for _ in range(20)
            ]
            while len(asked) < 20:
                await web1.suspend()  # a call that needs a thread
            hypervisor.driver.state.push(_stopped())
            await asyncio.gather(*waiting)

    run(main)
    assert asked == [((WEB1.uuid,), {"timeout": None, "force": False})] * 20


def _stopped() -> LifecycleEvent:
    return LifecycleEvent(WEB1, Lifecycle.STOPPED, StoppedDetail.SHUTDOWN, 0.0)


@pytest.mark.parametrize("outcome", ["told", "destroyed", "off meanwhile"])
def test_a_guest_that_does_not_obey_is_told_of_or_destroyed(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    destroyed: list[str] = []

    def destroy(uuid: str, *, graceful: bool) -> None:
        destroyed.append(uuid)
        if outcome == "off meanwhile":
            raise StateError("domain is not running", state="shutoff", required="running")

    async def main() -> None:
        async with aio.open("fake:///one") as conn:
            web1 = await conn.lookup("web1")
            monkeypatch.setattr(hypervisor.driver, "shutdown", lambda *_, **__: None)
            monkeypatch.setattr(hypervisor.driver, "destroy", destroy)
            if outcome == "told":
                text = r"domain web1 did not shut down within 0\.01 s"
                with pytest.raises(OperationTimeoutError, match=text):
                    await web1.shutdown(timeout=0.01)
            else:
                await web1.shutdown(timeout=0.01, force=True)

    run(main)
    assert destroyed == ([] if outcome == "told" else [WEB1.uuid])


def test_a_shutdown_that_is_refused_is_not_waited_for() -> None:
    async def main() -> None:
        async with aio.open("test:///default") as conn:
            test = await conn.lookup("test")
            await test.shutdown(timeout=PATIENCE)
            with pytest.raises(StateError, match="not running"):
                await test.shutdown(timeout=PATIENCE)
            with pytest.raises(InvalidArgumentError, match="expected a timeout"):
                await test.shutdown(force=True)

    run(main)


def test_handles_are_equal_by_connection_and_uuid() -> None:
    async def main() -> None:
        async with aio.open("test:///default") as conn:
            first, second = await conn.lookup("test"), await conn.lookup_id(1)
            assert first == second
            assert hash(first) == hash(second)
            assert first != "test"
            assert repr(first) == "<aio <Domain test 6695eb01-f6a4-8304-79aa-97f2502e193f>>"

    run(main)
