# SPDX-License-Identifier: LGPL-2.1-or-later
import socket
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import (
    DEFINITION,
    DEVICES,
    ask,
    command_line,
    options,
)
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.definition import (
    Channel,
    Console,
    ConsoleTarget,
    DomainDefinition,
    FileEnd,
    IsaAddress,
    NullEnd,
    PciAddress,
    PtyEnd,
    Serial,
    SerialTarget,
    SpiceEnd,
    SpiceGraphics,
    UnixEnd,
    UnixMode,
    VirtioSerialAddress,
)
from virevents.drivers.qemu.arguments.characters import AGENT, agent_socket, check_characters
from virevents.drivers.qemu.arguments.command_line import make_command_line
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.errors import InternalError, UnsupportedDefinitionError
from virevents.model import Json

AGENT_CHANNEL: Final = Channel(end=UnixEnd(), name=AGENT)


@pytest.mark.qemu
def test_shown_by_qemu(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "theirs"))
        listener.listen(1)
        definition = replace(
            DEFINITION,
            serials=(
                Serial(end=FileEnd(path=str(tmp_path / "a,b"), is_append=True)),
                Serial(end=UnixEnd(path=str(tmp_path / "ours"))),
                Serial(end=NullEnd(), address=IsaAddress(iobase=0x3E8, irq=4)),
                Serial(target=SerialTarget.PCI),
            ),
            consoles=(
                Console(),
                Console(target=ConsoleTarget.VIRTIO),
                Console(target=ConsoleTarget.VIRTIO, end=NullEnd()),
            ),
            channels=(
                AGENT_CHANNEL,
                Channel(
                    end=UnixEnd(mode=UnixMode.CONNECT, path=str(tmp_path / "theirs")),
                    name="other",
                    address=VirtioSerialAddress(port=5),
                ),
                Channel(end=SpiceEnd(), name="com.redhat.spice.0"),
            ),
            graphics=(SpiceGraphics(),),
        )
        met = ask(definition, tmp_path, "query-chardev", DEVICES)
    ends = {str(row["label"]): str(row["filename"]) for row in met.rows(0)}
    del ends["monitor"]
    terminals = {name for name, end in ends.items() if end.startswith("pty:/dev/pts/")}
    assert terminals == {"charserial3", "charconsole1"}
    assert ends["charserial0"] == "file"
    assert ends["charserial1"].startswith(f"disconnected:unix:{tmp_path}/ours,server=on")
    assert ends["charchannel0"].endswith(f"/channel0.{AGENT},server=on")
    assert ends["charchannel1"].startswith("unix:")
    assert ends["charchannel2"] == "spicevmc"
    assert ends["charconsole2"] == ends["charserial2"] == "null"
    found = met.devices(1)
    assert {
        name: found[name] for name in found if name[-1].isdigit() and "balloon" not in name
    } == {
        "channel0": "virtserialport",
        "channel1": "virtserialport",
        "channel2": "virtserialport",
        "console1": "virtconsole",
        "console2": "virtconsole",
        "serial0": "isa-serial",
        "serial1": "isa-serial",
        "serial2": "isa-serial",
        "serial3": "pci-serial",
        "virtio-serial0": "virtio-serial-pci",
    }


@pytest.mark.qemu
def test_shown_by_qemu_debug_port(tmp_path: Path) -> None:
    serial = Serial(target=SerialTarget.ISA_DEBUG, address=IsaAddress(iobase=0x402))
    met = ask(replace(DEFINITION, serials=(serial,)), tmp_path, DEVICES)
    assert met.devices(0)["serial0"] == "isa-debugcon"


def devices(definition: DomainDefinition) -> list[Json]:
    return [read_json(each)["driver"] for each in options(definition, "-device")][:-1]


def test_one_console() -> None:
    console, serial = Console(), Serial(end=NullEnd())
    assert devices(replace(DEFINITION, consoles=(console,))) == ["isa-serial"]
    assert devices(replace(DEFINITION, serials=(serial,))) == ["isa-serial"]
    both = replace(DEFINITION, serials=(serial,), consoles=(console,))
    assert devices(both) == ["isa-serial"]
    assert read_pairs(options(both, "-chardev")[1])[0] == "null"
    with pytest.raises(UnsupportedDefinitionError, match="Only the first console"):
        check_characters(replace(DEFINITION, consoles=(console, console)))


def test_a_console_alone_keeps_the_users_name() -> None:
    definition = replace(DEFINITION, consoles=(Console(alias="ua-tty"),))
    assert read_json(options(definition, "-device")[0])["id"] == "ua-tty"


def test_ports_are_given_once() -> None:
    definition = replace(
        DEFINITION,
        channels=(
            replace(AGENT_CHANNEL, name="a"),
            replace(AGENT_CHANNEL, name="b", address=VirtioSerialAddress(port=1)),
            replace(AGENT_CHANNEL, name="c", address=VirtioSerialAddress(controller=1)),
        ),
        consoles=(Console(target=ConsoleTarget.VIRTIO),),
    )
    made = [read_json(each) for each in options(definition, "-device")]
    ports = [(each["bus"], each["nr"]) for each in made if "nr" in each]
    assert ports == [
        ("virtio-serial0.0", 2),
        ("virtio-serial0.0", 1),
        ("virtio-serial1.0", 1),
        ("virtio-serial0.0", 3),
    ]


def test_agents_socket() -> None:
    channels = Path("/run/ch")
    assert agent_socket(DEFINITION, channels) is None
    definition = replace(DEFINITION, channels=(Channel(end=PtyEnd(), name="a"), AGENT_CHANNEL))
    where = agent_socket(definition, channels)
    assert where == channels / f"channel1.{AGENT}"
    made = dict(
        read_pairs(each) for each in options(definition, "-chardev", sockets={"channel1": 9})[1:]
    )
    assert made["socket"] == {"id": "charchannel1", "fd": "9", "server": "on", "wait": "off"}
    stated = replace(AGENT_CHANNEL, end=UnixEnd(path="/x"))
    assert agent_socket(replace(DEFINITION, channels=(stated,)), channels) == Path("/x")
    theirs = replace(AGENT_CHANNEL, end=UnixEnd(path="/x", mode=UnixMode.CONNECT))
    assert agent_socket(replace(DEFINITION, channels=(theirs,)), channels) is None


def test_agents_socket_is_opened_before() -> None:
    definition = replace(DEFINITION, channels=(AGENT_CHANNEL,))
    with pytest.raises(InternalError, match="no socket was opened for channel0"):
        make_command_line(definition, emulator="/q", resources=Resources(monitor_descriptor=5))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(DEFINITION, serials=(Serial(),) * 5), "number of ISA serial ports is '4'"),
        (replace(DEFINITION, serials=(Serial(port=4),)), "number of ISA serial ports is '4'"),
        (
            replace(DEFINITION, channels=(Channel(end=SpiceEnd(), name="x"),)),
            "'spicevmc' not supported without spice",
        ),
        (replace(DEFINITION, serials=(Serial(end=UnixEnd()),)), "the path of a socket"),
    ],
)
def test_named_refusal(changed: DomainDefinition, words: str) -> None:
    with pytest.raises(UnsupportedDefinitionError, match=words):
        check_characters(changed)


def test_an_address_that_there_is_not_is_refused() -> None:
    for changed, words in (
        (replace(DEFINITION, serials=(Serial(address=IsaAddress(irq=16)),)), "irq of at most 15"),
        (
            replace(
                DEFINITION,
                channels=(replace(AGENT_CHANNEL, address=VirtioSerialAddress(port=31)),),
            ),
            "a port that the controller has, met 31",
        ),
    ):
        with pytest.raises(UnsupportedDefinitionError, match=words):
            command_line(changed)


def test_an_address_of_another_kind_is_refused() -> None:
    for changed in (
        replace(DEFINITION, serials=(Serial(address=PciAddress()),)),
        replace(DEFINITION, channels=(replace(AGENT_CHANNEL, address=PciAddress()),)),
    ):
        with pytest.raises(UnsupportedDefinitionError, match="met PciAddress"):
            command_line(changed)
