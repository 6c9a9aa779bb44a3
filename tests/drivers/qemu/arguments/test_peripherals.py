# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask, get, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.definition import (
    Balloon,
    BalloonModel,
    BuiltinRandom,
    DeviceRandom,
    DomainDefinition,
    EmulatedTpm,
    Input,
    InputBus,
    InputKind,
    IsaAddress,
    Panic,
    PanicModel,
    Redirection,
    Rng,
    RngModel,
    Tpm,
    Watchdog,
    WatchdogAction,
    WatchdogModel,
)
from virevents.drivers.qemu.arguments.peripherals import check_peripherals, watchdog_action
from virevents.errors import DefinitionError


@pytest.mark.qemu
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_shown_by_qemu(machine: str, tmp_path: Path) -> None:
    definition = replace(
        DEFINITION,
        machine=machine,
        inputs=(
            Input(kind=InputKind.MOUSE),
            Input(kind=InputKind.KEYBOARD, bus=InputBus.PS2),
            *(Input(kind=kind, bus=InputBus.VIRTIO) for kind in InputKind),
        ),
        balloon=Balloon(
            model=BalloonModel.VIRTIO_NON_TRANSITIONAL, autodeflate=True, free_page_reporting=True
        ),
        watchdogs=(Watchdog(model=WatchdogModel.I6300ESB),),
        rngs=(
            Rng(
                model=RngModel.VIRTIO,
                backend=DeviceRandom(),
                rate_bytes=1024,
                rate_period=2000,
            ),
            Rng(model=RngModel.VIRTIO_TRANSITIONAL, backend=BuiltinRandom()),
        ),
        panics=(
            Panic(address=IsaAddress(iobase=0x506)),
            Panic(model=PanicModel.PVPANIC),
            Panic(model=PanicModel.HYPERV),
        ),
    )
    met = ask(
        definition,
        tmp_path,
        DEVICES,
        get("/machine/peripheral/panic0", "ioport"),
        get("/machine/peripheral/balloon0", "deflate-on-oom"),
        get("/machine/peripheral/rng0", "period"),
    )
    assert dict(sorted(met.devices(0).items())) == {
        "balloon0": "virtio-balloon-pci-non-transitional",
        "input2": "virtio-tablet-pci",
        "input3": "virtio-mouse-pci",
        "input4": "virtio-keyboard-pci",
        "panic0": "pvpanic",
        "panic1": "pvpanic-pci",
        "rng0": "virtio-rng-pci",
        "rng1": "virtio-rng-pci-transitional",
        "watchdog0": "i6300esb",
    }
    assert list(met.answers[1:]) == [0x506, True, 2000]


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("machine", "model"), [("pc", WatchdogModel.IB700), ("q35", WatchdogModel.ITCO)]
)
def test_shown_by_qemu_the_other_watchdogs(
    machine: str, model: WatchdogModel, tmp_path: Path
) -> None:
    definition = replace(DEFINITION, machine=machine, watchdogs=(Watchdog(model=model),))
    found = ask(definition, tmp_path, DEVICES).devices(0)
    assert found.get("watchdog0") == {WatchdogModel.IB700: "ib700"}.get(model)


@pytest.mark.qemu
@pytest.mark.parametrize("action", WatchdogAction)
def test_shown_by_qemu_each_action(action: WatchdogAction, tmp_path: Path) -> None:
    watchdog = Watchdog(model=WatchdogModel.I6300ESB, action=action)
    definition = replace(DEFINITION, watchdogs=(watchdog,))
    expected = "pause" if action is WatchdogAction.DUMP else str(action)
    assert watchdog_action(definition) == expected
    assert read_pairs(options(definition, "-action")[0])[1]["watchdog"] == expected
    ask(definition, tmp_path, "query-status")


def test_a_balloon_unless_there_is_to_be_none() -> None:
    def drivers(balloon: Balloon | None) -> list[object]:
        made = options(replace(DEFINITION, balloon=balloon), "-device")
        return [read_json(each)["id"] for each in made]

    assert drivers(None) == ["balloon0"]
    assert drivers(Balloon(model=BalloonModel.NONE)) == []
    assert drivers(Balloon(model=BalloonModel.VIRTIO, alias="ua-b")) == ["ua-b"]


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (replace(DEFINITION, tpms=(Tpm(backend=EmulatedTpm()),)), "tpm"),
        (replace(DEFINITION, watchdogs=(Watchdog(model=WatchdogModel.IB700),) * 2), "watchdog"),
        (replace(DEFINITION, watchdogs=(Watchdog(model=WatchdogModel.ITCO),)), "watchdog@model"),
        (
            replace(DEFINITION, inputs=(Input(kind=InputKind.TABLET, bus=InputBus.PS2),)),
            "input@bus",
        ),
        (replace(DEFINITION, redirections=(Redirection(),)), "redirdev"),
        (replace(DEFINITION, panics=(Panic(), Panic(model=PanicModel.ISA))), "panic"),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_peripherals(changed)
    assert caught.value.element == element
