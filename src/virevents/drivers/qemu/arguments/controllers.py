# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controllers: the ones that a definition has, and those that its devices need beside them.

It stands apart because which controllers there are decides which buses the other devices find.
What the chipset has anyway is named here, too: IDE and floppy on ``pc``, SATA on ``q35``.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_controllers.py``:
    every_bus       a device whose controller nobody named finds it all the same
    once            no controller is made twice
    named_refusal   what the machine cannot have is refused by its element's name
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    Channel,
    Console,
    ConsoleTarget,
    Controller,
    ControllerKind,
    ControllerModel,
    DiskBus,
    DomainDefinition,
    PciAddress,
    VirtioSerialAddress,
    disk_bus,
    drive_address,
)
from virevents.drivers.qemu.arguments.mainboards import is_express
from virevents.drivers.qemu.arguments.options import in_json
from virevents.drivers.qemu.arguments.pci import BusKind, Fit
from virevents.drivers.qemu.arguments.pieces import PciDevice, Piece
from virevents.drivers.qemu.arguments.usb import default_usb, usb_controller, usb_indexes
from virevents.errors import UnsupportedDefinitionError
from virevents.model import Json

__all__ = ["buses_of", "check_controllers", "controllers_of", "make_controllers"]

_KIND_OF_BUS: Final[Mapping[DiskBus, ControllerKind]] = {
    DiskBus.IDE: ControllerKind.IDE,
    DiskBus.SATA: ControllerKind.SATA,
    DiskBus.SCSI: ControllerKind.SCSI,
    DiskBus.FDC: ControllerKind.FDC,
}

_BUS_KIND: Final[Mapping[ControllerModel | None, BusKind]] = {
    ControllerModel.PCIE_ROOT_PORT: BusKind.EXPRESS_PORT,
    ControllerModel.PCI_BRIDGE: BusKind.BRIDGE,
    ControllerModel.PCIE_TO_PCI_BRIDGE: BusKind.BRIDGE,
    ControllerModel.DMI_TO_PCI_BRIDGE: BusKind.BRIDGE,
}
_ROOTS: Final = (ControllerModel.PCI_ROOT, ControllerModel.PCIE_ROOT)

_DRIVER: Final[Mapping[ControllerModel | None, tuple[str, Fit]]] = {
    ControllerModel.PCIE_ROOT_PORT: ("pcie-root-port", Fit.INTEGRATED),
    ControllerModel.PCI_BRIDGE: ("pci-bridge", Fit.CONVENTIONAL),
    ControllerModel.PCIE_TO_PCI_BRIDGE: ("pcie-pci-bridge", Fit.EXPRESS),
    ControllerModel.DMI_TO_PCI_BRIDGE: ("i82801b11-bridge", Fit.INTEGRATED),
    ControllerModel.PIIX3_UHCI: ("piix3-usb-uhci", Fit.CONVENTIONAL),
    ControllerModel.PIIX4_UHCI: ("piix4-usb-uhci", Fit.CONVENTIONAL),
    ControllerModel.EHCI: ("usb-ehci", Fit.CONVENTIONAL),
    ControllerModel.ICH9_EHCI1: ("ich9-usb-ehci1", Fit.INTEGRATED),
    ControllerModel.ICH9_UHCI1: ("ich9-usb-uhci1", Fit.INTEGRATED),
    ControllerModel.ICH9_UHCI2: ("ich9-usb-uhci2", Fit.INTEGRATED),
    ControllerModel.ICH9_UHCI3: ("ich9-usb-uhci3", Fit.INTEGRATED),
    ControllerModel.NEC_XHCI: ("nec-usb-xhci", Fit.EXPRESS),
    ControllerModel.QEMU_XHCI: ("qemu-xhci", Fit.EXPRESS),
    ControllerModel.VIRTIO_SCSI: ("virtio-scsi-pci", Fit.EXPRESS),
    ControllerModel.VIRTIO: ("virtio-scsi-pci", Fit.EXPRESS),
    ControllerModel.VIRTIO_TRANSITIONAL: ("virtio-scsi-pci-transitional", Fit.CONVENTIONAL),
    ControllerModel.VIRTIO_NON_TRANSITIONAL: ("virtio-scsi-pci-non-transitional", Fit.EXPRESS),
    ControllerModel.LSILOGIC: ("lsi", Fit.CONVENTIONAL),
    ControllerModel.LSISAS1068: ("mptsas1068", Fit.CONVENTIONAL),
    ControllerModel.LSISAS1078: ("megasas", Fit.CONVENTIONAL),
}

# The functions that Intel's chip gives to the parts of its USB 2.0.
_ICH9_FUNCTION: Final[Mapping[ControllerModel | None, int]] = {
    ControllerModel.ICH9_UHCI1: 0,
    ControllerModel.ICH9_UHCI2: 1,
    ControllerModel.ICH9_UHCI3: 2,
    ControllerModel.ICH9_EHCI1: 7,
}
_COMPANIONS: Final = frozenset(_ICH9_FUNCTION) - {ControllerModel.ICH9_EHCI1}
_PORTS_OF_A_SLOT: Final = 8
# The chip of "pc" has its USB here; whoever asks for it in the first place gets it there.
_PIIX3_USB: Final = PciAddress(slot=1, function=2)
_PCI_INDEX_MAX: Final = 255  # it is the number of the chassis, too
_SERIAL_PORTS_MAX: Final = 511
_XHCI: Final = (ControllerModel.NEC_XHCI, ControllerModel.QEMU_XHCI)
_FIRST_PORT: Final = 0x10


def buses_of(definition: DomainDefinition) -> Mapping[int, BusKind]:
    """The PCI buses of the machine: the root, and one for each PCI controller beside it."""
    root = BusKind.EXPRESS_ROOT if is_express(definition) else BusKind.CONVENTIONAL_ROOT
    pci = [each for each in definition.controllers if each.kind is ControllerKind.PCI]
    return {0: root, **{each.index: _BUS_KIND[each.model] for each in pci if not _is_root(each)}}


def controllers_of(definition: DomainDefinition) -> list[Controller]:
    """The controllers that QEMU is to have, those first on which others may sit.

    They are the definition's, and one for each index of a kind that a device uses and nobody
    named.
    """
    stated = sorted(
        (each for each in definition.controllers),
        key=lambda each: (each.kind is not ControllerKind.PCI, _order(each)),
    )
    known = {(each.kind, each.index) for each in stated}
    needed = dict.fromkeys(each for each in _needed(definition) if each not in known)
    return stated + [Controller(kind=kind, index=index) for kind, index in needed]


def make_controllers(definition: DomainDefinition) -> Iterator[Piece]:
    """The controllers, but for those that the chipset has."""
    ports = 0
    for controller in controllers_of(definition):
        if controller.model is ControllerModel.PCIE_ROOT_PORT:
            yield _root_port(controller, ports)
            ports += controller.address is None
        else:
            yield from _controller(definition, controller)


def check_controllers(definition: DomainDefinition) -> None:
    """Refuse controllers that the machine cannot have.

    Raises:
        UnsupportedDefinitionError: It has one.
    """
    express = is_express(definition)
    for each in controllers_of(definition):
        if each.kind is ControllerKind.IDE and express:
            _refuse("IDE controllers are unsupported for this QEMU binary or machine type")
        if each.kind is ControllerKind.IDE and each.index:
            _refuse("Only a single IDE controller is supported for this machine type")
        if each.kind is ControllerKind.FDC and each.index:
            _refuse("Only a single fdc controller is supported for this machine type")
        if each.kind is ControllerKind.PCI:
            _check_pci(each, express=express)
        if each.kind is ControllerKind.VIRTIO_SERIAL and (each.ports or 0) > _SERIAL_PORTS_MAX:
            _refuse(f"expected at most {_SERIAL_PORTS_MAX} ports, met {each.ports}")
    _check_usb(definition)


def _check_usb(definition: DomainDefinition) -> None:
    usb = [each for each in definition.controllers if each.kind is ControllerKind.USB]
    masters = {each.index for each in usb if each.model is ControllerModel.ICH9_EHCI1}
    for each in usb:
        if each.model in _COMPANIONS and each.index not in masters:
            _refuse(f"{each.model}: expected its master, an ich9-ehci1 of index {each.index}")
    if _has_no_usb(definition) and list(usb_indexes(definition)):
        _refuse(
            "Can't add USB device. USB bus is disabled: met <controller type='usb' model='none'>"
        )


def _check_pci(controller: Controller, *, express: bool) -> None:
    expected = ControllerModel.PCIE_ROOT if express else ControllerModel.PCI_ROOT
    model = controller.model or expected
    if _is_root(controller) and (controller.index or model is not expected):
        _refuse(
            f"expected the root controller of index 0 and model {expected},"
            f" met index {controller.index} and model {controller.model}"
        )
    if controller.model is None and controller.index:
        _refuse(f"expected a model of the PCI controller of index {controller.index}, met none")
    if controller.index > _PCI_INDEX_MAX:
        _refuse(f"expected an index of at most {_PCI_INDEX_MAX}, met {controller.index}")
    if not _is_root(controller) and controller.index == 0:
        _refuse(f"expected model {expected} at index 0, met {controller.model}")
    if controller.model is not ControllerModel.PCI_BRIDGE and not express and controller.index:
        _refuse(f"{controller.model}: expected a machine with PCI Express (q35)")


def _refuse(text: str) -> None:
    raise UnsupportedDefinitionError(text, element="controller")


def _is_root(controller: Controller) -> bool:
    return controller.model in _ROOTS or (controller.model is None and controller.index == 0)


def _has_no_usb(definition: DomainDefinition) -> bool:
    return any(each.model is ControllerModel.NONE for each in definition.controllers)


def _order(controller: Controller) -> tuple[int, bool]:
    """By index; a USB companion after its master."""
    return controller.index, controller.model in _COMPANIONS


def _needed(definition: DomainDefinition) -> Iterator[tuple[ControllerKind, int]]:
    for disk in definition.disks:
        kind = _KIND_OF_BUS.get(disk_bus(disk))
        if kind is not None:
            yield kind, drive_address(disk).controller
    if not _has_no_usb(definition):
        for index in usb_indexes(definition):
            yield ControllerKind.USB, index
    for port in _virtio_ports(definition):
        at = port.address
        index = at.controller if isinstance(at, VirtioSerialAddress) else 0
        yield ControllerKind.VIRTIO_SERIAL, index


def _virtio_ports(definition: DomainDefinition) -> Iterator[Channel | Console]:
    yield from (each for each in definition.consoles if each.target is ConsoleTarget.VIRTIO)
    yield from definition.channels


def _controller(definition: DomainDefinition, controller: Controller) -> Iterator[Piece]:
    """The ones that the chipset has are left out."""
    express = is_express(definition)
    match controller.kind:
        case ControllerKind.PCI if not _is_root(controller):
            yield _bridge(controller)
        case ControllerKind.USB if controller.model is not ControllerModel.NONE:
            yield _usb(controller, express=express)
        case ControllerKind.SCSI:
            yield _scsi(controller)
        case ControllerKind.VIRTIO_SERIAL:
            yield _virtio_serial(controller)
        case ControllerKind.SATA if controller.index or not express:
            yield _device("ahci", f"sata{controller.index}", controller, Fit.INTEGRATED)
        case ControllerKind.FDC if express:
            yield in_json("-device", {"driver": "isa-fdc", "id": "fdc0"})
        case _:
            pass


def _device(
    driver: str, name: str, controller: Controller, fit: Fit, **properties: Json
) -> PciDevice:
    return PciDevice(
        properties={"driver": driver, "id": name, **properties}, stated=controller.address, fit=fit
    )


def _root_port(controller: Controller, position: int) -> PciDevice:
    """A port of the root; those without an address share slots, eight in each."""
    slot, function = divmod(position, _PORTS_OF_A_SLOT)
    number = _FIRST_PORT + position if controller.port is None else controller.port
    return PciDevice(
        properties={
            "driver": "pcie-root-port",
            "id": f"pci.{controller.index}",
            "port": number,
            "chassis": _chassis(controller.chassis, controller),
        },
        stated=controller.address,
        fit=Fit.INTEGRATED,
        group=f"root ports {slot}",
        function=function,
        is_multifunction=function == 0,
    )


def _bridge(controller: Controller) -> PciDevice:
    driver, fit = _DRIVER[controller.model]
    number = None
    if controller.model is ControllerModel.PCI_BRIDGE:
        number = _chassis(controller.chassis_number, controller)
    return _device(driver, f"pci.{controller.index}", controller, fit, chassis_nr=number)


def _chassis(stated: int | None, controller: Controller) -> int:
    return controller.index if stated is None else stated


def _usb(controller: Controller, *, express: bool) -> PciDevice:
    model = controller.model or default_usb(express=express)
    driver, fit = _DRIVER[model]
    name = usb_controller(controller.index)
    properties: dict[str, Json] = {"driver": driver, "id": name}
    if model in _XHCI:
        properties |= {"p2": controller.ports, "p3": controller.ports}
    if model in _COMPANIONS:
        # They share the master's bus, and its id.
        del properties["id"]
        properties |= {"masterbus": f"{name}.0", "firstport": controller.master_port or 0}
    stated = controller.address
    if model is ControllerModel.PIIX3_UHCI and not express and not controller.index:
        stated = stated or _PIIX3_USB
    return PciDevice(
        properties=properties,
        stated=stated,
        fit=fit,
        group=f"usb {controller.index}" if model in _ICH9_FUNCTION else "",
        function=_ICH9_FUNCTION.get(model, 0),
        is_multifunction=model is ControllerModel.ICH9_UHCI1,
    )


def _scsi(controller: Controller) -> PciDevice:
    driver, fit = _DRIVER[controller.model or ControllerModel.LSILOGIC]
    return _device(driver, f"scsi{controller.index}", controller, fit)


def _virtio_serial(controller: Controller) -> PciDevice:
    suffix = ""
    if controller.model not in {None, ControllerModel.VIRTIO}:
        suffix = str(controller.model).removeprefix("virtio")
    return _device(
        f"virtio-serial-pci{suffix}",
        f"virtio-serial{controller.index}",
        controller,
        Fit.EXPRESS,
        max_ports=controller.ports,
        vectors=controller.vectors,
    )
