# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controllers: what other devices are plugged into.

They stand apart because which model is of which kind is a table of its own.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.devices import Device
from virevents.definition.facts import at
from virevents.definition.kinds import NUMBER, POSITIVE, Hexadecimal, Number, Only, Words

__all__ = ["COMPANIONS", "MODELS", "Controller", "ControllerKind", "ControllerModel"]


class ControllerKind(StrEnum):
    """What can be plugged into it."""

    PCI = "pci"
    USB = "usb"
    IDE = "ide"
    SATA = "sata"
    SCSI = "scsi"
    FDC = "fdc"
    VIRTIO_SERIAL = "virtio-serial"


class ControllerModel(StrEnum):
    """The controller's make; which kind has which is in ``MODELS``."""

    PCI_ROOT = "pci-root"
    PCI_BRIDGE = "pci-bridge"
    PCIE_ROOT = "pcie-root"
    PCIE_ROOT_PORT = "pcie-root-port"
    PCIE_TO_PCI_BRIDGE = "pcie-to-pci-bridge"
    DMI_TO_PCI_BRIDGE = "dmi-to-pci-bridge"
    PIIX3_UHCI = "piix3-uhci"
    PIIX4_UHCI = "piix4-uhci"
    EHCI = "ehci"
    ICH9_EHCI1 = "ich9-ehci1"
    ICH9_UHCI1 = "ich9-uhci1"
    ICH9_UHCI2 = "ich9-uhci2"
    ICH9_UHCI3 = "ich9-uhci3"
    NEC_XHCI = "nec-xhci"
    QEMU_XHCI = "qemu-xhci"
    NONE = "none"
    VIRTIO_SCSI = "virtio-scsi"
    VIRTIO = "virtio"
    VIRTIO_TRANSITIONAL = "virtio-transitional"
    VIRTIO_NON_TRANSITIONAL = "virtio-non-transitional"
    LSILOGIC = "lsilogic"
    LSISAS1068 = "lsisas1068"
    LSISAS1078 = "lsisas1078"
    PIIX3 = "piix3"
    PIIX4 = "piix4"
    ICH6 = "ich6"


_VIRTIO: Final = frozenset(
    {
        ControllerModel.VIRTIO,
        ControllerModel.VIRTIO_TRANSITIONAL,
        ControllerModel.VIRTIO_NON_TRANSITIONAL,
    }
)

COMPANIONS: Final = frozenset(
    {ControllerModel.ICH9_UHCI1, ControllerModel.ICH9_UHCI2, ControllerModel.ICH9_UHCI3}
)
"""The USB 1 controllers that share the index of an EHCI one."""

MODELS: Final[Mapping[ControllerKind, frozenset[ControllerModel]]] = {
    ControllerKind.PCI: frozenset(
        {
            ControllerModel.PCI_ROOT,
            ControllerModel.PCI_BRIDGE,
            ControllerModel.PCIE_ROOT,
            ControllerModel.PCIE_ROOT_PORT,
            ControllerModel.PCIE_TO_PCI_BRIDGE,
            ControllerModel.DMI_TO_PCI_BRIDGE,
        }
    ),
    ControllerKind.USB: frozenset(
        {
            ControllerModel.PIIX3_UHCI,
            ControllerModel.PIIX4_UHCI,
            ControllerModel.EHCI,
            ControllerModel.ICH9_EHCI1,
            ControllerModel.ICH9_UHCI1,
            ControllerModel.ICH9_UHCI2,
            ControllerModel.ICH9_UHCI3,
            ControllerModel.NEC_XHCI,
            ControllerModel.QEMU_XHCI,
            ControllerModel.NONE,
        }
    ),
    ControllerKind.IDE: frozenset(
        {ControllerModel.PIIX3, ControllerModel.PIIX4, ControllerModel.ICH6}
    ),
    ControllerKind.SATA: frozenset(),
    ControllerKind.SCSI: _VIRTIO
    | {
        ControllerModel.VIRTIO_SCSI,
        ControllerModel.LSILOGIC,
        ControllerModel.LSISAS1068,
        ControllerModel.LSISAS1078,
    },
    ControllerKind.FDC: frozenset(),
    ControllerKind.VIRTIO_SERIAL: _VIRTIO,
}
"""Which models each kind has."""

_CHASSIS: Final = Number(0, 255)
_PCI_DEVICE: Final = Only(
    "pcie-root-port", "ioh3420", "pci-bridge", "pcie-pci-bridge", "i82801b11-bridge"
)
_PORT: Final = Hexadecimal(0xFF, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller(Device):
    """``<controller>``: what other devices are plugged into."""

    TAG: ClassVar[str] = "controller"
    MADE_UP: ClassVar[frozenset[str]] = frozenset({"index"})

    kind: ControllerKind = field(
        metadata=at("@type", Words(ControllerKind), "what is plugged into it")
    )
    index: int = field(
        metadata=at("@index", NUMBER, "its number among its kind; none: the next free one")
    )
    model: ControllerModel | None = field(
        default=None,
        metadata=at(
            "@model", Words(ControllerModel, is_refusal=True), "its make; none: the driver's choice"
        ),
    )
    ports: int | None = field(
        default=None, metadata=at("@ports", POSITIVE, "how many ports (usb xhci, virtio-serial)")
    )
    vectors: int | None = field(
        default=None, metadata=at("@vectors", NUMBER, "MSI vectors (virtio-serial)")
    )
    device: str | None = field(
        default=None,
        metadata=at("model@name", _PCI_DEVICE, "the device behind it (pci)"),
    )
    master_port: int | None = field(
        default=None, metadata=at("master@startport", NUMBER, "the first port (usb companions)")
    )
    chassis: int | None = field(
        default=None, metadata=at("target@chassis", _CHASSIS, "its number in the guest (pci)")
    )
    port: int | None = field(
        default=None, metadata=at("target@port", _PORT, "its port number (pcie-root-port)")
    )
    chassis_number: int | None = field(
        default=None, metadata=at("target@chassisNr", _CHASSIS, "its number (pci-bridge)")
    )

    @property
    def is_companion(self) -> bool:
        """It shares its index with the EHCI controller whose slow ports it serves."""
        return self.model in COMPANIONS

    def cross_check(self) -> None:
        """The model is one of its kind's."""
        if self.model is not None and self.model not in MODELS[self.kind]:
            expected = ", ".join(sorted(MODELS[self.kind])) or "no model"
            self.wrong("@model", f"expected {expected}; met {self.model}")
