# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, ask
from tests.drivers.qemu.harness import bench
from virevents.definition import (
    Channel,
    Console,
    ConsoleTarget,
    DomainDefinition,
    LiveFacts,
    NullEnd,
    Serial,
    SpiceGraphics,
    UnixEnd,
    VncGraphics,
    parse_definition,
    to_xml,
)
from virevents.drivers.qemu.arguments.ports import hold_free_port
from virevents.drivers.qemu.live import LiveTold
from virevents.model import Json

RICH = replace(
    DEFINITION,
    serials=(Serial(), Serial(end=NullEnd())),
    consoles=(Console(), Console(target=ConsoleTarget.VIRTIO)),
    channels=(Channel(end=UnixEnd(), name="a"), Channel(end=UnixEnd(path="/x"), name="b")),
    graphics=(VncGraphics(websocket=-1), SpiceGraphics()),
)


def learn(definition: DomainDefinition, folder: Path) -> tuple[LiveTold, list[str]]:
    """What is learnt of a real QEMU, and what it was asked."""
    live, asked = LiveTold(definition, folder / "channels"), []

    async def note(question: str) -> Json:
        asked.append(question)
        return None

    asyncio.run(live.learn(note))
    with ExitStack() as held:
        ports = {
            alias: {
                "port": hold_free_port("127.0.0.1", held),
                "websocket": hold_free_port("127.0.0.1", held, least=5700),
            }
            for alias in ("graphics0", "graphics1")
        }
        met = ask(definition, folder, *asked, ports=ports)
    answers = dict(zip(asked, met.answers, strict=True))

    async def answer(question: str) -> Json:
        return answers[question]

    asyncio.run(live.learn(answer))
    for alias, chosen in ports.items():
        shown = live.told.get(alias, {})
        assert shown.items() <= {f"@{what}": str(port) for what, port in chosen.items()}.items()
    return live, asked


@pytest.mark.qemu
def test_as_qemu_has_it(tmp_path: Path) -> None:
    definition = replace(RICH, channels=(RICH.channels[0],))
    live, _ = learn(definition, tmp_path)
    assert set(live.told) == {"serial0", "console1", "channel0", "graphics0", "graphics1"}
    assert live.told["serial0"]["source@path"].startswith("/dev/pts/")
    assert live.told["console1"] != live.told["serial0"]
    assert live.told["channel0"] == {"source@path": str(tmp_path / "channels" / "channel0.a")}
    assert set(live.told["graphics0"]) == set(live.told["graphics1"]) == {"@port"}


def test_same_definition() -> None:
    live = LiveTold(RICH, Path("/var/lib/virevents/qemu/run/3/channel/target"))
    live.add(
        {
            "serial0": {"source@path": "/dev/pts/1"},
            "console1": {"source@path": "/dev/pts/2"},
            "graphics0": {"@port": "5900"},
            "graphics1": {"@port": "5901"},
        }
    )
    shown = to_xml(RICH, live=LiveFacts(id=3, told=live.told))
    for told in live.told.values():
        assert all(f"'{value}'" in shown for value in told.values())
    assert parse_definition(shown) == RICH


def test_asks_for_little() -> None:
    async def never(question: str) -> Json:
        raise AssertionError(question)

    definition = replace(
        RICH,
        serials=RICH.serials[1:],
        consoles=(),
        graphics=(VncGraphics(port=5999, is_autoport=False),),
    )
    asyncio.run(LiveTold(definition, Path("/x")).learn(never))


@pytest.mark.qemu
def test_as_qemu_has_it_in_the_drivers_xml(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = web.define(graphics=(VncGraphics(),), serials=(Serial(),))
        inactive = web.driver.domain_xml(uuid)
        web.driver.start(uuid)
        live = web.driver.domain_xml(uuid)
        assert "<source path='/dev/pts/" in live
        assert "<alias name='serial0'/>" in live
        assert " port='59" in live
        assert parse_definition(live) == parse_definition(inactive)
        assert web.driver.domain_xml(uuid, inactive=True) == inactive
        web.driver.destroy(uuid)
        assert web.driver.domain_xml(uuid) == inactive
