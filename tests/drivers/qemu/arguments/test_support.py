# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION
from virevents.definition import (
    BridgeNetwork,
    BuiltinRandom,
    Channel,
    Cpu,
    CpuMode,
    DomainDefinition,
    DomainType,
    Interface,
    LifecycleAction,
    PciAddress,
    Rng,
    RngModel,
    UnixEnd,
    VncGraphics,
)
from virevents.drivers.qemu.arguments import support
from virevents.drivers.qemu.arguments.support import check_startable, check_supported, find_emulator
from virevents.errors import DefinitionError, HostError, UnsupportedDefinitionError

DESTROY, RESTART = LifecycleAction.DESTROY, LifecycleAction.RESTART
RENAME, PRESERVE = LifecycleAction.RENAME_RESTART, LifecycleAction.PRESERVE
DUMPS = (LifecycleAction.COREDUMP_DESTROY, LifecycleAction.COREDUMP_RESTART)

# What libvirt 9.0's QEMU driver allowed when each was given to a real libvirtd once: of 96
# combinations it refused with code 67 whichever has a pair, or an on_crash, that is not here.
ALLOWED_ENDS = {(DESTROY, DESTROY), (DESTROY, RESTART), (RESTART, RESTART)}
ALLOWED_CRASH = {DESTROY, RESTART, PRESERVE, *DUMPS}


@pytest.mark.parametrize(
    ("on_poweroff", "on_reboot", "on_crash"),
    list(
        product(
            (DESTROY, RESTART, RENAME, PRESERVE),
            (DESTROY, RESTART, RENAME, PRESERVE),
            LifecycleAction,
        )
    ),
)
def test_actions(
    on_poweroff: LifecycleAction, on_reboot: LifecycleAction, on_crash: LifecycleAction
) -> None:
    definition = replace(
        DEFINITION, on_poweroff=on_poweroff, on_reboot=on_reboot, on_crash=on_crash
    )
    if (on_poweroff, on_reboot) in ALLOWED_ENDS and on_crash in ALLOWED_CRASH:
        check_supported(definition)
        return
    with pytest.raises(UnsupportedDefinitionError, match="qemu driver doesn't support") as caught:
        check_supported(definition)
    assert caught.value.code == 67
    assert caught.value.element in {"on_poweroff", "on_reboot", "on_crash"}


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (replace(DEFINITION, domain_type=DomainType.TEST), "domain@type"),
        (replace(DEFINITION, arch="aarch64"), "type@arch"),
        (replace(DEFINITION, machine="isapc"), "type@machine"),
        (replace(DEFINITION, on_poweroff=PRESERVE), "on_poweroff"),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(UnsupportedDefinitionError, match=f"^<{element}>: ") as caught:
        check_supported(changed)
    assert caught.value.element == element
    assert caught.value.code == 67


def test_one_place_for_two_is_told_when_it_is_defined() -> None:
    rng = Rng(model=RngModel.VIRTIO, backend=BuiltinRandom(), address=PciAddress(slot=7))
    with pytest.raises(DefinitionError, match="Attempted double use of PCI Address") as caught:
        check_supported(replace(DEFINITION, rngs=(rng, rng)))
    assert caught.value.code == 27
    with pytest.raises(UnsupportedDefinitionError, match="met bus 3"):
        check_supported(replace(DEFINITION, rngs=(replace(rng, address=PciAddress(bus=3)),)))
    cards = (Interface(mac="52:54:00:00:00:01", network=BridgeNetwork(bridge="br0")),)
    channels = (Channel(end=UnixEnd(), name="x"),)
    check_supported(
        replace(DEFINITION, interfaces=cards, channels=channels, graphics=(VncGraphics(),))
    )


def test_what_is_supported_passes() -> None:
    check_supported(DEFINITION)
    check_supported(replace(DEFINITION, arch="x86_64", machine="q35", current_memory_kib=4096))


def test_never_guessed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    definition = replace(DEFINITION, domain_type=DomainType.KVM)
    monkeypatch.setattr(support, "_KVM", tmp_path / "kvm")
    for check in (check_supported, check_startable):
        with pytest.raises(UnsupportedDefinitionError, match="kvm cannot be opened"):
            check(definition)
    (tmp_path / "kvm").touch()
    check_supported(definition)
    check_startable(definition)


def test_only_kvm_passes_the_hosts_processor_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(support, "_KVM", tmp_path)
    definition = replace(DEFINITION, cpu=Cpu(mode=CpuMode.HOST_PASSTHROUGH))
    # As libvirt has it: defined it can be, started it cannot.
    check_supported(definition)
    with pytest.raises(UnsupportedDefinitionError, match="CPU mode 'host-passthrough'"):
        check_startable(definition)
    check_startable(replace(definition, domain_type=DomainType.KVM))


def test_named_refusal_of_an_emulator_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="Cannot check QEMU binary /nowhere/qemu: No such file"):
        find_emulator(replace(DEFINITION, emulator="/nowhere/qemu"))
    with pytest.raises(HostError):
        find_emulator(replace(DEFINITION, emulator=str(tmp_path)))


def test_the_emulator_may_be_named() -> None:
    assert find_emulator(replace(DEFINITION, emulator="/bin/sh")) == "/bin/sh"
