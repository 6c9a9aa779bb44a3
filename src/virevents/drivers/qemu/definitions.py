# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defining, undefining, renaming, autostart: what is done to a domain whether it runs or not.

It stands apart from the life of a QEMU, which none of this touches. Each change is one step on
the disk (a file is there or not, old or new), so that ``kill -9`` at any moment leaves the domain
as it was before or as it is after. Files are named by the uuid: a new name is a new definition
and nothing else.

Locking:
    A call takes the domain's turn and waits under it for the disk only.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_definitions.py``:
    durable      a definition is there when the directory is opened again
    whole_or_not what the disk refuses leaves the old definition, and tells nobody
    as_libvirt   what libvirt refuses is refused with its number and its words
    no_remains   an undefined domain leaves neither managed save nor autostart mark
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition, check_name, parse_definition
from virevents.drivers.base import NvramFate
from virevents.drivers.qemu.arguments import check_supported, find_emulator, variables_of
from virevents.drivers.qemu.estate import Estate, disk, invalid
from virevents.drivers.qemu.kept import KeptFiles
from virevents.drivers.qemu.placing import sync_folder
from virevents.drivers.qemu.run import QemuDomain
from virevents.errors import DefinitionError, DomainExistsError, InvalidArgumentError
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
        saves: The managed saves.
        autostarts: The marks of the domains that are started after a boot.
    """

    def __init__(self, estate: Estate, saves: KeptFiles, autostarts: KeptFiles) -> None:
        self._estate: Final = estate
        self._saves: Final = saves
        self._autostarts: Final = autostarts

    def define(self, xml: str) -> DomainIdentity:
        """See ``Driver.define``."""
        estate, definition = self._estate, accept(xml)
        with estate.coming(definition, _persistent) as (domain, is_new):
            estate.state.make_room()
            with disk(f"could not write the definition of {definition.name}"):
                estate.directory.save(definition)
            with domain.lock:
                # As libvirt: also what was undefined while it runs is updated.
                is_update = domain.was_defined and not is_new
                domain.is_persistent = domain.was_defined = True
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
        estate = self._estate
        with estate.turn(uuid) as domain:
            with domain.lock:
                is_persistent, definition = domain.is_persistent, domain.next_definition
            if not is_persistent:
                raise invalid(domain, "cannot undefine transient domain", "a persistent domain")
            variables = _variables_of(definition, estate.directory.variables)
            self._refuse_remains(domain, variables, managed_save=managed_save, nvram=nvram)
            with disk(f"could not remove the definition of {domain.identity.name}"):
                # The definition last: killed before it, the domain is there and asked again.
                self._saves.remove(uuid)
                self._autostarts.remove(uuid)
                if variables is not None and nvram is NvramFate.REMOVE:
                    variables.unlink(missing_ok=True)
                    sync_folder(variables.parent)
                estate.directory.remove(uuid)
            with domain.lock:
                domain.is_persistent = False
                estate.push_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED, _CALLED)
                domain.is_removed = not domain.is_active
            if domain.is_removed:
                estate.domains.remove(domain)

    def _refuse_remains(
        self,
        domain: QemuDomain,
        variables: Path | None,
        *,
        managed_save: bool,
        nvram: NvramFate | None,
    ) -> None:
        """Refuse to leave behind, or to throw away unasked, what cannot be made again."""
        if self._saves.has(domain.identity.uuid) and not managed_save:
            raise invalid(
                domain,
                "Refusing to undefine while domain managed save image exists",
                "no managed save, or to be told to throw it away",
            )
        if variables is not None and nvram is None:
            raise invalid(
                domain,
                "cannot undefine domain with nvram",
                "to be told whether to keep or to remove it",
            )

    def rename(self, uuid: str, name: str) -> None:
        """See ``Driver.rename``."""
        _check_new_name(name)
        estate = self._estate
        with estate.turn(uuid) as domain:
            old = domain.identity
            self._refuse_rename(domain, name)
            with domain.lock:
                renamed = replace(domain.next_definition, name=name)
            with (
                self._reserved(domain, name),
                disk(f"could not write the definition of {name}"),
            ):
                estate.directory.save(renamed)
            with domain.lock:
                estate.push_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.RENAMED, _CALLED)
                domain.next_definition = renamed
                domain.set_definition_locked(renamed)
                estate.push_locked(domain, Lifecycle.DEFINED, DefinedDetail.RENAMED, _CALLED)
            estate.domains.forget_name(domain, old.name)

    def _refuse_rename(self, domain: QemuDomain, name: str) -> None:
        """Refuse what libvirt refuses, in its order."""
        if domain.is_active:
            raise invalid(domain, "cannot rename active domain", "an inactive domain")
        if self._saves.has(domain.identity.uuid):
            # The saved state has the old name in it.
            raise invalid(
                domain,
                "domain with a managed saved state can't be renamed",
                "a domain without a managed save",
            )
        if name == domain.identity.name:
            raise invalid(domain, "Can't rename domain to itself", "another name")

    @contextmanager
    def _reserved(self, domain: QemuDomain, name: str) -> Iterator[None]:
        """Have *name* listed for the domain; if the block fails, it is free again."""
        try:
            self._estate.domains.rename(domain, name)
        except DomainExistsError as error:
            text = f"domain with name '{name}' already exists"
            raise invalid(domain, text, "a name that is free") from error
        is_written = False
        try:
            yield
            is_written = True
        finally:
            if not is_written:
                self._estate.domains.forget_name(domain, name)

    def is_autostarted(self, uuid: str) -> bool:
        """See ``Driver.is_autostarted``."""
        self._estate.domains.by_uuid(uuid)
        return self._autostarts.has(uuid)

    def set_autostart(self, uuid: str, *, is_on: bool) -> None:
        """See ``Driver.set_autostart``."""
        with self._estate.turn(uuid) as domain:
            with domain.lock:
                is_persistent = domain.is_persistent
            if not is_persistent:
                text = "cannot set autostart for transient domain"
                raise invalid(domain, text, "a persistent domain")
            with disk(f"could not note the autostart of {domain.identity.name}"):
                if is_on:
                    self._autostarts.mark(uuid)
                else:
                    self._autostarts.remove(uuid)


def _persistent(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=True)


def _variables_of(definition: DomainDefinition, folder: Path) -> Path | None:
    """Return the file of the firmware's variables, if there is one."""
    path = variables_of(definition, folder)
    return path if path is not None and path.exists() else None


def _check_new_name(name: str) -> None:
    """Refuse a name that none may have."""
    if "/" in name:
        raise DefinitionError(f"XML error: name {name} cannot contain '/'", element="name")
    try:
        check_name(name)
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error
