# SPDX-License-Identifier: LGPL-2.1-or-later
"""The facts of a definition."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest

from tests.definition.samples import LEAST, UUID
from virevents.definition import (
    MEMORY_KIB_MAX,
    VCPUS_MAX,
    Boot,
    BootDevice,
    BuiltinRandom,
    Controller,
    ControllerKind,
    ControllerModel,
    Disk,
    DomainDefinition,
    FileSource,
    Interface,
    LifecycleAction,
    OSType,
    Rng,
    RngModel,
    Serial,
    UserNetwork,
)
from virevents.errors import DefinitionError
from virevents.model import DomainIdentity


@pytest.mark.parametrize(
    ("wrong", "element"),
    [
        (lambda: replace(LEAST, name=""), "name"),
        (lambda: replace(LEAST, uuid=UUID.upper()), "uuid"),
        (lambda: replace(LEAST, uuid="zz"), "uuid"),
        (lambda: replace(LEAST, memory_kib=0), "memory"),
        (lambda: replace(LEAST, memory_kib=MEMORY_KIB_MAX + 1), "memory"),
        (lambda: replace(LEAST, current_memory_kib=0), "currentMemory"),
        (lambda: replace(LEAST, current_memory_kib=1025), "currentMemory"),
        (lambda: replace(LEAST, vcpus=0), "vcpu"),
        (lambda: replace(LEAST, vcpus=VCPUS_MAX + 1), "vcpu"),
        (lambda: replace(LEAST, arch=""), "type@arch"),
        (lambda: replace(LEAST, machine="pc,accel=kvm"), "type@machine"),
        (lambda: replace(LEAST, machine="-pc"), "type@machine"),
        (lambda: replace(LEAST, loader="bios.bin"), "loader"),
        (lambda: replace(LEAST, loader="/bios\x00.bin"), "loader"),
        (lambda: replace(LEAST, emulator=""), "emulator"),
        (lambda: replace(LEAST, on_poweroff=LifecycleAction.COREDUMP_DESTROY), "on_poweroff"),
        (lambda: replace(LEAST, on_reboot=LifecycleAction.COREDUMP_RESTART), "on_reboot"),
    ],
)
def test_always_valid(wrong: object, element: str) -> None:
    assert callable(wrong)
    with pytest.raises(
        DefinitionError, match=f"^<{element}>: expected .*, met|which is for"
    ) as met:
        wrong()
    assert met.value.element == element
    assert met.value.line is None
    assert met.value.code == (67 if element.startswith("on_") else 27)


def test_defaults() -> None:
    assert LEAST.vcpus == 1
    assert LEAST.os_type is OSType.HVM
    assert (LEAST.arch, LEAST.machine, LEAST.loader, LEAST.emulator) == (None,) * 4
    actions = (LEAST.on_poweroff, LEAST.on_reboot, LEAST.on_crash)
    assert actions == ("destroy", "restart", "destroy")


def test_it_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        LEAST.name = "web2"  # type: ignore[misc]
    renamed = replace(LEAST, name="web2")
    assert (renamed.name, LEAST.name) == ("web2", "web1")
    assert renamed != LEAST
    assert hash(replace(renamed, name="web1")) == hash(LEAST)


def test_a_coredump_is_for_a_crash() -> None:
    crashed = replace(LEAST, on_crash=LifecycleAction.COREDUMP_DESTROY)
    assert crashed.on_crash is LifecycleAction.COREDUMP_DESTROY


def test_it_is_a_source_of_identity() -> None:
    definition: DomainDefinition = LEAST
    assert DomainIdentity.from_definition(definition) == DomainIdentity("web1", UUID, -1)


_DISK = Disk(target="vda", source=FileSource(path="/a"))
_CARD = Interface(mac="52:54:00:00:00:01", network=UserNetwork(), boot_order=1)
_USB = Controller(kind=ControllerKind.USB, index=0)


@pytest.mark.parametrize(
    ("wrong", "element", "code"),
    [
        (lambda: replace(LEAST, vcpus=2, current_vcpus=3), "vcpu@current", 67),
        (lambda: replace(LEAST, disks=(_DISK, _DISK)), "target@dev", 27),
        (lambda: replace(LEAST, controllers=(_USB, _USB)), "controller@index", 27),
        (
            lambda: replace(LEAST, serials=(Serial(alias="ua-a"),), rngs=(_rng("ua-a"),)),
            "alias@name",
            27,
        ),
        (
            lambda: replace(LEAST, disks=(replace(_DISK, boot_order=1),), interfaces=(_CARD,)),
            "boot@order",
            67,
        ),
        (
            lambda: replace(LEAST, interfaces=(_CARD,), boot=(Boot(device=BootDevice.DISK),)),
            "boot@order",
            67,
        ),
    ],
)
def test_what_devices_ask_of_one_another(
    wrong: Callable[[], object], element: str, code: int
) -> None:
    with pytest.raises(DefinitionError, match=f"^<{element}>: expected .*, met") as met:
        wrong()
    assert (met.value.element, met.value.code) == (element, code)


def _rng(alias: str) -> Rng:
    return Rng(model=RngModel.VIRTIO, backend=BuiltinRandom(), alias=alias)


def test_companions_share_an_index() -> None:
    ehci = replace(_USB, model=ControllerModel.ICH9_EHCI1)
    slow = [ControllerModel.ICH9_UHCI1, ControllerModel.ICH9_UHCI2]
    controllers = (ehci, *(replace(_USB, model=model) for model in slow))
    assert replace(LEAST, controllers=controllers).controllers == controllers
