# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask, make_image, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json
from virevents.definition import (
    BlockSource,
    Controller,
    ControllerKind,
    ControllerModel,
    Disk,
    DiskBus,
    DiskCache,
    DiskDevice,
    DiskDiscard,
    DiskErrorPolicy,
    DiskFormat,
    DiskIo,
    DiskReadErrorPolicy,
    DriveAddress,
    FileSource,
    PciAddress,
    UsbAddress,
)
from virevents.drivers.qemu.arguments.disks import check_disks
from virevents.errors import DefinitionError, UnsupportedDefinitionError
from virevents.model import Json

IMAGE: Final = FileSource(path="/image")
VIRTIO_SCSI: Final = Controller(
    kind=ControllerKind.SCSI, index=0, model=ControllerModel.VIRTIO_SCSI
)


def device_of(disk: Disk, *controllers: Controller) -> dict[str, Json]:
    definition = replace(DEFINITION, disks=(disk,), controllers=controllers)
    made = [read_json(each) for each in options(definition, "-device")]
    return next(each for each in made if "drive" in each)


def nodes_of(disk: Disk) -> list[dict[str, Json]]:
    definition = replace(DEFINITION, disks=(disk,))
    return [read_json(each) for each in options(definition, "-blockdev")]


@pytest.mark.qemu
def test_shown_by_qemu(tmp_path: Path) -> None:
    files = [make_image(tmp_path / f"disk{at}") for at in range(8)]
    grown = make_image(tmp_path / "grown", DiskFormat.QCOW2)
    sources = [FileSource(path=str(each)) for each in files]
    definition = replace(
        DEFINITION,
        controllers=(VIRTIO_SCSI,),
        disks=(
            Disk(target="hda", source=sources[0]),
            Disk(target="hdc", device=DiskDevice.CDROM, source=sources[1]),
            Disk(target="sda", bus=DiskBus.SATA, source=sources[2]),
            Disk(
                target="vda",
                source=FileSource(path=str(grown)),
                format=DiskFormat.QCOW2,
                cache=DiskCache.NONE,
                io=DiskIo.NATIVE,
                discard=DiskDiscard.UNMAP,
                serial="abc 1",
            ),
            Disk(target="sdb", bus=DiskBus.SCSI, source=sources[4]),
            Disk(target="sdc", bus=DiskBus.SCSI, device=DiskDevice.CDROM),
            Disk(target="fda", device=DiskDevice.FLOPPY, source=sources[5]),
            Disk(target="sdd", bus=DiskBus.USB, source=sources[6]),
            Disk(
                target="vdb",
                source=sources[7],
                is_readonly=True,
                cache=DiskCache.WRITETHROUGH,
                address=PciAddress(slot=0x1D),
            ),
        ),
    )
    met = ask(definition, tmp_path, "query-block", DEVICES)
    shown = {}
    for row in met.rows(0):
        inserted = row.get("inserted")
        if isinstance(inserted, dict):
            cache = inserted["cache"]
            assert isinstance(cache, dict)
            facts = (inserted["node-name"], inserted["drv"], inserted["ro"], cache["direct"])
            shown[inserted["file"]] = facts
    assert shown == {
        str(files[0]): ("disk0-format", "raw", False, False),
        str(files[1]): ("disk1-format", "raw", True, False),
        str(files[2]): ("disk2-format", "raw", False, False),
        str(grown): ("disk3-format", "qcow2", False, True),
        str(files[4]): ("disk4-format", "raw", False, False),
        str(files[5]): ("disk6-format", "raw", False, False),
        str(files[6]): ("disk7-format", "raw", False, False),
        str(files[7]): ("disk8-format", "raw", True, False),
    }
    found = met.devices(1)
    assert {name: found[name] for name in found if "balloon" not in name} == {
        "fdc0-0-0": "floppy",
        "ide0-0-0": "ide-hd",
        "ide0-1-0": "ide-cd",
        "sata0": "ich9-ahci",
        "sata0-0-0": "ide-hd",
        "scsi0": "virtio-scsi-pci",
        "scsi0-0-0-1": "scsi-hd",
        "scsi0-0-0-2": "scsi-cd",
        "usb": "piix3-usb-uhci",
        "usb-disk3": "usb-storage",
        "virtio-disk0": "virtio-blk-pci",
        "virtio-disk1": "virtio-blk-pci",
    }


@pytest.mark.qemu
@pytest.mark.parametrize("bus", [bus for bus in DiskBus if bus is not DiskBus.FDC])
@pytest.mark.parametrize("policy", DiskErrorPolicy)
def test_shown_by_qemu_with_each_policy(
    bus: DiskBus, policy: DiskErrorPolicy, tmp_path: Path
) -> None:
    target = {"ide": "hda", "virtio": "vda"}.get(bus, "sda")
    disk = Disk(
        target=target,
        bus=bus,
        source=FileSource(path=str(make_image(tmp_path / "disk"))),
        error_policy=policy,
        cache=list(DiskCache)[list(DiskErrorPolicy).index(policy)],
        serial="s",
        boot_order=1,
    )
    ask(replace(DEFINITION, disks=(disk,)), tmp_path)


@pytest.mark.qemu
@pytest.mark.parametrize("model", [None, *list(ControllerModel)])
def test_shown_by_qemu_on_each_scsi_controller(
    model: ControllerModel | None, tmp_path: Path
) -> None:
    if model is not None and "scsi" not in model and "lsi" not in model and "virt" not in model:
        return
    definition = replace(
        DEFINITION,
        controllers=(Controller(kind=ControllerKind.SCSI, index=0, model=model),),
        disks=(
            Disk(
                target="sda",
                bus=DiskBus.SCSI,
                source=FileSource(path=str(make_image(tmp_path / "disk"))),
            ),
        ),
    )
    ask(definition, tmp_path)


@pytest.mark.qemu
def test_shown_by_qemu_a_block_device(tmp_path: Path) -> None:
    """Whether there is a block device to try it on or not, QEMU is told to take it for one."""
    made = nodes_of(Disk(target="vda", source=BlockSource(path="/dev/vg/a")))
    assert [each["driver"] for each in made] == ["host_device", "raw"]
    made = nodes_of(
        Disk(target="hdc", device=DiskDevice.CDROM, source=BlockSource(path="/dev/sr0"))
    )
    assert made[0]["driver"] == "host_cdrom"


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        (Disk(target="vda", source=IMAGE), False),
        (Disk(target="vda", source=IMAGE, is_readonly=True), True),
        (Disk(target="hda", source=IMAGE, device=DiskDevice.CDROM), True),
        (Disk(target="fda", source=IMAGE, device=DiskDevice.FLOPPY), False),
    ],
)
def test_readonly(disk: Disk, *, expected: bool) -> None:
    assert [each["read-only"] for each in nodes_of(disk)] == [expected, expected]


@pytest.mark.parametrize(
    ("cache", "direct", "no_flush", "write_cache"),
    [
        (DiskCache.NONE, True, False, "on"),
        (DiskCache.WRITETHROUGH, False, False, "off"),
        (DiskCache.WRITEBACK, False, False, "on"),
        (DiskCache.DIRECTSYNC, True, False, "off"),
        (DiskCache.UNSAFE, False, True, "on"),
    ],
)
def test_what_libvirt_means_by_each_cache(
    cache: DiskCache, *, direct: bool, no_flush: bool, write_cache: str
) -> None:
    disk = Disk(target="vda", source=IMAGE, cache=cache)
    expected = {"direct": direct, "no-flush": no_flush}
    assert [each["cache"] for each in nodes_of(disk)] == [expected, expected]
    assert device_of(disk)["write-cache"] == write_cache


def test_no_word_of_the_cache_is_qemus_own_choice() -> None:
    for cache in (None, DiskCache.DEFAULT):
        disk = Disk(target="vda", source=IMAGE, cache=cache)
        assert not any("cache" in each for each in nodes_of(disk))
        assert "write-cache" not in device_of(disk)
        shared = replace(disk, is_shareable=True)
        assert all(each["cache"] for each in nodes_of(shared))
        assert device_of(shared)["share-rw"] is True


@pytest.mark.parametrize(
    ("write", "read", "werror", "rerror"),
    [
        (None, None, None, None),
        (DiskErrorPolicy.STOP, None, "stop", "stop"),
        (DiskErrorPolicy.REPORT, None, "report", "report"),
        (DiskErrorPolicy.IGNORE, DiskReadErrorPolicy.STOP, "ignore", "stop"),
        (DiskErrorPolicy.ENOSPACE, None, "enospc", None),
        (None, DiskReadErrorPolicy.REPORT, None, "report"),
    ],
)
def test_what_libvirt_means_by_each_policy(
    write: DiskErrorPolicy | None,
    read: DiskReadErrorPolicy | None,
    werror: str | None,
    rerror: str | None,
) -> None:
    device = device_of(Disk(target="vda", source=IMAGE, error_policy=write, rerror_policy=read))
    assert (device.get("werror"), device.get("rerror")) == (werror, rerror)


def test_where_each_disk_sits() -> None:
    def place(disk: Disk, *controllers: Controller) -> list[Json]:
        device = device_of(disk, *controllers)
        keys = ("bus", "unit", "channel", "scsi-id", "lun")
        return [device[key] for key in keys if key in device]

    assert place(Disk(target="hdd", source=IMAGE)) == ["ide.1", 1]
    assert place(Disk(target="sdc", bus=DiskBus.SATA, source=IMAGE)) == ["sata0.2"]
    assert place(Disk(target="sdc", bus=DiskBus.SCSI, source=IMAGE)) == ["scsi0.0", 2]
    at = DriveAddress(controller=0, bus=1, target=2, unit=3)
    disk = Disk(target="sdc", bus=DiskBus.SCSI, source=IMAGE, address=at)
    assert place(disk, VIRTIO_SCSI) == ["scsi0.0", 1, 2, 3]
    assert place(Disk(target="fdb", device=DiskDevice.FLOPPY, source=IMAGE)) == [1]
    usb = Disk(target="sda", bus=DiskBus.USB, source=IMAGE, address=UsbAddress(port="1.2"))
    assert device_of(usb)["port"] == "1.2"
    q35 = replace(
        DEFINITION,
        machine="q35",
        disks=(Disk(target="sdb", bus=DiskBus.SATA, source=IMAGE),),
    )
    assert '"bus":"ide.1"' in options(q35, "-device")[0]


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (Disk(target="vda", source=IMAGE, io=DiskIo.NATIVE), "io='native' needs either no"),
        (
            Disk(target="vda", device=DiskDevice.CDROM, source=IMAGE),
            "does not support ejectable media",
        ),
        (Disk(target="hda", device=DiskDevice.FLOPPY), "Invalid bus type 'ide' for floppy"),
        (Disk(target="fda", source=IMAGE), "Invalid bus type 'fdc' for disk"),
        (Disk(target="hda", source=IMAGE, is_readonly=True), "readonly ide disks are not"),
        (
            Disk(target="sda", bus=DiskBus.SCSI, source=IMAGE, address=DriveAddress(unit=7)),
            "unit 0 to 6 of the scsi controller for sda, met bus 0, target 0, unit 7",
        ),
        (Disk(target="hda", source=IMAGE, address=DriveAddress(bus=2)), "met bus 2"),
        (Disk(target="hda", source=IMAGE, address=PciAddress()), "expected type='drive'"),
    ],
)
def test_named_refusal(disk: Disk, words: str) -> None:
    with pytest.raises(UnsupportedDefinitionError, match=words) as caught:
        check_disks(replace(DEFINITION, disks=(disk,)))
    assert caught.value.element is not None
    assert caught.value.code == 67


def test_named_refusal_of_what_is_no_definition() -> None:
    disk = Disk(target="hda", source=IMAGE, removable=True)
    with pytest.raises(DefinitionError, match="removable is only valid for usb") as caught:
        check_disks(replace(DEFINITION, disks=(disk,)))
    assert caught.value.code == 27


def test_named_refusal_of_one_place_for_two() -> None:
    first = Disk(target="hda", source=IMAGE, address=DriveAddress(unit=1))
    with pytest.raises(UnsupportedDefinitionError, match=r"duplicate drive address for .*'hdb'"):
        check_disks(replace(DEFINITION, disks=(first, Disk(target="hdb", source=IMAGE))))
