# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only a running domain has to tell of its devices: terminals, sockets, ports, taps.

It stands apart from the definition, which says none of it, and from the life of the domain,
which does not depend on it. QEMU is asked when it was started and when it was found again, never
when somebody looks: a look must not wait for a QEMU that hangs.

Locking:
    None. `LiveTold.told` is replaced whole by the loop thread, and by the start before that.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_live.py``:
    as_qemu_has_it   terminals, ports and sockets are those that QEMU has
    same_definition  what is told makes no other definition of the XML
    asks_for_little  QEMU is asked nothing that the definition gives no reason for
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from virevents.definition import (
    DomainDefinition,
    PtyEnd,
    SpiceGraphics,
    UnixEnd,
    VncGraphics,
    aliases,
)
from virevents.drivers.qemu.arguments import channel_socket
from virevents.model import Json

__all__ = ["LiveTold"]

_Told = Mapping[str, Mapping[str, str]]

_CHARDEVS: Final = "query-chardev"
_VNC: Final = "query-vnc-servers"
_SPICE: Final = "query-spice"
# Before the alias of a line's device in the name of its end.
_END: Final = "char"
_TERMINAL: Final = "pty:"


class LiveTold:
    """What the devices of one run tell.

    Args:
        definition: What the QEMU runs by.
        channels: The folder of the sockets of channels that name no path of their own.
    """

    def __init__(self, definition: DomainDefinition, channels: Path) -> None:
        self._definition: Final = definition
        # published: replaced whole by one thread at a time, read without
        self.told: _Told = dict(_sockets(definition, channels))

    def add(self, told: _Told) -> None:
        """Add what the start chose, by alias and by place in the XML."""
        self.told = {**self.told, **told}

    async def learn(self, execute: Callable[[str], Awaitable[Json]]) -> None:
        """Ask QEMU for the rest; raises what *execute* raises."""
        for question in _questions(self._definition):
            self.add(dict(_READERS[question](self._definition, await execute(question))))


def _questions(definition: DomainDefinition) -> Iterator[str]:
    ends = [
        *(each.end for each in definition.serials),
        *(each.end for each in definition.consoles),
        *(each.end for each in definition.channels),
    ]
    if any(isinstance(end, PtyEnd) for end in ends):
        yield _CHARDEVS
    for kind, question in ((VncGraphics, _VNC), (SpiceGraphics, _SPICE)):
        if any(isinstance(each, kind) and each.port == -1 for each in definition.graphics):
            yield question


def _sockets(
    definition: DomainDefinition, channels: Path
) -> Iterator[tuple[str, Mapping[str, str]]]:
    names = aliases(definition)["channels"]
    for channel, alias in zip(definition.channels, names, strict=True):
        if isinstance(channel.end, UnixEnd) and channel.end.path is None:
            yield alias, {"source@path": str(channel_socket(channel, alias, channels))}


def _terminals(
    definition: DomainDefinition, answer: Json
) -> Iterator[tuple[str, Mapping[str, str]]]:
    del definition
    for row in _rows(answer):
        label, filename = row.get("label"), row.get("filename")
        if isinstance(label, str) and isinstance(filename, str) and filename.startswith(_TERMINAL):
            yield label.removeprefix(_END), {"source@path": filename.removeprefix(_TERMINAL)}


def _vnc(definition: DomainDefinition, answer: Json) -> Iterator[tuple[str, Mapping[str, str]]]:
    """QEMU has one server at most, which also listens for websockets.

    Their port is not told: read back, it would be one that the definition asks for.
    """
    listeners = [each for row in _rows(answer) for each in _rows(row.get("server"))]
    ports = [str(each.get("service")) for each in listeners if not each.get("websocket")]
    names = aliases(definition)["graphics"]
    for graphics, alias in zip(definition.graphics, names, strict=True):
        if isinstance(graphics, VncGraphics) and ports:
            yield alias, {"@port": ports[0]}


def _spice(definition: DomainDefinition, answer: Json) -> Iterator[tuple[str, Mapping[str, str]]]:
    port = answer.get("port") if isinstance(answer, dict) else None
    names = aliases(definition)["graphics"]
    for graphics, alias in zip(definition.graphics, names, strict=True):
        if isinstance(graphics, SpiceGraphics) and port is not None:
            yield alias, {"@port": str(port)}


def _rows(answer: Json) -> Iterator[Mapping[str, Json]]:
    for row in answer if isinstance(answer, list) else []:
        if isinstance(row, dict):
            yield row


_Reader = Callable[[DomainDefinition, Json], Iterator[tuple[str, Mapping[str, str]]]]
_READERS: Final[Mapping[str, _Reader]] = {
    _CHARDEVS: _terminals,
    _VNC: _vnc,
    _SPICE: _spice,
}
