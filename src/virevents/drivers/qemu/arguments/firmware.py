# SPDX-License-Identifier: LGPL-2.1-or-later
"""Firmware with variables (UEFI): which file, and the domain's own copy of its variables.

It stands apart because a definition may only describe the firmware (``<os firmware='efi'>``), and
because the variables are the one file that a start makes: a copy of the firmware's own, made
once, which the guest then writes to.

Which firmware fits is read from the descriptions that QEMU's packages install, in QEMU's own
format (``docs/interop/firmware.json``), in the order of their names.

Immutable: functions only. They block on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_firmware.py``:
    first_that_fits  what is described is the first firmware, by name, that fits all of it
    own_variables    each domain has variables of its own, made once and then left alone
    whole_or_not     variables are there whole or not at all, whenever the copying was broken off
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from virevents.definition import (
    DomainDefinition,
    Firmware,
    FirmwareFeatureName,
    LoaderType,
)
from virevents.drivers.qemu.arguments.mainboards import is_express, machine_of
from virevents.drivers.qemu.confinement import Confinement
from virevents.errors import HostError, OperationFailedError
from virevents.model import Json

__all__ = ["make_variables", "resolve_firmware", "variables_of"]

_FOLDERS: Final = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))
_ARCH: Final = "x86_64"
_NEEDS_SMM: Final = "requires-smm"
_FEATURE: Final[Mapping[FirmwareFeatureName, str]] = {
    FirmwareFeatureName.SECURE_BOOT: "secure-boot",
    FirmwareFeatureName.ENROLLED_KEYS: "enrolled-keys",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """A firmware that a description tells of."""

    code: str
    template: str | None
    features: frozenset[str]
    machines: tuple[str, ...]


def variables_of(definition: DomainDefinition, folder: Path) -> Path | None:
    """The file of the firmware's variables; None if the firmware has none.

    Args:
        definition: The definition; its firmware may only be described.
        folder: Where the driver keeps those that the definition gives no path.
    """
    is_flash = definition.loader is not None and definition.loader_type is LoaderType.PFLASH
    is_described = definition.firmware is Firmware.EFI and definition.loader is None
    if not is_flash and not is_described:
        return None
    if definition.nvram is not None:
        return Path(definition.nvram)
    # Not by the name: a domain that is renamed keeps them.
    return folder / f"{definition.uuid}_VARS.fd"


def resolve_firmware(definition: DomainDefinition, folder: Path) -> DomainDefinition:
    """Name the files of a firmware that is only described, and those of its variables.

    Args:
        definition: The definition.
        folder: See `variables_of`.

    Raises:
        OperationFailedError: No firmware of this host fits.
    """
    variables = variables_of(definition, folder)
    if variables is None:
        return definition
    if definition.loader is not None:
        return replace(
            definition,
            nvram=str(variables),
            nvram_template=definition.nvram_template or _template_of(definition, variables),
        )
    found = next((each for each in _described() if _fits(each, definition)), None)
    if found is None:
        raise OperationFailedError("Unable to find any firmware to satisfy 'efi'")
    needs_smm = _NEEDS_SMM in found.features
    return replace(
        definition,
        firmware=None,
        firmware_features=(),
        loader=found.code,
        loader_type=LoaderType.PFLASH,
        loader_readonly=True,
        loader_secure=True if needs_smm else None,
        nvram=str(variables),
        nvram_template=definition.nvram_template or found.template,
        features=replace(definition.features, smm=True) if needs_smm else definition.features,
    )


def make_variables(definition: DomainDefinition, confinement: Confinement) -> None:
    """Copy the firmware's variables for a domain that has none yet.

    Args:
        definition: One that `resolve_firmware` returned.
        confinement: As whom QEMU runs: who writes to the copy.

    Raises:
        HostError: The template cannot be read, or the copy not be written.
    """
    if definition.nvram is None or Path(definition.nvram).exists():
        return
    if definition.nvram_template is None:
        raise HostError(f"Cannot access {definition.nvram}: there is no template to make it from")
    try:
        content = Path(definition.nvram_template).read_bytes()
    except OSError as error:
        raise HostError(
            f"Failed to open file '{definition.nvram_template}': {error.strerror}"
        ) from error
    try:
        _write(Path(definition.nvram), content, confinement)
    except OSError as error:
        raise HostError(f"Failed to create file '{definition.nvram}': {error.strerror}") from error


def _write(path: Path, content: bytes, confinement: Confinement) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
        confinement.open_to(path.parent)
    # Beside it, and ours alone: the domain's turn is held.
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(partial, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    confinement.give(partial)
    partial.rename(path)


def _template_of(definition: DomainDefinition, variables: Path) -> str | None:
    """The template that belongs to a loader that the definition names."""
    for each in _described():
        if each.code == definition.loader and each.template is not None:
            return each.template
    if variables.exists():
        return None
    raise OperationFailedError(
        f"unable to find any master var store for loader: {definition.loader}"
    )


def _fits(described: _Described, definition: DomainDefinition) -> bool:
    machine = machine_of(definition)
    if "-" not in machine:  # the newest of its kind, whichever that is
        machine = "pc-q35-newest" if is_express(definition) else "pc-i440fx-newest"
    if not any(fnmatchcase(machine, pattern) for pattern in described.machines):
        return False
    needs_smm = _NEEDS_SMM in described.features
    if needs_smm and (definition.features.smm is False or definition.loader_secure is False):
        return False
    if definition.loader_secure and not needs_smm:
        return False
    return all(
        (_FEATURE[wanted.name] in described.features) is wanted.is_enabled
        for wanted in definition.firmware_features
    )


def _described() -> Iterator[_Described]:
    """The firmwares of this host, the first folder's description of a name before the others'."""
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in folder.glob("*.json"):
            found.setdefault(path.name, path)
    for name in sorted(found):
        try:
            told: Json = json.loads(found[name].read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # an empty file hides the one of that name in a later folder
        described = _read(told)
        if described is not None:
            yield described


def _read(told: Json) -> _Described | None:
    """What of a description is of use here; None if it is of no firmware of ours."""
    kinds = _texts(_under(told, "interface-types"))
    mapping = _under(told, "mapping")
    code = _under(mapping, "executable", "filename")
    template = _under(mapping, "nvram-template", "filename")
    if "uefi" not in kinds or _under(mapping, "device") != "flash" or not isinstance(code, str):
        return None
    return _Described(
        code=code,
        template=template if isinstance(template, str) else None,
        features=frozenset(_texts(_under(told, "features"))),
        machines=tuple(_machines(_under(told, "targets"))),
    )


def _machines(targets: Json) -> Iterator[str]:
    for target in targets if isinstance(targets, list) else []:
        if _under(target, "architecture") == _ARCH:
            yield from _texts(_under(target, "machines"))


def _under(told: Json, *keys: str) -> Json:
    for key in keys:
        told = told.get(key) if isinstance(told, dict) else None
    return told


def _texts(told: Json) -> Sequence[str]:
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
