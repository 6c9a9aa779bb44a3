# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is seen and heard: VNC and SPICE, graphics cards, sound.

It stands apart because ports are chosen before QEMU starts and passed to it by number, and
because nothing secret may stand here: a command line is for everybody to read.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_screens.py``:
    shown_by_qemu    QEMU shows every server and every card
    local_unless     without an address of the definition's, only this host can look
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    AddressListen,
    Audio,
    AudioKind,
    CodecKind,
    DomainDefinition,
    NoListen,
    SocketListen,
    Sound,
    SoundModel,
    SpiceGraphics,
    Video,
    VideoModel,
    VncGraphics,
    aliases,
)
from virevents.drivers.qemu.arguments.options import in_json, in_pairs
from virevents.drivers.qemu.arguments.pci import Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.usb import on_usb
from virevents.errors import DefinitionError, InternalError, UnsupportedDefinitionError
from virevents.model import Json

__all__ = [
    "LOCAL",
    "check_screens",
    "listen_address",
    "make_graphics",
    "make_sounds",
    "make_videos",
]

LOCAL: Final = "127.0.0.1"
"""Where graphics listen when the definition does not say."""

VNC_PORT_MIN: Final = 5900
"""The port of VNC's display 0: QEMU is told the display."""

_KIB_PER_MIB: Final = 1024
_MAIN_AUDIO: Final = 1

_CARD: Final[Mapping[VideoModel, tuple[str, str]]] = {
    VideoModel.VGA: ("VGA", "secondary-vga"),
    VideoModel.CIRRUS: ("cirrus-vga", "cirrus-vga"),
    VideoModel.QXL: ("qxl-vga", "qxl"),
    VideoModel.VIRTIO: ("virtio-vga", "virtio-gpu-pci"),
    VideoModel.BOCHS: ("bochs-display", "bochs-display"),
}
"""QEMU's name of each graphics card as the first one and as a further one."""

_SOUND: Final[Mapping[SoundModel, str]] = {
    SoundModel.ICH6: "intel-hda",
    SoundModel.ICH9: "ich9-intel-hda",
    SoundModel.AC97: "AC97",
    SoundModel.ES1370: "ES1370",
    SoundModel.SB16: "sb16",
    SoundModel.USB: "usb-audio",
}
_HDA: Final = (SoundModel.ICH6, SoundModel.ICH9)


def listen_address(graphics: VncGraphics | SpiceGraphics) -> str | None:
    """The address on whose TCP ports the graphics are seen; None if on none."""
    if graphics.listen is None:
        return LOCAL
    if isinstance(graphics.listen, AddressListen):
        return graphics.listen.address or LOCAL
    return None


def check_screens(definition: DomainDefinition) -> None:
    """Refuse what this driver, or no QEMU, can show.

    Raises:
        UnsupportedDefinitionError: It is asked for.
        DefinitionError: A sound card names an audio that there is not.
    """
    for kind in (VncGraphics, SpiceGraphics):
        if len([each for each in definition.graphics if isinstance(each, kind)]) > 1:
            _refuse("graphics", "only 1 graphics device of each type (vnc, spice) is supported")
    for graphics in definition.graphics:
        if isinstance(graphics, VncGraphics) and 0 <= graphics.port < VNC_PORT_MIN:
            _refuse("graphics@port", "vnc port must be in range [5900,65535]")
        if isinstance(graphics, SpiceGraphics) and graphics.gl:
            _refuse("gl@enable", "expected no, met yes: this driver shows no OpenGL")
    if any(each.accel3d for each in definition.videos):
        _refuse("acceleration@accel3d", "expected no, met yes: this driver shows no OpenGL")
    _check_audio(definition)


def _check_audio(definition: DomainDefinition) -> None:
    has_spice = any(isinstance(each, SpiceGraphics) for each in definition.graphics)
    for audio in definition.audios:
        if audio.kind is AudioKind.SPICE and not has_spice:
            _refuse("audio@type", "spice audio is not supported without spice graphics")
    known = {audio.id for audio in definition.audios}
    for sound in definition.sounds:
        if sound.audio_id is not None and sound.audio_id not in known:
            raise DefinitionError(f"no audio device with ID {sound.audio_id}", element="audio@id")
        if sound.codecs and sound.model not in _HDA:
            _refuse("codec", f"expected model ich6 or ich9 with a codec, met {sound.model}")


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(text, element=element)


def make_graphics(definition: DomainDefinition, resources: Resources) -> Iterator[str]:
    """The servers by which the screen is seen; without any, there is none."""
    yield from ("-display", "none")
    names = aliases(definition)["graphics"]
    for graphics, alias in zip(definition.graphics, names, strict=True):
        ports = resources.ports.get(alias, {})
        if graphics.keymap is not None:
            yield from ("-k", graphics.keymap)
        if isinstance(graphics, VncGraphics):
            yield from _vnc(graphics, ports)
        else:
            yield from _spice(graphics, ports)


def _port(stated: int, ports: Mapping[str, int], what: str) -> int:
    if stated != -1:
        return stated
    if what not in ports:
        raise InternalError(f"no {what} was chosen for graphics")
    return ports[what]


def _vnc(graphics: VncGraphics, ports: Mapping[str, int]) -> list[str]:
    address = listen_address(graphics)
    websocket = None
    where = "none"
    if isinstance(graphics.listen, SocketListen):
        where = f"unix:{graphics.listen.path}"
    elif address is not None:
        display = _port(graphics.port, ports, "port") - VNC_PORT_MIN
        where = f"{f'[{address}]' if ':' in address else address}:{display}"
        if graphics.websocket is not None:
            websocket = _port(graphics.websocket, ports, "websocket")
    share = None if graphics.share_policy is None else str(graphics.share_policy)
    # With its key, which may be left out, but not where a path may have a "=".
    return in_pairs("-vnc", "", {"vnc": where, "websocket": websocket, "share": share})


def _spice(graphics: SpiceGraphics, ports: Mapping[str, int]) -> list[str]:
    address = listen_address(graphics)
    where: dict[str, str | int | bool | None]
    if isinstance(graphics.listen, SocketListen):
        where = {"unix": True, "addr": graphics.listen.path}
    elif isinstance(graphics.listen, NoListen):
        where = {"port": 0}
    else:
        where = {"port": _port(graphics.port, ports, "port"), "addr": address}
    compression, streaming = graphics.image_compression, graphics.streaming
    return in_pairs(
        "-spice",
        "",
        {
            **where,
            "disable-ticketing": True,
            "agent-mouse": None if graphics.mouse is None else graphics.mouse == "client",
            "image-compression": None if compression is None else str(compression),
            "streaming-video": None if streaming is None else str(streaming),
            "disable-copy-paste": graphics.copypaste is False or None,
            "disable-agent-file-xfer": graphics.filetransfer is False or None,
            "seamless-migration": True,
        },
    )


def make_videos(definition: DomainDefinition) -> Iterator[Piece]:
    """The graphics cards, the first screen's first: the one that says so, or else the first."""
    named = list(zip(definition.videos, aliases(definition)["videos"], strict=True))
    cards = [(video, alias) for video, alias in named if video.model is not VideoModel.NONE]
    cards.sort(key=lambda each: not each[0].is_primary)
    for position, (video, alias) in enumerate(cards):
        driver = _CARD[video.model][position > 0]
        yield PciDevice(
            properties={
                "driver": driver,
                "id": alias,
                **_memory(video),
            },
            stated=video.address,
            fit=Fit.INTEGRATED,
        )


def _memory(video: Video) -> dict[str, Json]:
    if video.model is VideoModel.VIRTIO:
        return {"max_outputs": video.heads}
    if video.model is VideoModel.VGA:
        return {"vgamem_mb": _mib(video.vram_kib)}
    if video.model is VideoModel.BOCHS:
        return {"vgamem": _bytes(video.vram_kib)}
    if video.model is not VideoModel.QXL:
        return {}
    return {
        "max_outputs": video.heads,
        "ram_size": _bytes(video.ram_kib),
        "vram_size": _bytes(video.vram_kib),
        "vram64_size_mb": _mib(video.vram64_kib) or 0,
        "vgamem_mb": _mib(video.vgamem_kib),
    }


def _mib(kib: int | None) -> int | None:
    return None if kib is None else kib // _KIB_PER_MIB


def _bytes(kib: int | None) -> int | None:
    return None if kib is None else kib * 1024


def make_sounds(definition: DomainDefinition) -> Iterator[Piece]:
    """Where sound goes, then the sound cards; nothing at all where there is no card."""
    if definition.sounds:
        for audio in definition.audios or [_default_audio(definition)]:
            yield in_json("-audiodev", {"id": f"audio{audio.id}", "driver": str(audio.kind)})
    default = definition.audios[0].id if definition.audios else _MAIN_AUDIO
    for sound, alias in zip(definition.sounds, aliases(definition)["sounds"], strict=True):
        audio_id = default if sound.audio_id is None else sound.audio_id
        yield from _sound(definition, sound, alias, f"audio{audio_id}")


def _default_audio(definition: DomainDefinition) -> Audio:
    has_spice = any(isinstance(each, SpiceGraphics) for each in definition.graphics)
    return Audio(id=_MAIN_AUDIO, kind=AudioKind.SPICE if has_spice else AudioKind.NONE)


def _sound(definition: DomainDefinition, sound: Sound, alias: str, audio: str) -> Iterator[Piece]:
    told: dict[str, Json] = {"driver": _SOUND[sound.model], "id": alias}
    if sound.model in _HDA:
        yield PciDevice(properties=told, stated=sound.address, fit=Fit.INTEGRATED)
        kinds = [codec.kind for codec in sound.codecs] or [CodecKind.DUPLEX]
        for number, kind in enumerate(kinds):
            codec: dict[str, Json] = {"driver": f"hda-{kind}", "id": f"{alias}-codec{number}"}
            place: dict[str, Json] = {"bus": f"{alias}.0", "cad": number, "audiodev": audio}
            yield in_json("-device", {**codec, **place})
    elif sound.model is SoundModel.USB:
        yield in_json(
            "-device", {**told, "audiodev": audio, **on_usb(definition, alias, sound.address)}
        )
    elif sound.model is SoundModel.SB16:
        yield in_json("-device", {**told, "audiodev": audio})
    else:
        yield PciDevice(
            properties={**told, "audiodev": audio}, stated=sound.address, fit=Fit.CONVENTIONAL
        )
