# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serial ports, consoles and channels, and what each is connected to.

It stands apart because one kind of end serves all three, and because its options are pairs, in
which a path must not end itself.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_characters.py``:
    shown_by_qemu    QEMU shows every device with its end
    one_console      a console that is the first serial port by another name makes none
    agents_socket    the guest agent's socket is where the driver looks for it
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from virevents.definition import (
    AnyAddress,
    AnyEnd,
    Channel,
    Console,
    ConsoleTarget,
    ControllerKind,
    DomainDefinition,
    FileEnd,
    IsaAddress,
    NullEnd,
    PtyEnd,
    Serial,
    SerialTarget,
    SpiceEnd,
    SpiceGraphics,
    UnixEnd,
    UnixMode,
    VirtioSerialAddress,
    aliases,
)
from virevents.drivers.qemu.arguments.options import Pairs, in_json, in_pairs
from virevents.drivers.qemu.arguments.pci import Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece, check_address
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.usb import on_usb
from virevents.errors import InternalError, UnsupportedDefinitionError
from virevents.model import Json

__all__ = [
    "AGENT",
    "agent_socket",
    "channel_socket",
    "check_characters",
    "make_characters",
    "needs_socket",
]

AGENT: Final = "org.qemu.guest_agent.0"
"""The name by which the guest's agent finds its channel."""

_ISA_PORTS: Final = 4
_ISA_IRQ_MAX: Final = 15
# Of a virtio-serial controller that does not say how many it has.
_VIRTIO_PORTS: Final = 31
_ISA_TARGETS: Final = (None, SerialTarget.ISA)
# The one that SPICE's own agent listens on, by the name that QEMU has for it.
_SERVER: Final[Pairs] = {"server": True, "wait": False}
_SPICE_AGENT: Final = "vdagent"


def check_characters(definition: DomainDefinition) -> None:
    """Refuse what no QEMU can be told.

    Raises:
        UnsupportedDefinitionError: Consoles or ends that there are not.
    """
    serials = [each for each in definition.consoles[1:] if _is_serial(each)]
    if serials:
        _refuse("console", "Only the first console can be a serial port")
    isa = [each for each in enumerate(definition.serials) if each[1].target in _ISA_TARGETS]
    ports = [at if serial.port is None else serial.port for at, serial in isa]
    if any(port >= _ISA_PORTS for port in ports) or len(set(ports)) < len(ports):
        _refuse("target@port", f"Maximum supported number of ISA serial ports is '{_ISA_PORTS}'")
    has_spice = any(isinstance(each, SpiceGraphics) for each in definition.graphics)
    needs_spice = any(isinstance(each.end, SpiceEnd) for each in definition.channels)
    if needs_spice and not has_spice:
        _refuse("channel@type", "chardev 'spicevmc' not supported without spice graphics")
    ends = [*(each.end for each in definition.serials), *(each.end for each in definition.consoles)]
    for end in ends:
        if isinstance(end, UnixEnd) and end.path is None:
            _refuse("source@path", "expected the path of a socket, met none")


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(text, element=element)


def make_characters(definition: DomainDefinition, resources: Resources) -> Iterator[Piece]:
    """The serial ports, the consoles, then the channels."""
    names = aliases(definition)
    for position, (serial, alias) in enumerate(_serials(definition)):
        yield from _serial(definition, serial, alias, position)
    ports = _Ports(definition)
    for channel, alias in zip(definition.channels, names["channels"], strict=True):
        yield from _channel(channel, alias, ports, resources)
    for console, alias in zip(definition.consoles, names["consoles"], strict=True):
        if not _is_serial(console):
            yield from _console(console, alias, ports)


def _is_serial(console: Console) -> bool:
    return console.target in {None, ConsoleTarget.SERIAL}


def _serials(definition: DomainDefinition) -> list[tuple[Serial, str]]:
    """The serial ports with their names; the first console is one where there are none."""
    names = aliases(definition)
    if not definition.serials and definition.consoles and _is_serial(definition.consoles[0]):
        first = definition.consoles[0]
        return [(Serial(address=first.address, end=first.end), names["consoles"][0])]
    return list(zip(definition.serials, names["serials"], strict=True))


def _serial(
    definition: DomainDefinition, serial: Serial, alias: str, position: int
) -> Iterator[Piece]:
    backend = f"char{alias}"
    yield _end(serial.end, backend)
    told: dict[str, Json] = {"chardev": backend, "id": alias}
    port = position if serial.port is None else serial.port
    match serial.target:
        case SerialTarget.USB:
            place = on_usb(definition, alias, serial.address)
            yield in_json("-device", {"driver": "usb-serial", **told, **place})
        case SerialTarget.PCI:
            yield PciDevice(
                properties={"driver": "pci-serial", **told},
                stated=serial.address,
                fit=Fit.CONVENTIONAL,
            )
        case SerialTarget.ISA_DEBUG:
            place = _isa(serial.address)
            yield in_json(
                "-device", {"driver": "isa-debugcon", **told, "iobase": place.get("iobase")}
            )
        case _:
            place = _isa(serial.address)
            yield in_json("-device", {"driver": "isa-serial", **told, "index": port, **place})


def _isa(address: AnyAddress | None) -> dict[str, Json]:
    check_address(address, IsaAddress)
    if not isinstance(address, IsaAddress):
        return {}
    if address.irq is not None and address.irq > _ISA_IRQ_MAX:
        _refuse("address@irq", f"expected an irq of at most {_ISA_IRQ_MAX}, met {address.irq}")
    return {"iobase": address.iobase, "irq": address.irq}


class _Ports:
    """The ports of the virtio-serial controllers; confined to one making of an argument list."""

    def __init__(self, definition: DomainDefinition) -> None:
        self._counts: Final = {
            each.index: each.ports or _VIRTIO_PORTS
            for each in definition.controllers
            if each.kind is ControllerKind.VIRTIO_SERIAL
        }
        self._taken: Final[set[tuple[int, int]]] = set()
        for device in (*definition.channels, *definition.consoles):
            at = device.address
            if isinstance(at, VirtioSerialAddress) and at.port is not None:
                self._taken.add((at.controller, at.port))

    def place(self, device: Channel | Console) -> dict[str, Json]:
        """The bus and number of a device; the next free number where none is stated."""
        check_address(device.address, VirtioSerialAddress)
        at = device.address
        controller, port = 0, None
        if isinstance(at, VirtioSerialAddress):
            controller, port = at.controller, at.port
        if port is None:
            # Port 0 is kept for a console of old guests.
            port = 1
            while (controller, port) in self._taken:
                port += 1
            self._taken.add((controller, port))
        if port >= self._counts.get(controller, _VIRTIO_PORTS):
            _refuse("address@port", f"expected a port that the controller has, met {port}")
        return {"bus": f"virtio-serial{controller}.0", "nr": port}


def _channel(channel: Channel, alias: str, ports: _Ports, resources: Resources) -> Iterator[Piece]:
    backend = f"char{alias}"
    if needs_socket(channel):
        if alias not in resources.sockets:
            raise InternalError(f"no socket was opened for {alias}")
        told: Pairs = {"id": backend, "fd": resources.sockets[alias], **_SERVER}
        yield in_pairs("-chardev", "socket", told)
    else:
        yield _end(channel.end, backend)
    yield in_json(
        "-device",
        {
            "driver": "virtserialport",
            **ports.place(channel),
            "chardev": backend,
            "id": alias,
            "name": channel.name,
        },
    )


def _console(console: Console, alias: str, ports: _Ports) -> Iterator[Piece]:
    backend = f"char{alias}"
    yield _end(console.end, backend)
    place = ports.place(console)
    yield in_json("-device", {"driver": "virtconsole", **place, "chardev": backend, "id": alias})


def needs_socket(channel: Channel) -> bool:
    """Whether the driver opens its socket: it is to be one, and names no path of its own."""
    return isinstance(channel.end, UnixEnd) and channel.end.path is None


def channel_socket(channel: Channel, alias: str, channels: Path) -> Path:
    """The socket of a channel that names no path of its own, in the folder *channels*.

    It ends in the channel's name, by which the definition knows that it is no wish of the user's.
    """
    return channels / (alias if channel.name is None else f"{alias}.{channel.name}")


def agent_socket(definition: DomainDefinition, channels: Path) -> Path | None:
    """The socket on which the guest's agent is reached; None if the definition has none.

    Args:
        definition: The one that the QEMU was started with.
        channels: The folder of its channels' sockets.
    """
    names = aliases(definition)["channels"]
    for channel, alias in zip(definition.channels, names, strict=True):
        end = channel.end
        if channel.name == AGENT and isinstance(end, UnixEnd) and end.mode is UnixMode.BIND:
            return channel_socket(channel, alias, channels) if end.path is None else Path(end.path)
    return None


def _end(end: AnyEnd, backend: str) -> list[str]:
    kind, pairs = _told(end)
    return in_pairs("-chardev", kind, {"id": backend, **pairs})


def _told(end: AnyEnd) -> tuple[str, Pairs]:
    match end:
        case PtyEnd():
            return "pty", {}
        case NullEnd():
            return "null", {}
        case FileEnd():
            return "file", {"path": end.path, "append": end.is_append}
        case SpiceEnd():
            return "spicevmc", {"name": _SPICE_AGENT}
        case UnixEnd():
            server = _SERVER if end.mode is UnixMode.BIND else {}
            return "socket", {"path": end.path, **server}
