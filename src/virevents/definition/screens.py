# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is seen and heard: graphics, video, sound and audio.

They stand apart because nothing else in a definition depends on them. No password has a place here:
definitions are shown and stored as they are.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import Facts, Told, at, part, parts
from virevents.definition.kinds import (
    NUMBER,
    PATH,
    POSITIVE,
    WORD,
    YES_NO,
    Number,
    Pattern,
    Words,
)

__all__ = [
    "AddressListen",
    "Audio",
    "AudioKind",
    "Codec",
    "CodecKind",
    "ImageCompression",
    "MouseMode",
    "NoListen",
    "SharePolicy",
    "SocketListen",
    "Sound",
    "SoundModel",
    "SpiceGraphics",
    "StreamingMode",
    "Video",
    "VideoModel",
    "VncGraphics",
]

PORT: Final = Number(-1, 65535)
_HOST: Final = Pattern("an IP address or a host's name", "[A-Za-z0-9:._%-]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressListen(Facts):
    """On an address of the host's."""

    TAG: ClassVar[str] = "listen"

    address: str | None = field(default=None, metadata=at("@address", _HOST, "none: 127.0.0.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketListen(Facts):
    """On a Unix socket."""

    TAG: ClassVar[str] = "listen"

    path: str = field(metadata=at("@socket", PATH, "the socket"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoListen(Facts):
    """Nowhere: a connection is handed in."""

    TAG: ClassVar[str] = "listen"


LISTENS: Final[Mapping[str, type[Facts]]] = {
    "address": AddressListen,
    "socket": SocketListen,
    "none": NoListen,
}


class SharePolicy(StrEnum):
    """Whether several viewers may look at once."""

    ALLOW_EXCLUSIVE = "allow-exclusive"
    FORCE_SHARED = "force-shared"
    IGNORE = "ignore"


class ImageCompression(StrEnum):
    """How SPICE compresses images."""

    AUTO_GLZ = "auto_glz"
    AUTO_LZ = "auto_lz"
    QUIC = "quic"
    GLZ = "glz"
    LZ = "lz"
    OFF = "off"


class StreamingMode(StrEnum):
    """When SPICE sends video as a stream."""

    FILTER = "filter"
    ALL = "all"
    OFF = "off"


class MouseMode(StrEnum):
    """Who draws the pointer."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graphics(Facts):
    TAG: ClassVar[str] = "graphics"
    TOLD: ClassVar[Mapping[str, Told]] = {
        "@listen": Told(_HOST, "the address of <listen> again, for old readers"),
    }

    port: int = field(default=-1, metadata=at("@port", PORT, "-1: a free one"))
    is_autoport: bool = field(
        default=True, metadata=at("@autoport", YES_NO, "yes is the same as port -1")
    )
    listen: AddressListen | SocketListen | NoListen | None = field(
        default=None,
        metadata=part("listen", LISTENS, "where; none: the address 127.0.0.1", key="@type"),
    )
    keymap: str | None = field(default=None, metadata=at("@keymap", WORD, "the keyboard's layout"))

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """A port that was found free is no part of the definition; ``@listen`` repeats."""
        if facts.setdefault("is_autoport", facts.get("port", -1) == -1):
            facts["port"] = -1
        address = told.get("@listen")
        if address is None:
            return
        stated = facts.get("listen")
        if stated is None or stated == AddressListen():
            facts["listen"] = AddressListen(address=str(address))
        elif stated != AddressListen(address=str(address)):
            raise ValueError(f"expected the address of <listen> in 'listen', met {address!r}")

    def cross_check(self) -> None:
        """There is a port, or one is found."""
        if self.is_autoport != (self.port == -1):
            self.wrong("@port", "expected a port or autoport='yes', met both or none")


@dataclass(frozen=True, slots=True, kw_only=True)
class VncGraphics(_Graphics):
    """``<graphics type='vnc'>``."""

    websocket: int | None = field(
        default=None, metadata=at("@websocket", PORT, "a port for browsers; -1: a free one")
    )
    share_policy: SharePolicy | None = field(
        default=None, metadata=at("@sharePolicy", Words(SharePolicy), "several viewers at once")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiceGraphics(_Graphics):
    """``<graphics type='spice'>``."""

    tls_port: int | None = field(
        default=None,
        metadata=at("@tlsPort", Number(-1, -1), "-1: as the host's TLS is set up; here: none"),
    )
    image_compression: ImageCompression | None = field(
        default=None, metadata=at("image@compression", Words(ImageCompression), "of images")
    )
    streaming: StreamingMode | None = field(
        default=None, metadata=at("streaming@mode", Words(StreamingMode), "video as a stream")
    )
    mouse: MouseMode | None = field(
        default=None, metadata=at("mouse@mode", Words(MouseMode), "who draws the pointer")
    )
    copypaste: bool | None = field(
        default=None, metadata=at("clipboard@copypaste", YES_NO, "share the clipboard")
    )
    filetransfer: bool | None = field(
        default=None, metadata=at("filetransfer@enable", YES_NO, "take files from the viewer")
    )
    gl: bool | None = field(
        default=None, metadata=at("gl@enable", YES_NO, "OpenGL; for local viewers only")
    )
    rendernode: str | None = field(
        default=None, metadata=at("gl@rendernode", PATH, "the host's graphics device")
    )


class VideoModel(StrEnum):
    """The graphics card that the guest sees."""

    QXL = "qxl"
    VIRTIO = "virtio"
    VGA = "vga"
    BOCHS = "bochs"
    CIRRUS = "cirrus"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Video(Device):
    """``<video>``: a graphics card."""

    TAG: ClassVar[str] = "video"

    model: VideoModel = field(
        metadata=at("model@type", Words(VideoModel, is_refusal=True), "the card")
    )
    ram_kib: int | None = field(
        default=None, metadata=at("model@ram", NUMBER, "KiB of its first bar (qxl)")
    )
    vram_kib: int | None = field(
        default=None, metadata=at("model@vram", NUMBER, "KiB of its memory; of qxl's second bar")
    )
    vram64_kib: int | None = field(
        default=None, metadata=at("model@vram64", NUMBER, "KiB of its 64-bit bar (qxl)")
    )
    vgamem_kib: int | None = field(
        default=None, metadata=at("model@vgamem", NUMBER, "KiB of its frame buffer (qxl)")
    )
    heads: int | None = field(
        default=None, metadata=at("model@heads", POSITIVE, "how many screens")
    )
    is_primary: bool | None = field(
        default=None, metadata=at("model@primary", YES_NO, "the first card")
    )
    accel3d: bool | None = field(
        default=None, metadata=at("model/acceleration@accel3d", YES_NO, "3D (virtio)")
    )


class SoundModel(StrEnum):
    """The sound card that the guest sees."""

    ICH6 = "ich6"
    ICH9 = "ich9"
    AC97 = "ac97"
    ES1370 = "es1370"
    SB16 = "sb16"
    USB = "usb"


class CodecKind(StrEnum):
    """The codec of an Intel HDA card."""

    DUPLEX = "duplex"
    MICRO = "micro"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec(Facts):
    """``<codec>`` of a sound card."""

    TAG: ClassVar[str] = "codec"

    kind: CodecKind = field(metadata=at("@type", Words(CodecKind), "which one"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound(Device):
    """``<sound>``: a sound card."""

    TAG: ClassVar[str] = "sound"

    model: SoundModel = field(metadata=at("@model", Words(SoundModel), "the card"))
    codecs: tuple[Codec, ...] = field(
        default=(), metadata=parts("codec", Codec, "of ich6 and ich9; none: duplex")
    )
    audio_id: int | None = field(
        default=None, metadata=at("audio@id", POSITIVE, "the <audio> that plays it")
    )


class AudioKind(StrEnum):
    """Where the guest's sound goes."""

    NONE = "none"
    SPICE = "spice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio(Facts):
    """``<audio>``: where the guest's sound goes."""

    TAG: ClassVar[str] = "audio"

    id: int = field(metadata=at("@id", POSITIVE, "its number"))
    kind: AudioKind = field(metadata=at("@type", Words(AudioKind), "where the sound goes"))
