# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, ask, command_line, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.definition import (
    Boot,
    BootDevice,
    Disk,
    DiskDevice,
    DomainDefinition,
    Features,
    FileSource,
    Firmware,
    Interface,
    LoaderType,
    UserNetwork,
)
from virevents.drivers.qemu.arguments.boot import boot_order, check_boot
from virevents.errors import UnsupportedDefinitionError

IMAGE: Final = FileSource(path="/image")
DEVICES: Final = replace(
    DEFINITION,
    disks=(
        Disk(target="hda", source=IMAGE),
        Disk(target="hdb", device=DiskDevice.CDROM, source=IMAGE),
        Disk(target="vda", source=IMAGE),
        Disk(target="fda", device=DiskDevice.FLOPPY, source=IMAGE),
    ),
    interfaces=(
        Interface(mac="52:54:00:00:00:01", network=UserNetwork()),
        Interface(mac="52:54:00:00:00:02", network=UserNetwork()),
    ),
)
FLASH: Final = replace(
    DEFINITION, loader="/code", loader_type=LoaderType.PFLASH, loader_readonly=True, nvram="/vars"
)


def kinds(*devices: BootDevice) -> DomainDefinition:
    return replace(DEVICES, boot=tuple(Boot(device=device) for device in devices))


def test_in_order() -> None:
    assert boot_order(DEVICES) == {"ide0-0-0": 1}
    every = kinds(BootDevice.NETWORK, BootDevice.CDROM, BootDevice.DISK, BootDevice.FLOPPY)
    assert boot_order(every) == {"net0": 1, "ide0-0-1": 2, "ide0-0-0": 3, "fdc0-0-0": 4}
    assert boot_order(kinds(BootDevice.DISK, BootDevice.DISK)) == {"ide0-0-0": 1}
    assert boot_order(replace(kinds(BootDevice.CDROM, BootDevice.DISK), disks=())) == {}
    stated = replace(
        DEVICES,
        disks=(replace(DEVICES.disks[0], boot_order=7), *DEVICES.disks[1:]),
        interfaces=(DEVICES.interfaces[0], replace(DEVICES.interfaces[1], boot_order=2)),
    )
    assert boot_order(stated) == {"ide0-0-0": 7, "net1": 2}
    made = [read_json(each) for each in options(stated, "-device")]
    assert {each["id"]: each["bootindex"] for each in made if "bootindex" in each} == {
        "ide0-0-0": 7,
        "net1": 2,
    }


def test_the_menu() -> None:
    definition = replace(
        DEFINITION, boot_menu=True, boot_menu_timeout_ms=3000, reboot_timeout_ms=5000
    )
    assert read_pairs(options(definition, "-boot")[0])[1] == {
        "menu": "on",
        "reboot-timeout": "5000",
        "splash-time": "3000",
        "strict": "on",
    }
    assert options(replace(definition, boot_menu=False), "-boot") == [
        "menu=off,reboot-timeout=5000,strict=on"
    ]


def test_a_kernel_has_arguments_of_its_own() -> None:
    definition = replace(DEFINITION, kernel="/k,1", initrd="/i", cmdline="-S a,b 'c'")
    made = command_line(definition)
    at = made.index("-kernel")
    assert made[at : at + 6] == ["-kernel", "/k,1", "-initrd", "/i", "-append", "-S a,b 'c'"]


@pytest.mark.qemu
def test_shown_by_qemu(tmp_path: Path) -> None:
    code, variables = tmp_path / "code,=", tmp_path / "vars"
    code.write_bytes(bytes(64 * 1024))
    variables.write_bytes(bytes(64 * 1024))
    definition = replace(FLASH, loader=str(code), nvram=str(variables))
    met = ask(definition, tmp_path, "query-block")
    shown = {}
    for row in met.rows(0):
        inserted = row["inserted"]
        assert isinstance(inserted, dict)
        shown[row["qdev"]] = (inserted["file"], inserted["ro"])
    assert sorted(shown.values()) == [(str(code), True), (str(variables), False)]


@pytest.mark.qemu
def test_shown_by_qemu_secure(tmp_path: Path) -> None:
    code, variables = tmp_path / "code", tmp_path / "vars"
    code.write_bytes(bytes(64 * 1024))
    variables.write_bytes(bytes(64 * 1024))
    definition = replace(
        FLASH,
        machine="q35",
        loader=str(code),
        nvram=str(variables),
        loader_secure=True,
        features=Features(acpi=True, smm=True),
    )
    ask(definition, tmp_path, "query-status")


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (replace(FLASH, features=Features()), "loader"),
        (replace(DEFINITION, firmware=Firmware.EFI, features=Features()), "loader"),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(UnsupportedDefinitionError) as caught:
        check_boot(changed)
    assert caught.value.element == element
    check_boot(DEVICES)
    check_boot(FLASH)
