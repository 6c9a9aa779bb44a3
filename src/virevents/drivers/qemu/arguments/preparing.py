# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start makes ready on the host before there is a QEMU, and lets go of afterwards.

It stands apart because all of it may fail for reasons of the host's, and because taps and ports
are held by this process only until QEMU has them.

Locking:
    None. Called under the domain's turn; blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_preparing.py``:
    missing_first   a file that is not there is told before any process is made
    nothing_behind  whatever fails, no descriptor stays open
    all_that_is_told the argument list finds every tap and port that it names
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from virevents.definition import (
    BridgeNetwork,
    DomainDefinition,
    Interface,
    SpiceGraphics,
    TapNetwork,
    VncGraphics,
    aliases,
)
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.arguments.characters import channel_socket, needs_socket
from virevents.drivers.qemu.arguments.command_line import make_command_line
from virevents.drivers.qemu.arguments.firmware import make_variables, resolve_firmware
from virevents.drivers.qemu.arguments.ports import hold_free_port
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.screens import listen_address
from virevents.drivers.qemu.arguments.support import check_startable, find_emulator
from virevents.drivers.qemu.arguments.taps import open_tap
from virevents.drivers.qemu.confinement import Confinement
from virevents.errors import HostError

__all__ = ["Prepared", "prepared"]

_WEBSOCKET_PORT_MIN: Final = 5700


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A start that may begin.

    Attributes:
        definition: What the QEMU runs by: the domain's, with the files of its firmware named.
        emulator: The program.
        taps: See `Resources`.
        ports: See `Resources`.
        told: What QEMU will not tell of itself, the taps' names, by alias and by its place in the
            XML of the running domain.
        held: Lets go of all that was opened for it; closed when the block ends.
    """

    definition: DomainDefinition
    emulator: str
    taps: Mapping[str, int]
    ports: Mapping[str, Mapping[str, int]]
    told: Mapping[str, Mapping[str, str]]
    held: ExitStack

    def command_line(
        self, *, monitor_descriptor: int, channels: Path, is_incoming: bool
    ) -> tuple[list[str], tuple[int, ...]]:
        """The argument list, and the descriptors that QEMU inherits beside the monitor's.

        Args:
            monitor_descriptor: See `Resources`.
            channels: The folder of its channels' sockets, which are opened here.
            is_incoming: See `Resources`.

        Raises:
            OSError: A socket cannot be made.
        """
        listeners = dict(self._listen(channels))
        resources = Resources(
            monitor_descriptor=monitor_descriptor,
            sockets=listeners,
            is_incoming=is_incoming,
            taps=self.taps,
            ports=self.ports,
        )
        arguments = make_command_line(self.definition, emulator=self.emulator, resources=resources)
        return arguments, (*self.taps.values(), *listeners.values())

    def _listen(self, channels: Path) -> Iterator[tuple[str, int]]:
        names = aliases(self.definition)["channels"]
        for channel, alias in zip(self.definition.channels, names, strict=True):
            if needs_socket(channel):
                listener = sockets.listen(channel_socket(channel, alias, channels))
                self.held.callback(listener.close)
                yield alias, listener.fileno()


@contextmanager
def prepared(
    definition: DomainDefinition, *, variables: Path, confinement: Confinement
) -> Iterator[Prepared]:
    """Make ready what a start needs; the block starts QEMU and sees it up.

    Args:
        definition: What is to be started.
        variables: The folder of the firmware's variables that have no path of the definition's.
        confinement: As whom QEMU runs.

    Raises:
        UnsupportedDefinitionError: It can be defined, but not started here.
        HostError: A file, a program, a bridge or a port is not to be had.
        OperationFailedError: No firmware fits.
    """
    check_startable(definition)
    emulator = find_emulator(definition)
    live = resolve_firmware(definition, variables)
    _check_images(live)
    make_variables(live, confinement)
    with ExitStack() as held:
        told: dict[str, dict[str, str]] = {}
        taps = dict(_open_taps(live, held, told))
        ports = dict(_hold_ports(live, held))
        yield Prepared(
            definition=live, emulator=emulator, taps=taps, ports=ports, told=told, held=held
        )


def _check_images(definition: DomainDefinition) -> None:
    """Say that an image is missing by its path, not by what QEMU prints of it."""
    for disk in definition.disks:
        if disk.source.path is None:
            continue
        try:
            Path(disk.source.path).stat()
        except OSError as error:
            raise HostError(
                f"Cannot access storage file '{disk.source.path}': {error.strerror}"
            ) from error


def _open_taps(
    definition: DomainDefinition, held: ExitStack, told: dict[str, dict[str, str]]
) -> Iterator[tuple[str, int]]:
    names = aliases(definition)["interfaces"]
    for interface, alias in zip(definition.interfaces, names, strict=True):
        opened = _open_tap(interface)
        if opened is not None:
            descriptor, name = opened
            held.callback(os.close, descriptor)
            told[alias] = {"target@dev": name}
            yield alias, descriptor


def _open_tap(interface: Interface) -> tuple[int, str] | None:
    network = interface.network
    if isinstance(network, BridgeNetwork):
        return open_tap(network.device, bridge=network.bridge, mac=interface.mac)
    if isinstance(network, TapNetwork):
        if network.is_managed is False and not _is_there(network.device):
            raise HostError("target managed='no' but specified dev doesn't exist")
        return open_tap(network.device, bridge=None, mac=interface.mac)
    return None


def _is_there(device: str | None) -> bool:
    return device in {name for _, name in socket.if_nameindex()}


def _hold_ports(
    definition: DomainDefinition, held: ExitStack
) -> Iterator[tuple[str, Mapping[str, int]]]:
    names = aliases(definition)["graphics"]
    for graphics, alias in zip(definition.graphics, names, strict=True):
        chosen = dict(_choose(graphics, held))
        yield alias, chosen


def _choose(graphics: VncGraphics | SpiceGraphics, held: ExitStack) -> Iterator[tuple[str, int]]:
    address = listen_address(graphics)
    if address is None:
        return
    if graphics.port == -1:
        yield "port", hold_free_port(address, held)
    if isinstance(graphics, VncGraphics) and graphics.websocket == -1:
        yield "websocket", hold_free_port(address, held, least=_WEBSOCKET_PORT_MIN)
