# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, ask, get
from virevents.definition import Balloon, BalloonModel, Interface, LinkState, UserNetwork
from virevents.drivers.qemu.arguments.settings import settings_of
from virevents.model import Json

CARD = Interface(mac="52:54:00:00:00:01", network=UserNetwork(), link=LinkState.DOWN)


@pytest.mark.qemu
def test_obeyed(tmp_path: Path) -> None:
    definition = replace(
        DEFINITION,
        current_memory_kib=4096,
        interfaces=(CARD,),
        balloon=Balloon(model=BalloonModel.VIRTIO, stats_period=5),
    )
    commands = list(settings_of(definition, is_incoming=False))
    assert [command for command, _ in commands] == ["set_link", "qom-set", "balloon"]
    questions: list[dict[str, Json]] = [
        {"execute": command, "arguments": dict(told)} for command, told in commands
    ]
    met = ask(
        definition,
        tmp_path,
        *questions,
        get("/machine/peripheral/balloon0", "guest-stats-polling-interval"),
    )
    assert met.answers[-1] == 5


def test_what_a_saved_state_brings_is_left_alone() -> None:
    definition = replace(DEFINITION, current_memory_kib=4096, interfaces=(CARD,))
    assert [command for command, _ in settings_of(definition, is_incoming=True)] == ["set_link"]


def test_nothing_to_say() -> None:
    assert list(settings_of(DEFINITION, is_incoming=False)) == []
    none = replace(DEFINITION, balloon=Balloon(model=BalloonModel.NONE), current_memory_kib=1)
    assert list(settings_of(none, is_incoming=False)) == []
