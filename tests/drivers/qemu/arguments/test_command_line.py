# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole list. Each kind of device has tests of its own beside the module that writes it."""

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definition.strategies import NAMES, PATHS, definitions, facts
from tests.drivers.qemu.arguments.emulator import (
    DEFINITION,
    EMULATOR,
    FREE_PORTS,
    FREE_TAPS,
    ask,
    command_line,
    make_image,
)
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from tests.drivers.qemu.harness import bench
from virevents.definition import (
    Balloon,
    BalloonModel,
    BlockSource,
    Channel,
    CpuMode,
    Disk,
    DiskFormat,
    DomainDefinition,
    DomainType,
    FileEnd,
    FileSource,
    LifecycleAction,
    LoaderType,
    Serial,
    SocketListen,
    SpiceGraphics,
    UnixEnd,
    UserNetwork,
    VncGraphics,
    aliases,
    parse_definition,
    to_xml,
)
from virevents.definition.facts import Facts, Part, facts_of
from virevents.drivers.qemu.arguments import check_supported
from virevents.errors import DefinitionError
from virevents.model import DomainState, Json, RunningReason
from virevents.testing.guests import GUESTS

DATA: Final = Path(__file__).parents[3] / "definition" / "data"
NO_BALLOON: Final = replace(DEFINITION, balloon=Balloon(model=BalloonModel.NONE))

# Options of ours whose argument is JSON, pairs, or one value that QEMU takes whole.
JSON: Final = {"-device", "-blockdev", "-netdev", "-object", "-audiodev"}
PAIRS: Final = {
    *("-name", "-machine", "-cpu", "-m", "-smp", "-chardev", "-mon", "-rtc", "-global"),
    *("-action", "-boot", "-vnc", "-spice", "-sandbox"),
}
WHOLE: Final = {"-uuid", "-accel", "-bios", "-kernel", "-initrd", "-append", "-display", "-k"}
ALONE: Final = {"-S", "-no-user-config", "-nodefaults"}

# A word that is ours or that the definition's own rules keep so plain: it ends in no syntax.
PLAIN: Final = re.compile(r"[A-Za-z0-9_.:+/\[\]%-]*", re.ASCII)

# QEMU would not know what to do with them; the definition lets them through as plain text.
NASTY: Final = st.sampled_from(
    [",x=y", ",,", "{", '"', "\\", "'", "=on", " -S", "%s", "a,b=c", ",", "ü𝄞", "\u0085"]
)


def read(arguments: list[str]) -> list[tuple[str, object]]:
    """What QEMU makes of an argument list, option by option."""
    told: list[tuple[str, object]] = []
    words = iter(arguments[1:])
    for option in words:
        if option in ALONE:
            told.append((option, None))
        elif option in JSON:
            told.append((option, read_json(next(words))))
        elif option in PAIRS:
            told.append((option, read_pairs(next(words))))
        else:
            assert option in WHOLE, option
            told.append((option, next(words)))
    return told


def test_the_whole_of_it() -> None:
    definition = replace(NO_BALLOON, loader="/guests/a.bin", vcpus=2)
    assert command_line(definition) == [
        EMULATOR,
        *("-name", "guest=web1,debug-threads=on"),
        *("-uuid", "6695eb01-f6a4-8304-79aa-97f2502e193f"),
        *("-S", "-no-user-config", "-nodefaults"),
        *("-bios", "/guests/a.bin"),
        *("-machine", "pc,acpi=on,usb=off,dump-guest-core=off", "-accel", "tcg"),
        *("-cpu", "qemu64", "-m", "size=8192k"),
        *("-smp", "2,sockets=2,cores=1,threads=1"),
        *("-chardev", "socket,id=monitor,fd=5,server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=control"),
        *("-rtc", "base=utc"),
        *("-action", "shutdown=pause,panic=pause"),
        *("-boot", "strict=on"),
        *("-display", "none"),
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    ]


def test_a_reboot_that_is_to_be_the_end_is() -> None:
    definition = replace(DEFINITION, on_reboot=LifecycleAction.DESTROY)
    actions = dict(read(command_line(definition)))["-action"]
    assert ("reboot", "shutdown") in leaves(actions)


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value in what was read, with the key that it is told by."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, name)
    elif isinstance(value, tuple):
        for each in value:
            yield from leaves(each, key)
    else:
        yield key, value


def texts(facts: object) -> Iterator[str]:
    """Every text of a definition."""
    if isinstance(facts, str):
        yield facts
    elif isinstance(facts, tuple):
        for each in facts:
            yield from texts(each)
    elif isinstance(facts, Facts):
        for name in type(facts).__dataclass_fields__:
            yield from texts(getattr(facts, name))


def assert_nothing_smuggled(definition: DomainDefinition, arguments: list[str]) -> None:
    """Every option is one of ours, every key plain, every value plain or the definition's own."""
    own = {*texts(definition)}
    for option, argument in read(arguments):
        for key, value in leaves(argument):
            assert PLAIN.fullmatch(key), (option, key)
            if isinstance(value, str) and not PLAIN.fullmatch(value):
                assert value in own or value.removeprefix("unix:") in own, (option, key, value)


def rich(name: str, path: str, cmdline: str) -> DomainDefinition:
    """A definition with a free text wherever there may be one."""
    return replace(
        DEFINITION,
        name=name,
        kernel=path,
        initrd=path,
        cmdline=cmdline,
        loader=path,
        loader_type=LoaderType.PFLASH,
        nvram=path,
        disks=(
            Disk(target="vda", source=FileSource(path=path), format=DiskFormat.QCOW2),
            Disk(target="sda", source=BlockSource(path=path), serial="a b"),
        ),
        serials=(Serial(end=FileEnd(path=path)), Serial(end=UnixEnd(path=path))),
        channels=(Channel(end=UnixEnd(path=path), name="x"),),
        graphics=(
            VncGraphics(listen=SocketListen(path=path)),
            SpiceGraphics(listen=SocketListen(path=path)),
        ),
    )


@given(NAMES | NASTY, PATHS | NASTY.map("/{}".format), st.text() | NASTY)
def test_no_smuggling(name: str, path: str, cmdline: str) -> None:
    try:
        definition = rich(name, path, cmdline)
    except DefinitionError:
        return
    arguments = command_line(definition)
    assert_nothing_smuggled(definition, arguments)
    plain = [option for option, _ in read(command_line(rich("a", "/b", "c")))]
    told = read(arguments)
    assert [option for option, _ in told] == plain
    found = [value for _, argument in told for _, value in leaves(argument)]
    assert [value in {path, f"unix:{path}"} for value in found].count(True) >= 11
    assert found.count(name) >= 1
    assert found.count(cmdline) >= 1


@settings(deadline=None, max_examples=30)
@given(definitions())
def test_no_smuggling_in_any_definition(definition: DomainDefinition) -> None:
    try:
        check_supported(definition)
        arguments = command_line(definition, taps=FREE_TAPS, ports=FREE_PORTS)
    except DefinitionError:
        return
    assert_nothing_smuggled(definition, arguments)


@pytest.mark.parametrize(
    ("field", "cls"),
    [
        (name, cls)
        for name, fact in facts_of(DomainDefinition).items()
        if isinstance(fact, Part)
        for cls in fact.choices.values()
    ],
)
@settings(deadline=None, max_examples=15)
@given(st.data())
def test_no_smuggling_in_any_device(field: str, cls: type[Facts], data: st.DataObject) -> None:
    """One at a time, so that few definitions are refused for what does not go together."""
    made: object = data.draw(facts(cls))
    is_many = facts_of(DomainDefinition)[field].is_many  # type: ignore[union-attr]
    spice = () if field == "graphics" else (SpiceGraphics(),)
    try:
        definition = replace(
            DEFINITION,
            **{"graphics": spice, field: (made,) if is_many else made},  # type: ignore[arg-type]
        )
        check_supported(definition)
    except DefinitionError:
        return
    sockets = dict.fromkeys(aliases(definition)["channels"], 7)
    taps = {"net0": 7, **dict.fromkeys(aliases(definition)["interfaces"], 7)}
    ports = dict.fromkeys(aliases(definition)["graphics"], FREE_PORTS["graphics0"])
    assert_nothing_smuggled(
        definition, command_line(definition, taps=taps, ports=ports, sockets=sockets)
    )


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["a,b", "a,,b,", ",process=x", "-S", "guest=x", "ü ö,=ß", "{}"])
def test_no_smuggling_past_a_real_qemu(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "a,b=c,,d {\"'%s"
    folder.mkdir()
    loader = str(GUESTS["rom-idle"].write(folder))
    image = folder / "disk"
    image.write_bytes(bytes(512))
    definition = replace(
        DEFINITION,
        name=name,
        loader=loader,
        vcpus=2,
        disks=(Disk(target="vda", source=FileSource(path=str(image))),),
        serials=(Serial(end=FileEnd(path=str(folder / "serial"))),),
    )
    met = ask(definition, tmp_path, "query-name", "query-uuid", "query-block", "query-chardev")
    assert met.answers[:2] == [{"name": name}, {"UUID": definition.uuid}]
    assert inserted_files(met.answers[2]) == [str(image)]
    assert (folder / "serial").exists()


def inserted_files(blocks: Json) -> list[Json]:
    """The files of QEMU's answer to query-block."""
    assert isinstance(blocks, list)
    inserted = [each["inserted"] for each in blocks if isinstance(each, dict)]
    return [each["image"]["filename"] for each in inserted if isinstance(each, dict)]  # type: ignore[index,call-overload]


@pytest.mark.qemu
def test_really_starts_confined(tmp_path: Path) -> None:
    """A filter of system calls is on (2), and no more rights can be had."""
    with bench(tmp_path) as web:
        web.driver.start(web.define())
        status = Path(f"/proc/{web.pid()}/status").read_text()
    told = dict(line.split(":\t", 1) for line in status.splitlines())
    assert (told["Seccomp"], told["NoNewPrivs"]) == ("2", "1")


def samples() -> list[str]:
    return sorted(path.name for path in DATA.glob("*.xml"))


def make_kernel(folder: Path) -> Path:
    """The least kernel that QEMU's multiboot loader takes: it halts."""
    load, header = 0x100000, 32
    words = (0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000) & 0xFFFFFFFF)
    places = (load, load, load + header + 4, 0, load + header)
    path = folder / "kernel"
    path.write_bytes(struct.pack("<8I", *words, *places) + b"\xfa\xf4\xeb\xfd")
    return path


def with_own_files(definition: DomainDefinition, folder: Path) -> DomainDefinition:
    """The same with images, kernel and firmware that are there, and none of the host's taps."""
    disks = []
    for position, disk in enumerate(definition.disks):
        image = folder / f"disk{position}"
        make_image(image, disk.format)
        path = None if disk.source.path is None else str(image)
        disks.append(replace(disk, source=FileSource(path=path)))
    rom = str(GUESTS["rom-idle"].write(folder))
    variables = folder / "variables"
    variables.write_bytes(bytes(64 * 1024))
    is_flash = definition.loader is not None
    cpu, features = definition.cpu, definition.features
    is_passed_through = cpu is not None and cpu.mode is CpuMode.HOST_PASSTHROUGH
    if features.hyperv is not None and features.hyperv.vpindex:
        features = replace(features, hyperv=None)
    return replace(
        definition,
        disks=tuple(disks),
        interfaces=tuple(replace(each, network=UserNetwork()) for each in definition.interfaces),
        serials=tuple(
            replace(each, end=UnixEnd(path=str(folder / f"serial{at}")))
            if isinstance(each.end, UnixEnd)
            else each
            for at, each in enumerate(definition.serials)
        ),
        tpms=(),  # refused, see test_peripherals
        # KVM's, which is not everywhere where there is a /dev/kvm; see test_machine.
        domain_type=DomainType.QEMU,
        cpu=None if is_passed_through else definition.cpu,
        features=features,
        loader=rom,
        nvram=str(variables) if is_flash else None,
        kernel=str(make_kernel(folder)) if definition.kernel is not None else None,
        initrd=rom if definition.initrd is not None else None,
    )


@pytest.mark.qemu
@pytest.mark.parametrize("name", samples())
def test_really_starts(name: str, tmp_path: Path) -> None:
    definition = with_own_files(parse_definition((DATA / name).read_bytes()), tmp_path)
    met = ask(definition, tmp_path, "query-status", "query-uuid")
    assert isinstance(met.answers[0], dict)
    assert met.answers[0]["status"] == "prelaunch"
    assert met.answers[1] == {"UUID": definition.uuid}


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["debian-vnc", "windows-bios", "usb2", "scsi", "old-pc"])
def test_really_starts_again_from_its_save(name: str, tmp_path: Path) -> None:
    """A saved state is only read by a QEMU whose devices are at the same places."""
    definition = parse_definition((DATA / f"{name}.install.xml").read_bytes())
    with bench(tmp_path / "root") as web:
        uuid = web.driver.define(to_xml(with_own_files(definition, tmp_path))).uuid
        web.driver.start(uuid)
        web.driver.managed_save(uuid)
        web.driver.start(uuid)
        restored = (DomainState.RUNNING, RunningReason.RESTORED)
        assert web.driver.domain_state(uuid) == restored
