# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defining and undefining: what is done to a domain whether it runs or not.

It stands apart from the life of a QEMU, which none of this touches.

Locking:
    A call takes the domain's turn and waits under it for the disk only.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_definitions.py``:
    durable      a definition is there when the directory is opened again
    whole_or_not what the disk refuses leaves the old definition, and tells nobody
"""

from typing import Final

from virevents.definition import DomainDefinition, parse_definition
from virevents.drivers.base import NvramFate
from virevents.drivers.qemu.command_line import check_supported, find_emulator
from virevents.drivers.qemu.estate import Estate, disk, invalid
from virevents.drivers.qemu.run import QemuDomain
from virevents.model import (
    Cause,
    DefinedDetail,
    DomainIdentity,
    Lifecycle,
    RequestedBy,
    UndefinedDetail,
)

__all__ = ["Definitions", "accept"]

_CALLED: Final = Cause(RequestedBy.CALL)


def accept(xml: str) -> DomainDefinition:
    """Parse a definition and make sure that this driver can run it.

    Raises:
        DefinitionError: It cannot.
        HostError: Its emulator is not there.
    """
    definition = parse_definition(xml)
    check_supported(definition)
    find_emulator(definition)
    return definition


class Definitions:
    """The operations on definitions.

    Args:
        estate: What they share with the others.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def define(self, xml: str) -> DomainIdentity:
        """See ``Driver.define``."""
        estate, definition = self._estate, accept(xml)
        with estate.domains.coming(definition, _persistent) as (domain, is_new):
            estate.state.make_room()
            with disk(f"could not write the definition of {definition.name}"):
                estate.directory.save(definition)
            with domain.lock:
                is_update = domain.is_persistent and not is_new
                domain.is_persistent = True
                domain.next_definition = definition
                if not domain.is_active:
                    domain.set_definition_locked(definition)
                detail = DefinedDetail.UPDATED if is_update else DefinedDetail.ADDED
                estate.push_locked(domain, Lifecycle.DEFINED, detail, _CALLED)
                return domain.identity

    def undefine(
        self, uuid: str, *, managed_save: bool = False, nvram: NvramFate | None = None
    ) -> None:
        """See ``Driver.undefine``."""
        del managed_save, nvram
        estate = self._estate
        with estate.turn(uuid) as domain:
            with domain.lock:
                is_persistent = domain.is_persistent
            if not is_persistent:
                raise invalid(domain, "cannot undefine transient domain", "a persistent domain")
            with disk(f"could not remove the definition of {domain.identity.name}"):
                estate.directory.remove(uuid)
            with domain.lock:
                domain.is_persistent = False
                estate.push_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED, _CALLED)
                domain.is_removed = not domain.is_active
            if domain.is_removed:
                estate.domains.remove(domain)


def _persistent(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=True)
