# SPDX-License-Identifier: LGPL-2.1-or-later
"""Character devices: serial ports, consoles, channels, and what each is connected to.

They stand apart because the three share their ends, of which each kind has facts of its own.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import Facts, Told, at, part
from virevents.definition.kinds import NUMBER, ON_OFF, PATH, Only, Pattern, Words

__all__ = [
    "AnyEnd",
    "Channel",
    "Console",
    "ConsoleTarget",
    "FileEnd",
    "NullEnd",
    "PtyEnd",
    "Serial",
    "SerialModel",
    "SerialTarget",
    "SpiceEnd",
    "UnixEnd",
    "UnixMode",
]


class UnixMode(StrEnum):
    """Who makes the socket: QEMU listens on it, or connects to it."""

    BIND = "bind"
    CONNECT = "connect"


class SerialTarget(StrEnum):
    """The kind of a serial port."""

    ISA = "isa-serial"
    USB = "usb-serial"
    PCI = "pci-serial"
    ISA_DEBUG = "isa-debug"


class SerialModel(StrEnum):
    """The device behind a serial port."""

    ISA = "isa-serial"
    USB = "usb-serial"
    PCI = "pci-serial"
    ISA_DEBUG = "isa-debugcon"


class ConsoleTarget(StrEnum):
    """The kind of a console; ``serial`` is the first serial port by another name."""

    SERIAL = "serial"
    VIRTIO = "virtio"


@dataclass(frozen=True, slots=True, kw_only=True)
class PtyEnd(Facts):
    """A pseudo-terminal that QEMU makes."""

    IS_REFUSAL: ClassVar[bool] = True
    TAG: ClassVar[str] = "source"
    TOLD: ClassVar[Mapping[str, Told]] = {"source@path": Told(PATH, "the pseudo-terminal")}


@dataclass(frozen=True, slots=True, kw_only=True)
class NullEnd(Facts):
    """Nothing: output is lost, there is no input."""

    TAG: ClassVar[str] = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnd(Facts):
    """A file that takes the output."""

    TAG: ClassVar[str] = "source"

    path: str = field(metadata=at("source@path", PATH, "the file"))
    is_append: bool | None = field(
        default=None, metadata=at("source@append", ON_OFF, "on: keep what is in it")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixEnd(Facts):
    """A Unix socket."""

    TAG: ClassVar[str] = "source"

    mode: UnixMode = field(
        default=UnixMode.BIND, metadata=at("source@mode", Words(UnixMode), "who makes the socket")
    )
    path: str | None = field(
        default=None,
        metadata=at("source@path", PATH, "the socket; none: the driver's choice (channels only)"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiceEnd(Facts):
    """SPICE's own agent: it needs SPICE graphics."""

    TAG: ClassVar[str] = "source"


AnyEnd = PtyEnd | NullEnd | FileEnd | UnixEnd | SpiceEnd

_ENDS: Final[Mapping[str, type[Facts]]] = {
    "pty": PtyEnd,
    "unix": UnixEnd,
    "file": FileEnd,
    "null": NullEnd,
}
_CHANNEL_ENDS: Final[Mapping[str, type[Facts]]] = {**_ENDS, "spicevmc": SpiceEnd}
# As libvirt's: .../channel/target/domain-1-web/NAME, .../channel/target/web.NAME, and since 9.7
# .../channel/1-web/NAME.
_CHOSEN: Final = re.compile("/channel(/target)?(/[^/]+)?$")
# Ours may be shorter, since a socket's path has little room: .../channel/channel0.
_SHORT: Final = re.compile("channel[0-9]+")
_CHANNEL_NAME: Final = Pattern("a word of letters, digits and '_.+-'", "[A-Za-z0-9_.+-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial(Device):
    """``<serial>``: a serial port."""

    TAG: ClassVar[str] = "serial"

    end: PtyEnd | NullEnd | FileEnd | UnixEnd = field(
        default=PtyEnd(), metadata=part(".", _ENDS, "what it is connected to", key="@type")
    )
    target: SerialTarget | None = field(
        default=None, metadata=at("target@type", Words(SerialTarget), "its kind; none: isa-serial")
    )
    port: int | None = field(
        default=None, metadata=at("target@port", NUMBER, "its number; none: the next one")
    )
    model: SerialModel | None = field(
        default=None, metadata=at("target/model@name", Words(SerialModel), "the device behind it")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Console(Device):
    """``<console>``: where the guest's kernel talks."""

    TAG: ClassVar[str] = "console"
    TOLD: ClassVar[Mapping[str, Told]] = {"@tty": Told(PATH, "the pseudo-terminal")}

    end: PtyEnd | NullEnd | FileEnd | UnixEnd = field(
        default=PtyEnd(), metadata=part(".", _ENDS, "what it is connected to", key="@type")
    )
    target: ConsoleTarget | None = field(
        default=None, metadata=at("target@type", Words(ConsoleTarget), "its kind; none: serial")
    )
    port: int | None = field(
        default=None, metadata=at("target@port", NUMBER, "its number; none: the next one")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Device):
    """``<channel>``: a line to a program in the guest, such as its agent."""

    TAG: ClassVar[str] = "channel"
    TOLD: ClassVar[Mapping[str, Told]] = {
        "target@state": Told(Only("connected", "disconnected"), "whether the guest has it open")
    }

    end: AnyEnd = field(metadata=part(".", _CHANNEL_ENDS, "what it is connected to", key="@type"))
    target: str = field(
        default="virtio",
        metadata=at("target@type", Only("virtio"), "its kind: always virtio"),
    )
    name: str | None = field(
        default=None,
        metadata=at("target@name", _CHANNEL_NAME, "by which the guest finds it"),
    )

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """A path that a driver chose while the domain ran is no part of the definition."""
        del told
        end = facts.get("end")
        if isinstance(end, UnixEnd) and _is_chosen(end, facts.get("name")):
            facts["end"] = UnixEnd(mode=end.mode)

    def cross_check(self) -> None:
        """A path that looks chosen by a driver would be read back as none."""
        if isinstance(self.end, UnixEnd) and _is_chosen(self.end, self.name):
            self.wrong("source@path", "expected none where the driver chooses the path, met one")


def _is_chosen(end: UnixEnd, name: object) -> bool:
    if end.mode is not UnixMode.BIND or end.path is None:
        return False
    folder, _, last = end.path.rpartition("/")
    is_named = name is not None and last.endswith(str(name))
    return _CHOSEN.search(folder) is not None and (is_named or bool(_SHORT.fullmatch(last)))
