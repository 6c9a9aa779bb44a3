# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask, make_image
from virevents.definition import (
    Controller,
    ControllerKind,
    ControllerModel,
    Disk,
    DiskBus,
    FileSource,
    Input,
    InputBus,
    InputKind,
    PciAddress,
    Redirection,
    Serial,
    SerialTarget,
    Sound,
    SoundModel,
    SpiceGraphics,
    UsbAddress,
)
from virevents.drivers.qemu.arguments.support import check_supported
from virevents.drivers.qemu.arguments.usb import on_usb
from virevents.errors import UnsupportedDefinitionError


@pytest.mark.qemu
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_every_device(machine: str, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk")
    definition = replace(
        DEFINITION,
        machine=machine,
        controllers=(
            Controller(kind=ControllerKind.USB, index=1, model=ControllerModel.QEMU_XHCI, ports=8),
        ),
        inputs=(
            Input(kind=InputKind.TABLET),
            Input(kind=InputKind.MOUSE, bus=InputBus.USB, address=UsbAddress(bus=1, port="2")),
            Input(kind=InputKind.KEYBOARD, bus=InputBus.USB, address=UsbAddress(bus=1)),
        ),
        disks=(
            Disk(
                target="sda",
                bus=DiskBus.USB,
                source=FileSource(path=str(image)),
                removable=True,
                address=UsbAddress(bus=1, port="1"),
            ),
        ),
        serials=(Serial(target=SerialTarget.USB),),
        sounds=(Sound(model=SoundModel.USB, address=UsbAddress(bus=1)),),
        graphics=(SpiceGraphics(),),
        redirections=(Redirection(address=UsbAddress(bus=1)),),
    )
    met = ask(definition, tmp_path, DEVICES)
    found = met.devices(0)
    assert {name: found[name] for name in sorted(found) if name != "balloon0"} == {
        "input0": "usb-tablet",
        "input1": "usb-mouse",
        "input2": "usb-kbd",
        "redir0": "usb-redir",
        "serial0": "usb-serial",
        "sound0": "usb-audio",
        "usb": {"pc": "piix3-usb-uhci", "q35": "qemu-xhci"}[machine],
        "usb-disk0": "usb-storage",
        "usb1": "qemu-xhci",
    }


def test_every_device_needs_a_controller_that_there_is() -> None:
    none = Controller(kind=ControllerKind.USB, index=0, model=ControllerModel.NONE)
    definition = replace(DEFINITION, controllers=(none,), inputs=(Input(kind=InputKind.TABLET),))
    with pytest.raises(UnsupportedDefinitionError, match="USB bus is disabled"):
        check_supported(definition)


def test_another_address_is_refused() -> None:
    with pytest.raises(UnsupportedDefinitionError, match="expected UsbAddress, met PciAddress"):
        on_usb(DEFINITION, "input0", PciAddress())


def test_stated_first() -> None:
    definition = replace(
        DEFINITION,
        inputs=(
            Input(kind=InputKind.TABLET),
            Input(kind=InputKind.MOUSE, bus=InputBus.USB),
            Input(kind=InputKind.KEYBOARD, bus=InputBus.USB, address=UsbAddress(port="1")),
        ),
    )
    # The chip of "pc" has two ports; for what comes then QEMU plugs in a hub.
    ports = [on_usb(definition, f"input{n}", definition.inputs[n].address) for n in range(3)]
    assert [port["port"] for port in ports] == ["2", None, "1"]
