# SPDX-License-Identifier: LGPL-2.1-or-later
import json
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.definition import DomainDefinition, DomainType, LifecycleAction
from virevents.drivers.qemu.command_line import (
    check_supported,
    find_emulator,
    make_command_line,
)
from virevents.drivers.qemu.resources import Resources
from virevents.errors import DefinitionError
from virevents.testing.guests import GUESTS

PATIENCE: Final = 10.0
DEFINITION: Final = DomainDefinition(
    name="web1",
    uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
    memory_kib=8192,
    current_memory_kib=8192,
    domain_type=DomainType.QEMU,
)
EMULATOR: Final = "/usr/bin/qemu-system-x86_64"


def command_line(definition: DomainDefinition) -> list[str]:
    return make_command_line(
        definition, emulator=EMULATOR, resources=Resources(monitor_descriptor=5)
    )


def test_the_whole_of_it() -> None:
    definition = replace(DEFINITION, loader="/guests/a.bin", vcpus=2)
    assert command_line(definition) == [
        EMULATOR,
        *("-S", "-no-user-config", "-nodefaults", "-display", "none"),
        *("-name", "guest=web1,debug-threads=on"),
        *("-uuid", "6695eb01-f6a4-8304-79aa-97f2502e193f"),
        *("-machine", "pc", "-accel", "tcg"),
        *("-m", "size=8192k", "-smp", "2"),
        *("-chardev", "socket,id=monitor,fd=5,server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=control"),
        *("-bios", "/guests/a.bin"),
    ]


def test_a_reboot_that_is_to_be_the_end_is() -> None:
    definition = replace(DEFINITION, on_reboot=LifecycleAction.DESTROY)
    assert command_line(definition)[-2:] == ["-action", "reboot=shutdown"]


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_no_smuggling(name: str, path: str) -> None:
    try:
        definition = replace(DEFINITION, name=name, loader="/" + path)
    except DefinitionError:
        return
    plain = command_line(replace(DEFINITION, loader="/x"))
    made = command_line(definition)
    assert len(made) == len(plain)
    differing = [at for at, argument in enumerate(made) if argument != plain[at]]
    assert {made[at - 1] for at in differing} <= {"-name", "-bios"}
    value = made[made.index("-name") + 1].removeprefix("guest=")
    assert value.replace(",,", "").count(",") == 1


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["a,b", "a,,b,", ",process=x", "-S", "guest=x", "ü ö,=ß"])
def test_no_smuggling_past_a_real_qemu(name: str, tmp_path: Path) -> None:
    directory = tmp_path / "a,b=c,,d"
    directory.mkdir()
    loader = str(GUESTS["rom-idle"].write(directory))
    definition = replace(DEFINITION, name=name, loader=loader, vcpus=2)
    ours, theirs = socket.socketpair()
    arguments = make_command_line(
        definition,
        emulator=find_emulator(definition),
        resources=Resources(monitor_descriptor=theirs.fileno()),
    )
    # A connected socket in the place of the listening one: this test is about the arguments.
    chardev = arguments.index("-chardev") + 1
    arguments[chardev] = arguments[chardev].removesuffix(",server=on,wait=off")
    with subprocess.Popen(arguments, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        ours.settimeout(PATIENCE)
        with ours, ours.makefile("rwb") as stream:
            for command in ("qmp_capabilities", "query-name", "query-uuid", "quit"):
                stream.write(json.dumps({"execute": command}).encode())
            stream.flush()
            answers = [json.loads(line) for line in stream]
        assert process.wait(PATIENCE) == 0
    returned = [answer["return"] for answer in answers if "return" in answer]
    assert returned[1:3] == [{"name": name}, {"UUID": definition.uuid}]


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (replace(DEFINITION, domain_type=DomainType.TEST), "domain@type"),
        (replace(DEFINITION, arch="aarch64"), "type@arch"),
        (replace(DEFINITION, on_poweroff=LifecycleAction.PRESERVE), "on_poweroff"),
        (replace(DEFINITION, on_reboot=LifecycleAction.PRESERVE), "on_reboot"),
        (replace(DEFINITION, on_crash=LifecycleAction.RESTART), "on_crash"),
        (replace(DEFINITION, current_memory_kib=4096), "currentMemory"),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(DefinitionError, match=f"<{element}>: the qemu driver expected") as caught:
        check_supported(changed)
    assert caught.value.element == element


def test_what_is_supported_passes() -> None:
    check_supported(DEFINITION)
    check_supported(replace(DEFINITION, arch="x86_64", on_reboot=LifecycleAction.DESTROY))


def test_named_refusal_of_an_emulator_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="Cannot check QEMU binary /nowhere/qemu") as caught:
        find_emulator(replace(DEFINITION, emulator="/nowhere/qemu"))
    assert caught.value.element == "emulator"
    with pytest.raises(DefinitionError):
        find_emulator(replace(DEFINITION, emulator=str(tmp_path)))


def test_the_emulator_may_be_named() -> None:
    assert find_emulator(replace(DEFINITION, emulator="/bin/sh")) == "/bin/sh"
