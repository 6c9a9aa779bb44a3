# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other devices: input, balloon, watchdogs, panic, random numbers, USB redirection.

It stands apart from disks, cards and lines because each of these is a line or two.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_peripherals.py``:
    shown_by_qemu    QEMU shows every device
    named_refusal    what this driver does not have is refused by its element's name
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    Balloon,
    BalloonModel,
    DeviceRandom,
    DomainDefinition,
    Input,
    InputBus,
    InputKind,
    IsaAddress,
    Panic,
    PanicModel,
    Redirection,
    Rng,
    RngModel,
    SpiceGraphics,
    Watchdog,
    WatchdogAction,
    WatchdogModel,
    aliases,
)
from virevents.drivers.qemu.arguments.mainboards import is_express
from virevents.drivers.qemu.arguments.options import in_json, in_pairs
from virevents.drivers.qemu.arguments.pci import Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece, check_address
from virevents.drivers.qemu.arguments.usb import input_bus, on_usb
from virevents.errors import DefinitionError, UnsupportedDefinitionError
from virevents.model import Json

__all__ = [
    "balloon_alias",
    "balloon_of",
    "check_peripherals",
    "make_peripherals",
    "watchdog_action",
]

_DEFAULT_BALLOON: Final = Balloon(model=BalloonModel.VIRTIO)
_BALLOON: Final = "balloon0"
_RANDOM: Final = "/dev/urandom"
_PERIOD_MS: Final = 1000
_USB_INPUT: Final[Mapping[InputKind, str]] = {
    InputKind.TABLET: "usb-tablet",
    InputKind.MOUSE: "usb-mouse",
    InputKind.KEYBOARD: "usb-kbd",
}
# A dump is the driver's to make; QEMU has the guest stand still for it.
_ACTION: Final[Mapping[WatchdogAction, str]] = {WatchdogAction.DUMP: "pause"}


def balloon_of(definition: DomainDefinition) -> Balloon | None:
    """The balloon: virtio where nothing says, as libvirt has it; None if there is to be none."""
    balloon = definition.balloon or _DEFAULT_BALLOON
    return None if balloon.model is BalloonModel.NONE else balloon


def balloon_alias(balloon: Balloon) -> str:
    """What QEMU calls the balloon."""
    return balloon.alias or _BALLOON


def watchdog_action(definition: DomainDefinition) -> str | None:
    """What QEMU is to do when a watchdog fires; None if the guest has none."""
    if not definition.watchdogs:
        return None
    action = definition.watchdogs[0].action
    return _ACTION.get(action, str(action))


def check_peripherals(definition: DomainDefinition) -> None:
    """Refuse what this driver does not have.

    Raises:
        UnsupportedDefinitionError: It is asked for.
    """
    if definition.tpms:
        _refuse("tpm", "expected no <tpm>, met one: this driver starts no TPM emulator")
    if len(definition.watchdogs) > 1:
        _refuse("watchdog", "only a single watchdog device is supported")
    for watchdog in definition.watchdogs:
        if watchdog.model is WatchdogModel.ITCO and not is_express(definition):
            _refuse("watchdog@model", "iTCO watchdog is only supported with q35 machine type")
    for device in definition.inputs:
        if device.kind is InputKind.TABLET and input_bus(device) is InputBus.PS2:
            _refuse("input@bus", "ps2 bus does not support tablet input device")
    has_spice = any(isinstance(each, SpiceGraphics) for each in definition.graphics)
    if definition.redirections and not has_spice:
        _refuse("redirdev", "chardev 'spicevmc' not supported without spice graphics")
    _check_panics(definition)


def _check_panics(definition: DomainDefinition) -> None:
    models = [panic.model or PanicModel.ISA for panic in definition.panics]
    if len(set(models)) < len(models):
        raise DefinitionError(f"Multiple panic devices with model '{models[0]}'", element="panic")


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(text, element=element)


def make_peripherals(definition: DomainDefinition, boot: Mapping[str, int]) -> Iterator[Piece]:
    """All of them.

    Args:
        definition: The definition.
        boot: The place of each device, by its alias, among those that are booted from.
    """
    names = aliases(definition)
    for device, alias in zip(definition.inputs, names["inputs"], strict=True):
        yield from _input(definition, device, alias)
    balloon = balloon_of(definition)
    if balloon is not None:
        yield _balloon(balloon)
    for watchdog, alias in zip(definition.watchdogs, names["watchdogs"], strict=True):
        yield _watchdog(watchdog, alias)
    for rng, alias in zip(definition.rngs, names["rngs"], strict=True):
        yield from _rng(rng, alias)
    for panic, alias in zip(definition.panics, names["panics"], strict=True):
        yield from _panic(panic, alias)
    for redirection, alias in zip(definition.redirections, names["redirections"], strict=True):
        yield from _redirection(definition, redirection, alias, boot.get(alias))


def _input(definition: DomainDefinition, device: Input, alias: str) -> Iterator[Piece]:
    """Nothing for a keyboard or mouse on PS/2: a PC has both."""
    bus = input_bus(device)
    if bus is InputBus.USB:
        told: dict[str, Json] = {"driver": _USB_INPUT[device.kind], "id": alias}
        yield in_json("-device", {**told, **on_usb(definition, alias, device.address)})
    elif bus is InputBus.VIRTIO:
        yield PciDevice(
            properties={"driver": f"virtio-{device.kind}-pci", "id": alias},
            stated=device.address,
            fit=Fit.EXPRESS,
        )


def _virtio(driver: str, model: BalloonModel | RngModel) -> str:
    return f"{driver}{str(model).removeprefix('virtio')}"


def _balloon(balloon: Balloon) -> PciDevice:
    return PciDevice(
        properties={
            "driver": _virtio("virtio-balloon-pci", balloon.model),
            "id": balloon_alias(balloon),
            "deflate-on-oom": balloon.autodeflate,
            "free-page-reporting": balloon.free_page_reporting,
        },
        stated=balloon.address,
        fit=Fit.EXPRESS,
    )


def _watchdog(watchdog: Watchdog, alias: str) -> Piece:
    if watchdog.model is WatchdogModel.I6300ESB:
        return PciDevice(
            properties={"driver": "i6300esb", "id": alias},
            stated=watchdog.address,
            fit=Fit.CONVENTIONAL,
        )
    if watchdog.model is WatchdogModel.IB700:
        return in_json("-device", {"driver": "ib700", "id": alias})
    # The chipset has it; it only has to be let.
    told = {"driver": "ICH9-LPC", "property": "noreboot", "value": "off"}
    return in_pairs("-global", "", told)


def _rng(rng: Rng, alias: str) -> Iterator[Piece]:
    source = f"obj{alias}"
    if isinstance(rng.backend, DeviceRandom):
        path = rng.backend.path or _RANDOM
        yield in_json("-object", {"qom-type": "rng-random", "id": source, "filename": path})
    else:
        yield in_json("-object", {"qom-type": "rng-builtin", "id": source})
    period = None if rng.rate_bytes is None else rng.rate_period or _PERIOD_MS
    yield PciDevice(
        properties={
            "driver": _virtio("virtio-rng-pci", rng.model),
            "rng": source,
            "id": alias,
            "max-bytes": rng.rate_bytes,
            "period": period,
        },
        stated=rng.address,
        fit=Fit.EXPRESS,
    )


def _panic(panic: Panic, alias: str) -> Iterator[Piece]:
    """Nothing for Hyper-V's: the processor has it."""
    if panic.model is PanicModel.PVPANIC:
        yield PciDevice(
            properties={"driver": "pvpanic-pci", "id": alias},
            stated=panic.address,
            fit=Fit.INTEGRATED,
        )
    elif panic.model is not PanicModel.HYPERV:
        check_address(panic.address, IsaAddress)
        port = panic.address.iobase if isinstance(panic.address, IsaAddress) else None
        yield in_json("-device", {"driver": "pvpanic", "id": alias, "ioport": port})


def _redirection(
    definition: DomainDefinition, redirection: Redirection, alias: str, boot: int | None
) -> Iterator[Piece]:
    backend = f"char{alias}"
    yield in_pairs("-chardev", "spicevmc", {"id": backend, "name": "usbredir"})
    told: dict[str, Json] = {
        "driver": "usb-redir",
        "chardev": backend,
        "id": alias,
        "bootindex": boot,
    }
    yield in_json("-device", {**told, **on_usb(definition, alias, redirection.address)})
