# SPDX-License-Identifier: LGPL-2.1-or-later
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import (
    DEFINITION,
    DEVICES,
    FREE_PORTS,
    ask,
    options,
)
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.definition import (
    AddressListen,
    Audio,
    AudioKind,
    Codec,
    CodecKind,
    DomainDefinition,
    ImageCompression,
    MouseMode,
    NoListen,
    SharePolicy,
    SocketListen,
    Sound,
    SoundModel,
    SpiceGraphics,
    StreamingMode,
    Video,
    VideoModel,
    VncGraphics,
)
from virevents.drivers.qemu.arguments.ports import hold_free_port
from virevents.drivers.qemu.arguments.screens import check_screens, listen_address
from virevents.errors import DefinitionError, InternalError
from virevents.model import Json

SPICE: Final = SpiceGraphics(
    image_compression=ImageCompression.OFF,
    streaming=StreamingMode.FILTER,
    mouse=MouseMode.CLIENT,
    copypaste=False,
    filetransfer=False,
    gl=False,
)
VNC: Final = VncGraphics(share_policy=SharePolicy.FORCE_SHARED, keymap="de", websocket=-1)


def seen(definition: DomainDefinition, option: str) -> dict[str, str]:
    return read_pairs(options(definition, option, ports=FREE_PORTS)[0])[1]


@pytest.mark.qemu
def test_shown_by_qemu(tmp_path: Path) -> None:
    definition = replace(
        DEFINITION,
        graphics=(VNC, SPICE),
        videos=(
            Video(model=VideoModel.NONE),
            Video(model=VideoModel.VIRTIO, heads=2),
            Video(
                model=VideoModel.QXL,
                ram_kib=65536,
                vram_kib=65536,
                vram64_kib=0,
                vgamem_kib=16384,
                heads=1,
                is_primary=True,
            ),
        ),
        sounds=(
            Sound(model=SoundModel.ICH6, codecs=(Codec(kind=CodecKind.MICRO),)),
            Sound(model=SoundModel.ICH9, audio_id=2),
            Sound(model=SoundModel.AC97),
            Sound(model=SoundModel.ES1370),
            Sound(model=SoundModel.SB16),
        ),
        audios=(Audio(id=1, kind=AudioKind.SPICE), Audio(id=2, kind=AudioKind.NONE)),
    )
    with ExitStack() as held:
        ports = {
            "graphics0": {
                "port": hold_free_port("127.0.0.1", held),
                "websocket": hold_free_port("127.0.0.1", held, least=5700),
            },
            "graphics1": {"port": hold_free_port("127.0.0.1", held)},
        }
        met = ask(definition, tmp_path, "query-vnc", "query-spice", DEVICES, ports=ports)
    vnc, spice = met.answers[:2]
    assert isinstance(vnc, dict)
    assert isinstance(spice, dict)
    assert (vnc["host"], vnc["service"]) == ("127.0.0.1", str(ports["graphics0"]["port"]))
    assert (spice["host"], spice["port"]) == ("127.0.0.1", ports["graphics1"]["port"])
    found = met.devices(2)
    assert {name: found[name] for name in found if name != "balloon0"} == {
        "sound0": "intel-hda",
        "sound0-codec0": "hda-micro",
        "sound1": "ich9-intel-hda",
        "sound1-codec0": "hda-duplex",
        "sound2": "AC97",
        "sound3": "ES1370",
        "sound4": "sb16",
        "video1": "virtio-gpu-pci",
        "video2": "qxl-vga",
    }


@pytest.mark.qemu
@pytest.mark.parametrize("model", VideoModel)
def test_shown_by_qemu_each_card(model: VideoModel, tmp_path: Path) -> None:
    video = Video(model=model, vram_kib=16384)
    met = ask(replace(DEFINITION, videos=(video, replace(video, vram_kib=None))), tmp_path, DEVICES)
    expected = {
        VideoModel.VGA: ["VGA", "secondary-vga"],
        VideoModel.CIRRUS: ["cirrus-vga", "cirrus-vga"],
        VideoModel.QXL: ["qxl-vga", "qxl"],
        VideoModel.VIRTIO: ["virtio-vga", "virtio-gpu-pci"],
        VideoModel.BOCHS: ["bochs-display", "bochs-display"],
        VideoModel.NONE: [],
    }
    found = met.devices(0)
    assert [found[name] for name in ("video0", "video1") if name in found] == expected[model]


@pytest.mark.qemu
@pytest.mark.parametrize("kind", [VncGraphics, SpiceGraphics])
def test_shown_by_qemu_on_a_socket(kind: type[VncGraphics | SpiceGraphics], tmp_path: Path) -> None:
    path = tmp_path / "a=b,c"
    definition = replace(DEFINITION, graphics=(kind(listen=SocketListen(path=str(path))),))
    met = ask(definition, tmp_path, "query-vnc" if kind is VncGraphics else "query-spice")
    shown = met.answers[0]
    assert isinstance(shown, dict)
    assert shown["enabled"] is True
    if kind is VncGraphics:
        assert shown["service"] == str(path)


@pytest.mark.qemu
@pytest.mark.parametrize("kind", [VncGraphics, SpiceGraphics])
def test_shown_by_qemu_nowhere(kind: type[VncGraphics | SpiceGraphics], tmp_path: Path) -> None:
    ask(replace(DEFINITION, graphics=(kind(listen=NoListen()),)), tmp_path, "query-status")


def test_local_unless() -> None:
    for listen in (None, AddressListen()):
        vnc = replace(DEFINITION, graphics=(VncGraphics(listen=listen),))
        assert seen(vnc, "-vnc")["vnc"] == "127.0.0.1:40"
        spice = replace(DEFINITION, graphics=(SpiceGraphics(listen=listen),))
        assert seen(spice, "-spice")["addr"] == "127.0.0.1"
    everywhere = VncGraphics(listen=AddressListen(address="::"))
    assert seen(replace(DEFINITION, graphics=(everywhere,)), "-vnc")["vnc"] == "[::]:40"
    assert listen_address(everywhere) == "::"
    assert listen_address(VncGraphics(listen=NoListen())) is None


def test_what_each_server_is_told() -> None:
    definition = replace(DEFINITION, graphics=(VNC, SPICE))
    assert seen(definition, "-vnc") == {
        "vnc": "127.0.0.1:40",
        "websocket": "5950",
        "share": "force-shared",
    }
    assert options(definition, "-k", ports=FREE_PORTS) == ["de"]
    assert seen(definition, "-spice") == {
        "port": "5941",
        "addr": "127.0.0.1",
        "disable-ticketing": "on",
        "agent-mouse": "on",
        "image-compression": "off",
        "streaming-video": "filter",
        "disable-copy-paste": "on",
        "disable-agent-file-xfer": "on",
        "seamless-migration": "on",
    }
    stated = VncGraphics(port=5999, is_autoport=False, websocket=5700)
    assert seen(replace(DEFINITION, graphics=(stated,)), "-vnc") == {
        "vnc": "127.0.0.1:99",
        "websocket": "5700",
    }
    with pytest.raises(InternalError, match="no port was chosen"):
        options(definition, "-vnc")


def test_sound_goes_nowhere_unless_spice_takes_it() -> None:
    def audio(definition: DomainDefinition) -> list[Json]:
        made = options(definition, "-audiodev", ports=FREE_PORTS)
        return [read_json(each)["driver"] for each in made]

    sounds = replace(DEFINITION, sounds=(Sound(model=SoundModel.AC97),))
    assert audio(DEFINITION) == []
    assert audio(sounds) == ["none"]
    assert audio(replace(sounds, graphics=(SPICE,))) == ["spice"]
    assert audio(replace(DEFINITION, audios=(Audio(id=1, kind=AudioKind.NONE),))) == []


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (replace(DEFINITION, graphics=(VNC, VNC)), "graphics"),
        (
            replace(DEFINITION, graphics=(VncGraphics(port=80, is_autoport=False),)),
            "graphics@port",
        ),
        (replace(DEFINITION, graphics=(replace(SPICE, gl=True),)), "gl@enable"),
        (
            replace(DEFINITION, videos=(Video(model=VideoModel.VIRTIO, accel3d=True),)),
            "acceleration@accel3d",
        ),
        (replace(DEFINITION, audios=(Audio(id=1, kind=AudioKind.SPICE),)), "audio@type"),
        (
            replace(DEFINITION, sounds=(Sound(model=SoundModel.AC97, audio_id=3),)),
            "audio@id",
        ),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_screens(changed)
    assert caught.value.element == element
