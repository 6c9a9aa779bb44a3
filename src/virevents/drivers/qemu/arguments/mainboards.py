# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two mainboards that the driver knows, by the names of QEMU's machine types.

It stands apart because every kind of device asks: ``pc`` has conventional PCI, IDE and a floppy
controller, ``q35`` has PCI Express and SATA.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_mainboards.py``:
    by_name   a versioned name is the same mainboard
"""

import re
from typing import Final

from virevents.definition import DomainDefinition
from virevents.errors import UnsupportedDefinitionError

__all__ = ["check_machine", "is_express", "machine_of"]

_DEFAULT: Final = "pc"
# Of QEMU 7.2; later ones have more.
_VCPUS_MAX: Final = 255
_VCPUS_MAX_EXPRESS: Final = 288
_CONVENTIONAL: Final = re.compile(r"pc|pc-i440fx-[a-z0-9.-]+|pc-[0-9.]+")
_EXPRESS: Final = re.compile(r"q35|pc-q35-[a-z0-9.-]+")


def machine_of(definition: DomainDefinition) -> str:
    """QEMU's name of the machine type; ``pc`` where the definition states none."""
    return definition.machine or _DEFAULT


def is_express(definition: DomainDefinition) -> bool:
    """Whether its PCI is PCI Express: the mainboard is a q35."""
    return _EXPRESS.fullmatch(machine_of(definition)) is not None


def check_machine(definition: DomainDefinition) -> None:
    """Refuse other mainboards, and more processors than one has room for.

    Raises:
        UnsupportedDefinitionError: It is neither, or there are more.
    """
    machine = machine_of(definition)
    if not (_CONVENTIONAL.fullmatch(machine) or is_express(definition)):
        raise UnsupportedDefinitionError(
            "<type@machine>: the qemu driver expected pc, pc-i440fx-VERSION, q35 or"
            f" pc-q35-VERSION, met {machine}",
            element="type@machine",
        )
    most = _VCPUS_MAX_EXPRESS if is_express(definition) else _VCPUS_MAX
    if definition.vcpus > most:
        raise UnsupportedDefinitionError(
            f"Maximum CPUs greater than specified machine type limit {most}", element="vcpu"
        )
