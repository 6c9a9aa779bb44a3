# SPDX-License-Identifier: LGPL-2.1-or-later
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION
from tests.drivers.qemu.harness import bench
from virevents.definition import (
    DomainDefinition,
    Features,
    Firmware,
    FirmwareFeature,
    FirmwareFeatureName,
    LoaderType,
    to_xml,
)
from virevents.drivers import NvramFate, StartMode
from virevents.drivers.qemu.arguments import firmware
from virevents.drivers.qemu.arguments.firmware import (
    make_variables,
    resolve_firmware,
    variables_of,
)
from virevents.drivers.qemu.confinement import UNCONFINED
from virevents.errors import HostError, OperationFailedError, StateError

EFI: Final = replace(DEFINITION, machine="q35", firmware=Firmware.EFI)
SECURE: Final = ["requires-smm", "secure-boot"]


def describe(folder: Path, name: str, *features: str, machine: str = "pc-q35-*") -> None:
    """Write a description as QEMU's packages do."""
    described = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": f"/fw/{name}.code", "format": "raw"},
            "nvram-template": {"filename": f"/fw/{name}.vars", "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": [machine]}],
        "features": list(features),
    }
    (folder / f"{name}.json").write_text(json.dumps(described))


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folders = (tmp_path / "etc", tmp_path / "share")
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(firmware, "_FOLDERS", folders)
    return folders[1]


def found(definition: DomainDefinition) -> str | None:
    return resolve_firmware(definition, Path("/vars")).loader


def test_first_that_fits(described: Path) -> None:
    describe(described, "40-keys", *SECURE, "enrolled-keys")
    describe(described, "50-secure", *SECURE)
    describe(described, "60-plain")
    describe(described, "70-old", machine="pc-i440fx-*")
    made = resolve_firmware(EFI, Path("/vars"))
    assert (made.loader, made.nvram_template) == ("/fw/40-keys.code", "/fw/40-keys.vars")
    assert made.nvram == f"/vars/{EFI.uuid}_VARS.fd"
    assert (made.loader_type, made.loader_readonly) == (LoaderType.PFLASH, True)
    assert (made.loader_secure, made.features.smm, made.firmware) == (True, True, None)

    def wants(name: FirmwareFeatureName, *, enabled: bool) -> DomainDefinition:
        return replace(EFI, firmware_features=(FirmwareFeature(name=name, is_enabled=enabled),))

    assert found(wants(FirmwareFeatureName.ENROLLED_KEYS, enabled=False)) == "/fw/50-secure.code"
    assert found(wants(FirmwareFeatureName.SECURE_BOOT, enabled=False)) == "/fw/60-plain.code"
    assert found(wants(FirmwareFeatureName.SECURE_BOOT, enabled=True)) == "/fw/40-keys.code"
    assert found(replace(EFI, features=Features(acpi=True, smm=False))) == "/fw/60-plain.code"
    assert found(replace(EFI, machine="pc")) == "/fw/70-old.code"
    assert found(replace(EFI, machine="pc-q35-7.2")) == "/fw/40-keys.code"
    (described.parent / "etc" / "40-keys.json").write_text("")
    assert found(EFI) == "/fw/50-secure.code"


def test_first_that_fits_among_nonsense(described: Path) -> None:
    for at, text in enumerate(["{", "[]", '{"mapping": 1}', "[" * 9999, '{"targets": [1]}']):
        (described / f"{at}.json").write_text(text)
    with pytest.raises(OperationFailedError, match="Unable to find any firmware to satisfy 'efi'"):
        found(EFI)
    describe(described, "60-plain")
    assert found(EFI) == "/fw/60-plain.code"


needs_uefi = pytest.mark.skipif(
    not any(Path("/usr/share/qemu/firmware").glob("*edk2*")),
    reason="no UEFI firmware is installed (Debian: ovmf)",
)


@needs_uefi
@pytest.mark.qemu
def test_own_variables_in_the_driver(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = web.driver.define(to_xml(EFI)).uuid
        web.driver.start(uuid, StartMode.PAUSED)
        variables = tmp_path / "nvram" / f"{uuid}_VARS.fd"
        assert variables.stat().st_size > 0
        assert "<nvram template='/usr/share/OVMF/" in web.driver.domain_xml(uuid)
        assert "firmware='efi'" in web.driver.domain_xml(uuid, inactive=True)
        web.driver.destroy(uuid)
        with pytest.raises(StateError, match="cannot undefine domain with nvram"):
            web.driver.undefine(uuid)
        web.driver.undefine(uuid, nvram=NvramFate.REMOVE)
        assert not variables.exists()


@needs_uefi
def test_of_this_host() -> None:
    loader = found(EFI)
    assert loader is not None
    assert Path(loader).exists()


def test_nothing_to_find() -> None:
    plain = replace(DEFINITION, loader="/rom")
    assert resolve_firmware(plain, Path("/vars")) is plain
    assert variables_of(plain, Path("/vars")) is None
    assert variables_of(replace(plain, nvram="/x"), Path("/vars")) is None
    assert resolve_firmware(DEFINITION, Path("/vars")) is DEFINITION


def test_own_variables(described: Path, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.write_bytes(b"begin")
    definition = replace(
        DEFINITION,
        loader="/code",
        loader_type=LoaderType.PFLASH,
        nvram_template=str(template),
    )
    folder = tmp_path / "nvram"
    made = resolve_firmware(definition, folder)
    other = resolve_firmware(
        replace(definition, uuid=str(EFI.uuid)[::-1].replace("-", "")[:8] + EFI.uuid[8:]), folder
    )
    assert made.nvram is not None
    assert made.nvram != other.nvram
    make_variables(made, UNCONFINED)
    variables = Path(made.nvram)
    assert variables.read_bytes() == b"begin"
    assert variables.stat().st_mode & 0o777 == 0o600
    variables.write_bytes(b"the guest's")
    make_variables(made, UNCONFINED)
    assert variables.read_bytes() == b"the guest's"
    assert variables_of(definition, folder) == variables
    assert resolve_firmware(replace(definition, name="other"), folder).nvram == made.nvram


def test_own_variables_come_with_the_code(described: Path) -> None:
    describe(described, "60-plain")
    definition = replace(
        DEFINITION, machine="q35", loader="/fw/60-plain.code", loader_type=LoaderType.PFLASH
    )
    assert resolve_firmware(definition, Path("/vars")).nvram_template == "/fw/60-plain.vars"
    with pytest.raises(OperationFailedError, match="unable to find any master var store"):
        resolve_firmware(replace(definition, loader="/fw/other"), Path("/vars"))


def test_whole_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template, variables = tmp_path / "template", tmp_path / "nvram" / "vars"
    template.write_bytes(b"begin")
    definition = replace(
        DEFINITION,
        loader="/code",
        loader_type=LoaderType.PFLASH,
        nvram=str(variables),
        nvram_template=str(template),
    )

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(HostError, match=r"Failed to create file .*No space left"):
            make_variables(definition, UNCONFINED)
    assert not variables.exists()
    make_variables(definition, UNCONFINED)
    assert variables.read_bytes() == b"begin"
    assert [path.name for path in variables.parent.iterdir()] == ["vars"]


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    definition = replace(
        DEFINITION,
        loader="/code",
        loader_type=LoaderType.PFLASH,
        nvram=str(tmp_path / "vars"),
        nvram_template=str(tmp_path / "nothing"),
    )
    with pytest.raises(HostError, match=r"Failed to open file '.*/nothing': No such file"):
        make_variables(definition, UNCONFINED)
    with pytest.raises(HostError, match="there is no template"):
        make_variables(replace(definition, nvram_template=None), UNCONFINED)
