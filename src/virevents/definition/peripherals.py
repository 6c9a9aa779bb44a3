# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other devices: input, balloon, watchdog, panic, random numbers, USB redirection, TPM.

They stand together because each is small and depends on no other.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import Facts, at, part
from virevents.definition.kinds import NUMBER, ON_OFF, OPTIONAL_PATH, POSITIVE, Only, Words

__all__ = [
    "Balloon",
    "BalloonModel",
    "BuiltinRandom",
    "DeviceRandom",
    "EmulatedTpm",
    "Input",
    "InputBus",
    "InputKind",
    "Panic",
    "PanicModel",
    "Redirection",
    "Rng",
    "RngModel",
    "Tpm",
    "TpmModel",
    "Watchdog",
    "WatchdogAction",
    "WatchdogModel",
]


class InputKind(StrEnum):
    """The kind of an input device."""

    TABLET = "tablet"
    MOUSE = "mouse"
    KEYBOARD = "keyboard"


class InputBus(StrEnum):
    """What it is plugged into; a PC has one keyboard and one mouse on ``ps2`` anyway."""

    PS2 = "ps2"
    USB = "usb"
    VIRTIO = "virtio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Device):
    """``<input>``."""

    TAG: ClassVar[str] = "input"

    kind: InputKind = field(metadata=at("@type", Words(InputKind, is_refusal=True), "its kind"))
    bus: InputBus | None = field(
        default=None,
        metadata=at("@bus", Words(InputBus), "none: usb for a tablet, ps2 for the others"),
    )


class BalloonModel(StrEnum):
    """The memory balloon's make."""

    VIRTIO = "virtio"
    VIRTIO_TRANSITIONAL = "virtio-transitional"
    VIRTIO_NON_TRANSITIONAL = "virtio-non-transitional"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balloon(Device):
    """``<memballoon>``."""

    TAG: ClassVar[str] = "memballoon"

    model: BalloonModel = field(
        metadata=at("@model", Words(BalloonModel), "its make; none: no balloon")
    )
    autodeflate: bool | None = field(
        default=None, metadata=at("@autodeflate", ON_OFF, "give memory back when it is short")
    )
    free_page_reporting: bool | None = field(
        default=None, metadata=at("@freePageReporting", ON_OFF, "tell the host of free pages")
    )
    stats_period: int | None = field(
        default=None, metadata=at("stats@period", NUMBER, "seconds between statistics; 0: none")
    )


class WatchdogModel(StrEnum):
    """The watchdog's make."""

    I6300ESB = "i6300esb"
    IB700 = "ib700"
    ITCO = "itco"


class WatchdogAction(StrEnum):
    """What the watchdog does when it fires."""

    RESET = "reset"
    SHUTDOWN = "shutdown"
    POWEROFF = "poweroff"
    PAUSE = "pause"
    NONE = "none"
    DUMP = "dump"
    INJECT_NMI = "inject-nmi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog(Device):
    """``<watchdog>``."""

    TAG: ClassVar[str] = "watchdog"

    model: WatchdogModel = field(
        metadata=at("@model", Words(WatchdogModel, is_refusal=True), "its make")
    )
    action: WatchdogAction = field(
        default=WatchdogAction.RESET,
        metadata=at(
            "@action", Words(WatchdogAction, is_refusal=True), "what is done when it fires"
        ),
    )


class PanicModel(StrEnum):
    """The make of the device by which a guest tells that it panicked."""

    ISA = "isa"
    PVPANIC = "pvpanic"
    HYPERV = "hyperv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panic(Device):
    """``<panic>``: by which a guest tells that it panicked."""

    TAG: ClassVar[str] = "panic"

    model: PanicModel | None = field(
        default=None,
        metadata=at("@model", Words(PanicModel, is_refusal=True), "its make; none: isa"),
    )


class RngModel(StrEnum):
    """The make of a source of random numbers."""

    VIRTIO = "virtio"
    VIRTIO_TRANSITIONAL = "virtio-transitional"
    VIRTIO_NON_TRANSITIONAL = "virtio-non-transitional"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRandom(Facts):
    """From a device of the host's."""

    TAG: ClassVar[str] = "backend"

    path: str | None = field(
        default=None, metadata=at(".", OPTIONAL_PATH, "the device; none: /dev/urandom")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinRandom(Facts):
    """From QEMU itself."""

    TAG: ClassVar[str] = "backend"


_RANDOM: Final[Mapping[str, type[Facts]]] = {"random": DeviceRandom, "builtin": BuiltinRandom}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rng(Device):
    """``<rng>``: a source of random numbers."""

    TAG: ClassVar[str] = "rng"

    model: RngModel = field(metadata=at("@model", Words(RngModel, is_refusal=True), "its make"))
    rate_bytes: int | None = field(
        default=None, metadata=at("rate@bytes", POSITIVE, "at most so many bytes in a period")
    )
    rate_period: int | None = field(
        default=None, metadata=at("rate@period", POSITIVE, "milliseconds; none: 1000")
    )
    backend: DeviceRandom | BuiltinRandom = field(
        metadata=part("backend", _RANDOM, "where they come from", key="@model")
    )

    def cross_check(self) -> None:
        """A period is one of a rate."""
        if self.rate_period is not None and self.rate_bytes is None:
            self.wrong("rate@bytes", "expected how many bytes in the period, met none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirection(Device):
    """``<redirdev>``: lets a SPICE viewer plug a USB device of its own into the guest."""

    TAG: ClassVar[str] = "redirdev"

    bus: str = field(default="usb", metadata=at("@bus", Only("usb"), "always usb"))
    kind: str = field(
        default="spicevmc",
        metadata=at("@type", Only("spicevmc"), "always by SPICE"),
    )
    boot_order: int | None = field(
        default=None, metadata=at("boot@order", POSITIVE, "the guest boots from the lowest first")
    )


class TpmModel(StrEnum):
    """The TPM that the guest sees."""

    TIS = "tpm-tis"
    CRB = "tpm-crb"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedTpm(Facts):
    """A TPM in software."""

    TAG: ClassVar[str] = "backend"

    version: str | None = field(
        default=None, metadata=at("@version", Only("1.2", "2.0"), "none: 2.0")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tpm(Device):
    """``<tpm>``: a trusted platform module."""

    TAG: ClassVar[str] = "tpm"

    model: TpmModel | None = field(
        default=None, metadata=at("@model", Words(TpmModel), "its make; none: tpm-tis")
    )
    backend: EmulatedTpm = field(
        metadata=part("backend", {"emulator": EmulatedTpm}, "what it is", key="@type")
    )
