# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION
from virevents.drivers.qemu.arguments.mainboards import check_machine, is_express, machine_of
from virevents.errors import UnsupportedDefinitionError


@pytest.mark.parametrize(
    ("machine", "express"),
    [
        (None, False),
        ("pc", False),
        ("pc-i440fx-7.2", False),
        ("pc-i440fx-focal", False),
        ("pc-1.3", False),
        ("q35", True),
        ("pc-q35-7.2", True),
        ("pc-q35-noble-v2", True),
    ],
)
def test_by_name(machine: str | None, *, express: bool) -> None:
    definition = replace(DEFINITION, machine=machine)
    check_machine(definition)
    assert is_express(definition) is express
    assert machine_of(definition) == (machine or "pc")


@pytest.mark.parametrize(("machine", "most"), [("pc", 255), ("q35", 288)])
def test_room_for_processors(machine: str, most: int) -> None:
    check_machine(replace(DEFINITION, machine=machine, vcpus=most))
    with pytest.raises(UnsupportedDefinitionError, match=f"machine type limit {most}"):
        check_machine(replace(DEFINITION, machine=machine, vcpus=most + 1))


@pytest.mark.parametrize(
    "machine", ["isapc", "microvm", "none", "xpc", "pcx", "q35x", "q3", "x.q35"]
)
def test_others_are_refused(machine: str) -> None:
    with pytest.raises(UnsupportedDefinitionError, match=f"met {machine}") as caught:
        check_machine(replace(DEFINITION, machine=machine))
    assert caught.value.element == "type@machine"
