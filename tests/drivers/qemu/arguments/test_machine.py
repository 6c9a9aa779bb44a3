# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, ask, get, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json, read_pairs
from virevents.definition import (
    Clock,
    ClockOffset,
    Cpu,
    CpuCheck,
    CpuFeature,
    CpuMode,
    DomainDefinition,
    DomainType,
    FeaturePolicy,
    Features,
    HyperV,
    HyperVMode,
    Panic,
    PanicModel,
    TickPolicy,
    Timer,
    TimerName,
)
from virevents.drivers.qemu.arguments.machine import check_machine_facts
from virevents.errors import DefinitionError

# What virt-install writes for Windows; most of the rest QEMU has under KVM only.
FOR_WINDOWS = HyperV(relaxed=True, vapic=True, spinlocks=True, spinlock_retries=8191)
EVERYTHING_FOR_WINDOWS = replace(
    FOR_WINDOWS,
    vpindex=True,
    runtime=True,
    synic=True,
    stimer=True,
    stimer_direct=True,
    reset=True,
    vendor_id=True,
    vendor="Microsoft",
    frequencies=True,
    reenlightenment=True,
    tlbflush=True,
    ipi=True,
    evmcs=True,
    avic=True,
)


def told(definition: DomainDefinition, option: str) -> tuple[str, dict[str, str]]:
    return read_pairs(options(definition, option)[0])


def cpu(**facts: object) -> DomainDefinition:
    return replace(DEFINITION, vcpus=1, cpu=Cpu(**facts))  # type: ignore[arg-type]


@pytest.mark.qemu
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_shown_by_qemu(machine: str, tmp_path: Path) -> None:
    definition = replace(
        DEFINITION,
        machine=machine,
        memory_kib=16384,
        current_memory_kib=16384,
        vcpus=4,
        current_vcpus=2,
        iothreads=2,
        cpu=Cpu(
            model="Nehalem",
            sockets=2,
            dies=1,
            cores=2,
            threads=1,
            features=(
                CpuFeature(name="aes"),
                CpuFeature(policy=FeaturePolicy.DISABLE, name="popcnt"),
            ),
        ),
        features=Features(
            acpi=True,
            apic=True,
            pae=True,
            hyperv=FOR_WINDOWS,
            kvm_hidden=True,
            pmu=False,
            vmport=False,
            smm=machine == "q35",
            vmcoreinfo=True,
        ),
        clock=Clock(
            offset=ClockOffset.LOCALTIME,
            timers=(
                Timer(name=TimerName.RTC, tickpolicy=TickPolicy.CATCHUP),
                Timer(name=TimerName.PIT, tickpolicy=TickPolicy.DELAY),
                Timer(name=TimerName.HPET, present=False),
                Timer(name=TimerName.HYPERVCLOCK, present=True),
                Timer(name=TimerName.KVMCLOCK, present=False),
            ),
        ),
        suspend_to_mem=False,
        suspend_to_disk=True,
        panics=(Panic(model=PanicModel.HYPERV),),
    )
    met = ask(
        definition,
        tmp_path,
        "query-memory-size-summary",
        "query-cpus-fast",
        "query-iothreads",
        get("/machine", "acpi"),
        get("/machine", "vmport"),
        get("/machine", "hpet"),
        get("/machine/unattached/device[0]", "aes"),
        get("/machine/unattached/device[0]", "popcnt"),
        get("/machine/unattached/device[0]", "hv-relaxed"),
        get("/machine/unattached/device[0]", "type"),
        "query-kvm",
    )
    assert met.answers[0] == {"base-memory": 16 << 20, "plugged-memory": 0}
    assert len(met.rows(1)) == 2
    assert {row["id"] for row in met.rows(2)} == {"iothread1", "iothread2"}
    assert list(met.answers[3:9]) == ["on", "off", False, True, False, True]
    assert str(met.answers[9]).startswith("Nehalem")
    assert met.answers[10] == {"enabled": False, "present": True}


@pytest.mark.qemu
def test_shown_by_qemu_without_acpi(tmp_path: Path) -> None:
    """libvirt's reading of a definition without <acpi/>: the guest has none."""
    definition = replace(DEFINITION, features=Features())
    assert ask(definition, tmp_path, get("/machine", "acpi")).answers == ["off"]


@pytest.mark.qemu
@pytest.mark.parametrize("mode", [None, CpuMode.HOST_MODEL, CpuMode.MAXIMUM, CpuMode.CUSTOM])
def test_shown_by_qemu_each_processor(mode: CpuMode | None, tmp_path: Path) -> None:
    ask(cpu(mode=mode), tmp_path, "query-status")


@pytest.mark.parametrize(
    ("definition", "model", "features"),
    [
        (DEFINITION, "qemu64", {}),
        (cpu(mode=CpuMode.CUSTOM, model="Nehalem"), "Nehalem", {}),
        (cpu(mode=CpuMode.MAXIMUM), "max", {}),
        (cpu(model="Nehalem", check=CpuCheck.FULL), "Nehalem", {"enforce": "on"}),
        (cpu(mode=CpuMode.HOST_MODEL), "max", {}),
        (replace(cpu(mode=CpuMode.HOST_MODEL), domain_type=DomainType.KVM), "host", {}),
        (
            replace(
                cpu(mode=CpuMode.HOST_PASSTHROUGH, migratable=True), domain_type=DomainType.KVM
            ),
            "host",
            {"migratable": "on"},
        ),
        (
            replace(DEFINITION, features=Features(hyperv=HyperV(mode=HyperVMode.PASSTHROUGH))),
            "qemu64",
            {"hv-passthrough": "on"},
        ),
        (
            replace(DEFINITION, features=Features(hyperv=HyperV(relaxed=False, vapic=True))),
            "qemu64",
            {"hv-vapic": "on"},
        ),
    ],
)
def test_the_processor(definition: DomainDefinition, model: str, features: dict[str, str]) -> None:
    assert told(definition, "-cpu") == (model, features)


def test_everything_for_windows() -> None:
    definition = replace(DEFINITION, features=Features(hyperv=EVERYTHING_FOR_WINDOWS))
    features = told(definition, "-cpu")[1]
    assert features.pop("hv-spinlocks") == "0x1fff"
    assert features.pop("hv-vendor-id") == "Microsoft"
    assert set(features.values()) == {"on"}
    assert len(features) == 14


def test_pinned() -> None:
    assert options(DEFINITION, "-accel") == ["tcg"]
    assert options(replace(DEFINITION, domain_type=DomainType.KVM), "-accel") == ["kvm"]


def test_clock() -> None:
    assert told(DEFINITION, "-rtc") == ("", {"base": "utc"})
    assert options(DEFINITION, "-global") == []


def test_power() -> None:
    definition = replace(DEFINITION, suspend_to_mem=True, suspend_to_disk=False)
    made = [read_pairs(each)[1] for each in options(definition, "-global")]
    assert made == [
        {"driver": "PIIX4_PM", "property": "disable_s3", "value": "0"},
        {"driver": "PIIX4_PM", "property": "disable_s4", "value": "1"},
    ]
    express = replace(definition, machine="q35")
    assert read_pairs(options(express, "-global")[0])[1]["driver"] == "ICH9-LPC"


def test_iothreads() -> None:
    made = options(replace(DEFINITION, iothreads=1), "-object")
    assert [read_json(each) for each in made] == [{"qom-type": "iothread", "id": "iothread1"}]


@pytest.mark.parametrize(
    ("changed", "element"),
    [
        (
            replace(
                DEFINITION,
                clock=Clock(timers=(Timer(name=TimerName.RTC, tickpolicy=TickPolicy.MERGE),)),
            ),
            "timer@tickpolicy",
        ),
        (replace(cpu(sockets=1, cores=2, threads=1), vcpus=3), "topology"),
        (cpu(mode=CpuMode.HOST_MODEL, model="qemu64"), "model"),
    ],
)
def test_named_refusal(changed: DomainDefinition, element: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        check_machine_facts(changed)
    assert caught.value.element == element
