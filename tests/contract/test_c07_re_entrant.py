# SPDX-License-Identifier: LGPL-2.1-or-later
"""C7 on the asyncio deliveries: the domain is looked up while eight threads change it."""

import asyncio
from collections.abc import Callable

import pytest

import virevents
from tests.connection.asyncio_runs import run, soon
from tests.contract.stage import URI, changing
from virevents import Gap, LifecycleEvent, aio

LOOK_UPS = 200


class Looker:
    """Looks the event's domain up, by every way there is, as often as the test wants."""

    def __init__(self, done: Callable[[], object]) -> None:
        self.states: list[str] = []
        self._done = done

    def note(self, event: LifecycleEvent, name: str, state: str) -> None:
        assert (event.domain.name, event.domain.id) == (name, 1)
        self.states.append(state)
        if len(self.states) == LOOK_UPS:
            self._done()

    def check(self) -> None:
        assert len(self.states) >= LOOK_UPS
        assert set(self.states) <= {"running", "paused"}


def look_up(conn: virevents.Connection, looker: Looker, event: LifecycleEvent) -> None:
    found = conn.lookup(event.domain.name)
    assert conn.lookup_uuid(event.domain.uuid) == found == conn.lookup_id(event.domain.id)
    assert found in conn.list()
    assert "<name>test</name>" in found.xml()
    looker.note(event, found.name, str(found.state().state))


async def look_up_async(conn: aio.Connection, looker: Looker, event: LifecycleEvent) -> None:
    found = await conn.lookup(event.domain.name)
    assert await conn.lookup_uuid(event.domain.uuid) == found
    looker.note(event, found.name, str((await found.state()).state))


def test_c7_look_up_in_a_callback_on_an_asyncio_loop() -> None:
    async def main() -> None:
        done = asyncio.Event()
        looker = Looker(done.set)
        conn = await asyncio.to_thread(virevents.open, URI)
        conn.subscribe(
            lambda event: look_up(conn, looker, event), delivery=asyncio.get_running_loop()
        )
        await _until(done)
        assert await soon(asyncio.to_thread(conn.close))
        looker.check()

    run(main)


@pytest.mark.parametrize("kind", ["coroutine", "stream"])
def test_c7_look_up_on_the_asyncio_face(kind: str) -> None:
    async def main() -> None:
        done = asyncio.Event()
        looker = Looker(done.set)
        async with aio.open(URI) as conn:

            async def consume() -> None:
                async for item in stream:
                    if not isinstance(item, Gap):
                        await look_up_async(conn, looker, item)

            if kind == "coroutine":
                conn.subscribe(lambda event: look_up_async(conn, looker, event))
                await _until(done)
            else:
                stream = conn.events()
                consuming = asyncio.create_task(consume())
                await _until(done)
                stream.close()
                await soon(consuming)
        looker.check()

    run(main)


async def _until(done: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    stop: asyncio.Event = done

    def change() -> None:
        with changing():
            asyncio.run_coroutine_threadsafe(stop.wait(), loop).result(20)

    await asyncio.to_thread(change)


def test_c7_look_up_in_every_hook(conn: virevents.Connection, domain: virevents.Domain) -> None:
    names: list[str] = []

    def fail(event: LifecycleEvent) -> None:
        raise ValueError(event)

    with changing(threads=2), conn.events() as events:
        subscription = conn.subscribe(
            fail,
            capacity=1,
            on_gap=lambda _: names.append(conn.lookup("test").name),
            on_error=lambda event, _: names.append(conn.lookup(event.domain.name).name),
            on_release=lambda: names.append(conn.lookup("test").name + " released"),
        )
        for _ in range(50):
            assert events.get(20) is not None
        assert subscription.drain(20)
        assert subscription.close()
    assert names.count("test released") == 1
    assert set(names) == {"test", "test released"}
