# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain is defined as: the facts that its XML states, checked.

It stands apart from the XML because drivers work with the facts only; a definition that exists
is one that can be written as XML and read back.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_domain.py``:
    always_valid   no ``DomainDefinition`` can be made, or replaced, with a fact that is not allowed
    defaults       what was left out has libvirt's default
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.boot import Boot, Firmware, FirmwareFeature, LoaderType
from virevents.definition.characters import Channel, Console, Serial
from virevents.definition.controllers import Controller
from virevents.definition.devices import Device
from virevents.definition.disks import Disk
from virevents.definition.facts import Facts, Told, at, part, parts
from virevents.definition.features import Clock, Cpu, Features
from virevents.definition.interfaces import Interface
from virevents.definition.kinds import (
    LINES,
    MEMORY_KIB,
    MEMORY_KIB_MAX,
    NAME,
    NUMBER,
    OPTIONAL_PATH,
    PATH,
    TEXT,
    UUID,
    WORD,
    YES_NO,
    Number,
    Only,
    Words,
    check_name,
)
from virevents.definition.opaque import Opaque
from virevents.definition.peripherals import (
    Balloon,
    Input,
    Panic,
    Redirection,
    Rng,
    Tpm,
    Watchdog,
)
from virevents.definition.screens import Audio, Sound, SpiceGraphics, Video, VncGraphics
from virevents.errors import DefinitionError, NamelessDefinitionError

__all__ = [
    "MEMORY_KIB_MAX",
    "VCPUS_MAX",
    "DomainDefinition",
    "DomainType",
    "LifecycleAction",
    "OSType",
    "check_name",
]

VCPUS_MAX: Final = 2**16 - 1
"""As many as libvirt's 16-bit count of processors can say."""


class DomainType(StrEnum):
    """The hypervisor that a definition is meant for (``<domain type=...>``)."""

    TEST = "test"
    QEMU = "qemu"
    KVM = "kvm"


class OSType(StrEnum):
    """How the guest is booted (``<os><type>``)."""

    HVM = "hvm"


class LifecycleAction(StrEnum):
    """What is to be done when the guest powers off, reboots or crashes (``<on_poweroff>``...)."""

    DESTROY = "destroy"
    RESTART = "restart"
    RENAME_RESTART = "rename-restart"
    PRESERVE = "preserve"
    COREDUMP_DESTROY = "coredump-destroy"
    COREDUMP_RESTART = "coredump-restart"


_FOR_CRASH_ONLY: Final = frozenset(
    {LifecycleAction.COREDUMP_DESTROY, LifecycleAction.COREDUMP_RESTART}
)
_VCPUS: Final = Number(1, VCPUS_MAX)
_ACTION: Final = Words(LifecycleAction, is_refusal=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainDefinition(Facts):
    """The facts that define a domain; what each is for stands beside it, and in the manual.

    It is a source of identity for events (``LifecycleEvent.from_definition``). To change one,
    use ``dataclasses.replace``: it checks again.

    Raises:
        DefinitionError: A fact is not allowed; ``element`` is its element in XML.
    """

    TAG: ClassVar[str] = "domain"
    MADE_UP: ClassVar[frozenset[str]] = frozenset({"uuid", "current_memory_kib"})
    MUST: ClassVar[frozenset[str]] = frozenset({"os_type"})
    MISSING: ClassVar[Mapping[str, type[DefinitionError]]] = {"name": NamelessDefinitionError}
    TOLD: ClassVar[Mapping[str, Told]] = {
        "@id": Told(NUMBER, "the number of the running domain"),
        "resource/partition": Told(Only("/machine"), "the cgroup that it runs under"),
        "seclabel@type": Told(Only("dynamic", "none"), "how files are labelled: here, not at all"),
        "seclabel@model": Told(Only("dac", "selinux", "apparmor", "none"), "by what"),
        "seclabel@relabel": Told(YES_NO, "whether files were labelled"),
        "seclabel/label": Told(TEXT, "the label of the process"),
        "seclabel/imagelabel": Told(TEXT, "the label of its files"),
    }

    domain_type: DomainType = field(
        metadata=at(
            "@type", Words(DomainType, is_refusal=True), "the hypervisor that it is meant for"
        )
    )
    name: str = field(metadata=at("name", NAME, "its name"))
    uuid: str = field(metadata=at("uuid", UUID, "made up where none is stated"))
    title: str | None = field(default=None, metadata=at("title", TEXT, "a short text for people"))
    description: str | None = field(
        default=None, metadata=at("description", LINES, "a text for people")
    )
    metadata: tuple[str, ...] = field(
        default=(),
        metadata=at("metadata", Opaque(), "what other programs keep here; kept as it is"),
    )
    memory_kib: int = field(metadata=at("memory", MEMORY_KIB, "the most that the guest may have"))
    current_memory_kib: int = field(
        metadata=at("currentMemory", MEMORY_KIB, "what it has at start; none, or more: all")
    )
    vcpus: int = field(default=1, metadata=at("vcpu", _VCPUS, "how many processors it may have"))
    vcpu_placement: str | None = field(
        default=None, metadata=at("vcpu@placement", Only("static"), "where they run: anywhere")
    )
    current_vcpus: int | None = field(
        default=None, metadata=at("vcpu@current", _VCPUS, "how many it has at start; none: all")
    )
    iothreads: int | None = field(
        default=None, metadata=at("iothreads", Number(0, 1024), "threads for disks")
    )
    firmware: Firmware | None = field(
        default=None,
        metadata=at("os@firmware", Words(Firmware), "a kind of firmware, to be found"),
    )
    os_type: OSType = field(
        default=OSType.HVM,
        metadata=at("os/type", Words(OSType, is_refusal=True), "how it is booted"),
    )
    arch: str | None = field(
        default=None, metadata=at("os/type@arch", WORD, "its processor; none: the driver's choice")
    )
    machine: str | None = field(
        default=None, metadata=at("os/type@machine", WORD, "its machine type, as pc or q35")
    )
    firmware_features: tuple[FirmwareFeature, ...] = field(
        default=(),
        metadata=parts("os/firmware/feature", FirmwareFeature, "what the firmware must have"),
    )
    loader: str | None = field(
        default=None,
        metadata=at("os/loader", OPTIONAL_PATH, "the firmware; none: the hypervisor's own"),
    )
    loader_readonly: bool | None = field(
        default=None, metadata=at("os/loader@readonly", YES_NO, "the guest cannot write to it")
    )
    loader_secure: bool | None = field(
        default=None, metadata=at("os/loader@secure", YES_NO, "it is built for secure boot")
    )
    loader_type: LoaderType | None = field(
        default=None, metadata=at("os/loader@type", Words(LoaderType), "how it is put in")
    )
    nvram: str | None = field(
        default=None,
        metadata=at("os/nvram", OPTIONAL_PATH, "the firmware's variables, of this domain"),
    )
    nvram_template: str | None = field(
        default=None, metadata=at("os/nvram@template", PATH, "what they begin as")
    )
    kernel: str | None = field(
        default=None, metadata=at("os/kernel", PATH, "a kernel to boot without firmware's help")
    )
    initrd: str | None = field(default=None, metadata=at("os/initrd", PATH, "its initial disk"))
    cmdline: str | None = field(default=None, metadata=at("os/cmdline", TEXT, "its arguments"))
    boot: tuple[Boot, ...] = field(
        default=(), metadata=parts("os/boot", Boot, "kinds of devices to boot from, in order")
    )
    boot_menu: bool | None = field(
        default=None, metadata=at("os/bootmenu@enable", YES_NO, "a menu at boot")
    )
    boot_menu_timeout_ms: int | None = field(
        default=None, metadata=at("os/bootmenu@timeout", Number(0, 65535), "ms that it stays")
    )
    reboot_timeout_ms: int | None = field(
        default=None,
        metadata=at("os/bios@rebootTimeout", Number(-1, 65535), "ms to a retry; -1: none"),
    )
    features: Features = field(
        default=Features(), metadata=part("features", Features, "of the mainboard")
    )
    cpu: Cpu | None = field(default=None, metadata=part("cpu", Cpu, "its processor"))
    clock: Clock = field(default=Clock(), metadata=part("clock", Clock, "its clock"))
    on_poweroff: LifecycleAction = field(
        default=LifecycleAction.DESTROY,
        metadata=at("on_poweroff", _ACTION, "what to do when the guest powers off"),
    )
    on_reboot: LifecycleAction = field(
        default=LifecycleAction.RESTART,
        metadata=at("on_reboot", _ACTION, "what to do when the guest reboots"),
    )
    on_crash: LifecycleAction = field(
        default=LifecycleAction.DESTROY,
        metadata=at("on_crash", _ACTION, "what to do when the guest crashes"),
    )
    suspend_to_mem: bool | None = field(
        default=None, metadata=at("pm/suspend-to-mem@enabled", YES_NO, "offer sleep (S3)")
    )
    suspend_to_disk: bool | None = field(
        default=None, metadata=at("pm/suspend-to-disk@enabled", YES_NO, "offer hibernation (S4)")
    )
    emulator: str | None = field(
        default=None,
        metadata=at("devices/emulator", PATH, "the program; none: the driver's choice"),
    )
    disks: tuple[Disk, ...] = field(default=(), metadata=parts("devices/disk", Disk, "disks"))
    controllers: tuple[Controller, ...] = field(
        default=(), metadata=parts("devices/controller", Controller, "controllers")
    )
    interfaces: tuple[Interface, ...] = field(
        default=(), metadata=parts("devices/interface", Interface, "network cards")
    )
    serials: tuple[Serial, ...] = field(
        default=(), metadata=parts("devices/serial", Serial, "serial ports")
    )
    consoles: tuple[Console, ...] = field(
        default=(), metadata=parts("devices/console", Console, "consoles")
    )
    channels: tuple[Channel, ...] = field(
        default=(), metadata=parts("devices/channel", Channel, "lines to programs in the guest")
    )
    inputs: tuple[Input, ...] = field(
        default=(), metadata=parts("devices/input", Input, "tablets, mice, keyboards")
    )
    tpms: tuple[Tpm, ...] = field(
        default=(), metadata=parts("devices/tpm", Tpm, "a trusted platform module, at most one")
    )
    graphics: tuple[VncGraphics | SpiceGraphics, ...] = field(
        default=(),
        metadata=parts(
            "devices/graphics",
            {"vnc": VncGraphics, "spice": SpiceGraphics},
            "where the screen is seen, at most one of each type",
            key="@type",
        ),
    )
    sounds: tuple[Sound, ...] = field(
        default=(), metadata=parts("devices/sound", Sound, "sound cards")
    )
    audios: tuple[Audio, ...] = field(
        default=(), metadata=parts("devices/audio", Audio, "where sound goes")
    )
    videos: tuple[Video, ...] = field(
        default=(), metadata=parts("devices/video", Video, "graphics cards")
    )
    redirections: tuple[Redirection, ...] = field(
        default=(), metadata=parts("devices/redirdev", Redirection, "USB from a SPICE viewer")
    )
    watchdogs: tuple[Watchdog, ...] = field(
        default=(), metadata=parts("devices/watchdog", Watchdog, "watchdogs")
    )
    balloon: Balloon | None = field(
        default=None,
        metadata=part("devices/memballoon", Balloon, "its balloon; none: virtio, as libvirt's"),
    )
    rngs: tuple[Rng, ...] = field(
        default=(), metadata=parts("devices/rng", Rng, "sources of random numbers")
    )
    panics: tuple[Panic, ...] = field(
        default=(), metadata=parts("devices/panic", Panic, "by which the guest tells of a panic")
    )

    def cross_check(self) -> None:
        """What one fact asks of another."""
        if self.current_memory_kib > self.memory_kib:
            self.wrong(
                "currentMemory",
                f"expected a number from 1 to {self.memory_kib}, met {self.current_memory_kib}",
            )
        if self.current_vcpus is not None and self.current_vcpus > self.vcpus:
            self.refuse("vcpu@current", f"expected at most {self.vcpus}, met {self.current_vcpus}")
        for place, action in {"on_poweroff": self.on_poweroff, "on_reboot": self.on_reboot}.items():
            if action in _FOR_CRASH_ONLY:
                self.refuse(
                    place, f"expected an action other than {action.value!r}, which is for a crash"
                )
        self._check_devices()

    def _check_devices(self) -> None:
        """No two devices have what one only can have."""
        met = _again([each.target for each in self.disks])
        if met is not None:
            self.wrong("target@dev", f"expected each target once, met {met} again")
        met = _again(
            f"{each.kind} {each.index}" for each in self.controllers if not each.is_companion
        )
        if met is not None:
            self.wrong("controller@index", f"expected each index of a kind once, met {met} again")
        named: list[Device] = [*self.disks, *self.controllers, *self.interfaces, *self.serials]
        named += [
            *self.consoles,
            *self.channels,
            *self.inputs,
            *self.tpms,
            *self.sounds,
            *self.videos,
        ]
        named += [*self.redirections, *self.watchdogs, *self.rngs, *self.panics]
        met = _again([each.alias for each in named])
        if met is not None:
            self.wrong("alias@name", f"expected each name once, met {met} again")
        bootable: list[Disk | Interface | Redirection] = [
            *self.disks,
            *self.interfaces,
            *self.redirections,
        ]
        orders = [each.boot_order for each in bootable if each.boot_order is not None]
        met = _again(orders)
        if met is not None:
            self.refuse("boot@order", f"expected each place in the order once, met {met} again")
        if orders and self.boot:
            self.refuse("boot@order", "expected <boot> in <os> or in devices, met both")

    @classmethod
    def settle(cls, facts: dict[str, object], told: Mapping[str, object]) -> None:
        """All memory is there at start unless less is stated; names are told to two at once."""
        del told
        memory, current = facts.get("memory_kib"), facts.get("current_memory_kib")
        if isinstance(memory, int):
            # 0 is as good as none, and too much is lowered: libvirt does both.
            facts["current_memory_kib"] = (
                min(current, memory) if isinstance(current, int) and current else memory
            )
        # The first console is the first serial port again, and shows the name of that.
        match facts.get("serials"), facts.get("consoles"):
            case (Serial(alias=str(own)), *_), (Console(alias=again) as console, *others):
                if own == again:
                    facts["consoles"] = (replace(console, alias=None), *others)


def _again(values: Iterable[object]) -> object:
    """The first of *values* that was there before; None is nothing, and may stand again."""
    met: set[object] = set()
    for each in values:
        if each is not None and each in met:
            return each
        met.add(each)
    return None
