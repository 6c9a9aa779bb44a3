# SPDX-License-Identifier: LGPL-2.1-or-later
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, make_image
from virevents.definition import (
    BridgeNetwork,
    Channel,
    Cpu,
    CpuMode,
    Disk,
    DiskDevice,
    DomainDefinition,
    FileSource,
    Interface,
    NoListen,
    SpiceGraphics,
    TapNetwork,
    UnixEnd,
    VncGraphics,
)
from virevents.drivers.qemu.arguments import preparing
from virevents.drivers.qemu.arguments.preparing import prepared
from virevents.drivers.qemu.confinement import UNCONFINED
from virevents.drivers.qemu.sockets import connect
from virevents.errors import HostError, UnsupportedDefinitionError

CARD = Interface(mac="52:54:00:00:00:01", network=BridgeNetwork(bridge="br0"))


def open_descriptors() -> set[str]:
    """What they are, not their numbers."""
    return {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()}


def try_it(definition: DomainDefinition, folder: Path) -> None:
    with prepared(definition, variables=folder, confinement=UNCONFINED):
        pass


def test_missing_first(tmp_path: Path) -> None:
    for disk in (
        Disk(target="vda", source=FileSource(path=str(tmp_path / "nothing"))),
        Disk(
            target="hda", device=DiskDevice.CDROM, source=FileSource(path=str(tmp_path / "nothing"))
        ),
    ):
        with pytest.raises(
            HostError, match=r"Cannot access storage file '.*/nothing': No such file or directory"
        ) as caught:
            try_it(replace(DEFINITION, disks=(disk,)), tmp_path)
        assert caught.value.code == 38
    image = FileSource(path=str(make_image(tmp_path / "disk")))
    there = replace(
        DEFINITION,
        disks=(Disk(target="vda", source=image), Disk(target="hda", device=DiskDevice.CDROM)),
    )
    try_it(there, tmp_path)


def test_missing_first_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedDefinitionError, match="host-passthrough"):
        try_it(replace(DEFINITION, cpu=Cpu(mode=CpuMode.HOST_PASSTHROUGH)), tmp_path)
    with pytest.raises(HostError, match="Cannot check QEMU binary"):
        try_it(replace(DEFINITION, emulator="/nowhere"), tmp_path)
    own = replace(CARD, network=TapNetwork(device="nowhere0", is_managed=False))
    with pytest.raises(HostError, match="target managed='no' but specified dev doesn't exist"):
        try_it(replace(DEFINITION, interfaces=(own,)), tmp_path)


def test_all_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_tap(name: str | None, *, bridge: str | None, mac: str | None) -> tuple[int, str]:
        asked.append((name, bridge, mac))
        return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), name or "vnet7"

    asked: list[tuple[str | None, str | None, str | None]] = []
    monkeypatch.setattr(preparing, "open_tap", open_tap)
    definition = replace(
        DEFINITION,
        interfaces=(CARD, replace(CARD, network=TapNetwork(device="tap3"))),
        graphics=(VncGraphics(websocket=-1), SpiceGraphics()),
    )
    with prepared(definition, variables=tmp_path, confinement=UNCONFINED) as ready:
        assert asked == [(None, "br0", CARD.mac), ("tap3", None, CARD.mac)]
        arguments, descriptors = ready.command_line(
            monitor_descriptor=5, channels=tmp_path, is_incoming=True
        )
        assert list(descriptors) == list(ready.taps.values())
        assert len(set(descriptors)) == 2
        assert arguments[arguments.index("-incoming") + 1] == "defer"
        ports = ready.ports
        assert ready.told == {
            "net0": {"target@dev": "vnet7"},
            "net1": {"target@dev": "tap3"},
        }
        assert set(ports["graphics0"]) == {"port", "websocket"}
        assert ports["graphics0"]["port"] != ports["graphics1"]["port"]


def test_all_that_is_told_sockets(tmp_path: Path) -> None:
    """However deep the folder is: a socket's path has room for 107 bytes only."""
    channels = tmp_path / ("deep" * 30)
    channels.mkdir()
    definition = replace(
        DEFINITION,
        channels=(
            Channel(end=UnixEnd(), name="a"),
            Channel(end=UnixEnd(path=str(tmp_path / "b")), name="b"),
        ),
    )
    with prepared(definition, variables=tmp_path, confinement=UNCONFINED) as ready:
        _, descriptors = ready.command_line(
            monitor_descriptor=5, channels=channels, is_incoming=False
        )
        assert len(descriptors) == 1
        assert [path.name for path in channels.iterdir()] == ["channel0.a"]
        connect(channels / "channel0.a").close()
    with pytest.raises(ConnectionRefusedError):
        connect(channels / "channel0.a")


def test_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_tap(name: str | None, *, bridge: str | None, mac: str | None) -> tuple[int, str]:
        if bridge is None:
            raise HostError("no more taps")
        return os.open("/dev/zero", os.O_RDWR | os.O_CLOEXEC), "vnet0"

    monkeypatch.setattr(preparing, "open_tap", open_tap)
    before = open_descriptors()
    definition = replace(DEFINITION, interfaces=(CARD,), graphics=(VncGraphics(),))
    with prepared(definition, variables=tmp_path, confinement=UNCONFINED):
        assert "/dev/zero" in open_descriptors()
    assert open_descriptors() == before
    more = replace(definition, interfaces=(CARD, replace(CARD, network=TapNetwork())))
    with pytest.raises(HostError, match="no more taps"):
        try_it(more, tmp_path)
    assert open_descriptors() == before


def test_no_port_where_nobody_listens(tmp_path: Path) -> None:
    definition = replace(DEFINITION, graphics=(VncGraphics(listen=NoListen()),))
    with prepared(definition, variables=tmp_path, confinement=UNCONFINED) as ready:
        assert ready.ports == {"graphics0": {}}
