# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask, make_image, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json
from virevents.definition import (
    Channel,
    Controller,
    ControllerKind,
    ControllerModel,
    Disk,
    DiskBus,
    DiskDevice,
    DriveAddress,
    FileSource,
    Input,
    InputKind,
    PciAddress,
    PtyEnd,
    VirtioSerialAddress,
)
from virevents.drivers.qemu.arguments.controllers import check_controllers, controllers_of
from virevents.errors import UnsupportedDefinitionError

PCI, USB, SCSI = ControllerKind.PCI, ControllerKind.USB, ControllerKind.SCSI


def controller(
    kind: ControllerKind, index: int = 0, model: ControllerModel | None = None
) -> Controller:
    return Controller(kind=kind, index=index, model=model)


@pytest.mark.qemu
def test_every_bus(tmp_path: Path) -> None:
    """Nobody names a controller, and each device has the one that it needs."""
    image = make_image(tmp_path / "disk")
    source = FileSource(path=str(image))
    definition = replace(
        DEFINITION,
        disks=(
            Disk(target="hda", source=source, is_readonly=False, is_shareable=True),
            Disk(target="sda", bus=DiskBus.SATA, source=source, is_shareable=True),
            Disk(target="sdb", bus=DiskBus.SCSI, source=source, is_shareable=True),
            Disk(target="fda", device=DiskDevice.FLOPPY),
        ),
        inputs=(Input(kind=InputKind.TABLET),),
        channels=(
            Channel(end=PtyEnd(), name="a"),
            Channel(end=PtyEnd(), name="b", address=VirtioSerialAddress(controller=1)),
        ),
    )
    made = [(each.kind, each.index) for each in controllers_of(definition)]
    assert sorted(made) == sorted(
        [
            (ControllerKind.IDE, 0),
            (ControllerKind.SATA, 0),
            (ControllerKind.SCSI, 0),
            (ControllerKind.FDC, 0),
            (ControllerKind.USB, 0),
            (ControllerKind.VIRTIO_SERIAL, 0),
            (ControllerKind.VIRTIO_SERIAL, 1),
        ]
    )
    found = ask(definition, tmp_path, DEVICES).devices(0)
    assert found["sata0"] == "ich9-ahci"
    assert found["scsi0"] == "lsi53c895a"
    assert found["usb"] == "piix3-usb-uhci"
    assert found["virtio-serial1"] == "virtio-serial-pci"


@pytest.mark.qemu
def test_every_bus_of_q35(tmp_path: Path) -> None:
    """What virt-install writes of PCI: ports without addresses, in one slot for eight of them."""
    ports = tuple(controller(PCI, n, ControllerModel.PCIE_ROOT_PORT) for n in range(1, 15))
    definition = replace(
        DEFINITION,
        machine="q35",
        controllers=(
            controller(PCI, 0, ControllerModel.PCIE_ROOT),
            *ports,
            controller(PCI, 15, ControllerModel.PCIE_TO_PCI_BRIDGE),
            controller(PCI, 16, ControllerModel.DMI_TO_PCI_BRIDGE),
            controller(PCI, 17, ControllerModel.PCI_BRIDGE),
            controller(USB, 0, ControllerModel.QEMU_XHCI),
            controller(SCSI, 0, ControllerModel.VIRTIO_SCSI),
            controller(ControllerKind.SATA, 1),
            controller(ControllerKind.FDC, 0),
        ),
    )
    made = {each["id"]: each for each in map(read_json, options(definition, "-device"))}
    assert [made[f"pci.{n}"]["addr"] for n in (1, 2, 8, 9)] == ["0x1", "0x1.0x1", "0x1.0x7", "0x2"]
    assert [made[f"pci.{n}"].get("multifunction") for n in (1, 2, 9)] == [True, None, True]
    assert made["usb"]["bus"] == "pci.2"
    found = ask(definition, tmp_path, DEVICES).devices(0)
    assert {name: found[name] for name in ("pci.1", "pci.15", "pci.16", "pci.17")} == {
        "pci.1": "pcie-root-port",
        "pci.15": "pcie-pci-bridge",
        "pci.16": "i82801b11-bridge",
        "pci.17": "pci-bridge",
    }
    assert found["usb"] == "qemu-xhci"
    assert found["sata1"] == "ich9-ahci"
    assert found["fdc0"] == "isa-fdc"


@pytest.mark.qemu
def test_every_bus_of_every_model(tmp_path: Path) -> None:
    models = [
        (USB, ControllerModel.PIIX3_UHCI),
        (USB, ControllerModel.PIIX4_UHCI),
        (USB, ControllerModel.EHCI),
        (USB, ControllerModel.NEC_XHCI),
        (SCSI, ControllerModel.VIRTIO_SCSI),
        (SCSI, ControllerModel.VIRTIO_TRANSITIONAL),
        (SCSI, ControllerModel.VIRTIO_NON_TRANSITIONAL),
        (SCSI, ControllerModel.LSILOGIC),
        (SCSI, ControllerModel.LSISAS1068),
        (SCSI, ControllerModel.LSISAS1078),
        (ControllerKind.VIRTIO_SERIAL, ControllerModel.VIRTIO),
        (ControllerKind.VIRTIO_SERIAL, ControllerModel.VIRTIO_TRANSITIONAL),
        (ControllerKind.VIRTIO_SERIAL, ControllerModel.VIRTIO_NON_TRANSITIONAL),
    ]
    definition = replace(
        DEFINITION,
        controllers=tuple(controller(kind, at, model) for at, (kind, model) in enumerate(models)),
    )
    found = ask(definition, tmp_path, DEVICES).devices(0)
    assert [found[f"scsi{at}"] for at in range(4, 10)] == [
        "virtio-scsi-pci",
        "virtio-scsi-pci-transitional",
        "virtio-scsi-pci-non-transitional",
        "lsi53c895a",
        "mptsas1068",
        "megasas",
    ]
    assert found["virtio-serial12"] == "virtio-serial-pci-non-transitional"
    assert found["usb3"] == "nec-usb-xhci"


@pytest.mark.qemu
def test_intels_usb_has_its_companions_in_one_slot(tmp_path: Path) -> None:
    companion = Controller(kind=USB, index=0, model=ControllerModel.ICH9_UHCI1, master_port=0)
    definition = replace(
        DEFINITION,
        controllers=(
            companion,
            replace(companion, model=ControllerModel.ICH9_UHCI2, master_port=2),
            replace(companion, model=ControllerModel.ICH9_UHCI3, master_port=4),
            controller(USB, 0, ControllerModel.ICH9_EHCI1),
        ),
        inputs=(Input(kind=InputKind.TABLET),),
    )
    made = [read_json(each) for each in options(definition, "-device")]
    assert [each.get("addr") for each in made[:4]] == ["0x2.0x7", "0x2", "0x2.0x1", "0x2.0x2"]
    assert ask(definition, tmp_path, DEVICES).devices(0)["usb"] == "ich9-usb-ehci1"


def test_once() -> None:
    """A controller that is named is not made again for the device that needs it."""
    definition = replace(
        DEFINITION,
        controllers=(controller(SCSI, 0, ControllerModel.VIRTIO_SCSI), controller(USB)),
        disks=(
            Disk(target="sda", bus=DiskBus.SCSI, source=FileSource(path="/a")),
            Disk(
                target="sdb",
                bus=DiskBus.SCSI,
                source=FileSource(path="/a"),
                address=DriveAddress(controller=2),
            ),
        ),
        inputs=(Input(kind=InputKind.TABLET),),
    )
    made = [(each.kind, each.index, each.model) for each in controllers_of(definition)]
    assert made == [
        (SCSI, 0, ControllerModel.VIRTIO_SCSI),
        (USB, 0, None),
        (SCSI, 2, None),
    ]


def test_an_address_is_kept() -> None:
    usb = replace(controller(USB, 0, ControllerModel.PIIX3_UHCI), address=PciAddress(slot=9))
    made = options(replace(DEFINITION, controllers=(usb,)), "-device")
    assert read_json(made[0])["addr"] == "0x9"
    made = options(replace(DEFINITION, controllers=(replace(usb, address=None),)), "-device")
    assert read_json(made[0])["addr"] == "0x1.0x2"


@pytest.mark.parametrize(
    ("machine", "refused", "words"),
    [
        ("q35", controller(ControllerKind.IDE), "IDE controllers are unsupported"),
        ("pc", controller(ControllerKind.IDE, 1), "Only a single IDE controller"),
        ("pc", controller(ControllerKind.FDC, 1), "Only a single fdc controller"),
        ("pc", controller(PCI, 0, ControllerModel.PCIE_ROOT), "model pci-root"),
        ("q35", controller(PCI, 0, ControllerModel.PCI_ROOT), "model pcie-root"),
        ("q35", controller(PCI, 2, ControllerModel.PCIE_ROOT), "met index 2"),
        ("pc", controller(PCI, 0, ControllerModel.PCI_BRIDGE), "at index 0, met pci-bridge"),
        ("pc", controller(PCI, 1, ControllerModel.PCIE_ROOT_PORT), "a machine with PCI Express"),
        ("pc", controller(PCI, 1), "expected a model"),
        ("pc", controller(PCI, 256, ControllerModel.PCI_BRIDGE), "at most 255, met 256"),
        ("pc", controller(USB, 0, ControllerModel.ICH9_UHCI1), "expected its master"),
        (
            "pc",
            Controller(kind=ControllerKind.VIRTIO_SERIAL, index=0, ports=512),
            "at most 511 ports",
        ),
    ],
)
def test_named_refusal(machine: str, refused: Controller, words: str) -> None:
    definition = replace(DEFINITION, machine=machine, controllers=(refused,))
    with pytest.raises(UnsupportedDefinitionError, match=words) as caught:
        check_controllers(definition)
    assert caught.value.element == "controller"
    assert caught.value.code == 67
