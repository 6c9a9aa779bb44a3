# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine itself: mainboard, accelerator, processor, memory, clock, power management.

It stands apart because none of it is a device with a place, and because its options are the ones
in which a word of the definition stands unescaped by QEMU's own rules: each is checked here.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_machine.py``:
    shown_by_qemu    QEMU shows processor, memory, clock and features as they are stated
    pinned           ``type='qemu'`` never runs on KVM, nor ``type='kvm'`` without it
    named_refusal    what no QEMU has is refused by its element's name
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import (
    Clock,
    Cpu,
    CpuCheck,
    CpuMode,
    DomainDefinition,
    DomainType,
    FeaturePolicy,
    HyperV,
    HyperVMode,
    PanicModel,
    TickPolicy,
    TimerName,
)
from virevents.drivers.qemu.arguments.boot import pflash_options
from virevents.drivers.qemu.arguments.mainboards import is_express, machine_of
from virevents.drivers.qemu.arguments.options import Pairs, in_json, in_pairs
from virevents.errors import UnsupportedDefinitionError

__all__ = ["check_machine_facts", "make_clock", "make_machine", "make_power", "make_processor"]

_DEFAULT_CPU: Final = "qemu64"
_HOST_CPU: Final = "host"
_ALL_CPU: Final = "max"

# QEMU's name of each thing that Windows guests are offered.
_HYPERV: Final[Mapping[str, str]] = {
    "relaxed": "hv-relaxed",
    "vapic": "hv-vapic",
    "vpindex": "hv-vpindex",
    "runtime": "hv-runtime",
    "synic": "hv-synic",
    "stimer": "hv-stimer",
    "stimer_direct": "hv-stimer-direct",
    "reset": "hv-reset",
    "frequencies": "hv-frequencies",
    "reenlightenment": "hv-reenlightenment",
    "tlbflush": "hv-tlbflush",
    "ipi": "hv-ipi",
    "evmcs": "hv-evmcs",
    "avic": "hv-avic",
}
_FEATURE: Final[Mapping[FeaturePolicy, bool]] = {
    FeaturePolicy.FORCE: True,
    FeaturePolicy.REQUIRE: True,
    FeaturePolicy.OPTIONAL: True,
    FeaturePolicy.DISABLE: False,
    FeaturePolicy.FORBID: False,
}
_TICKS: Final[Mapping[TimerName, tuple[TickPolicy, ...]]] = {
    TimerName.RTC: (TickPolicy.DELAY, TickPolicy.CATCHUP),
    TimerName.PIT: (TickPolicy.DELAY, TickPolicy.CATCHUP, TickPolicy.DISCARD),
    TimerName.HPET: (TickPolicy.DELAY,),
}


def check_machine_facts(definition: DomainDefinition) -> None:
    """Refuse what no QEMU has.

    Raises:
        UnsupportedDefinitionError: It is asked for.
    """
    for timer in definition.clock.timers:
        allowed = _TICKS.get(timer.name, ())
        if timer.tickpolicy is not None and timer.tickpolicy not in allowed:
            _refuse(
                "timer@tickpolicy",
                f"unsupported {timer.name} timer tickpolicy '{timer.tickpolicy}'",
            )
    cpu = definition.cpu
    if cpu is not None and cpu.sockets and cpu.cores and cpu.threads:
        made = cpu.sockets * (cpu.dies or 1) * cpu.cores * cpu.threads
        if made != definition.vcpus:
            _refuse("topology", "CPU topology doesn't match maximum vcpu count")
    if cpu is not None and cpu.model is not None and cpu.mode not in {None, CpuMode.CUSTOM}:
        _refuse("model", f"expected no CPU model with mode='{cpu.mode}', met {cpu.model}")


def _refuse(element: str, text: str) -> None:
    raise UnsupportedDefinitionError(text, element=element)


def make_machine(definition: DomainDefinition) -> Iterator[str]:
    """The mainboard and what runs the guest's processors."""
    features = definition.features
    told = {
        # libvirt's reading: a feature that is not named is not there.
        "acpi": features.acpi,
        "usb": False,
        "vmport": features.vmport,
        "smm": features.smm,
        "hpet": _present(definition.clock, TimerName.HPET),
        "dump-guest-core": False,
    }
    yield from in_pairs("-machine", machine_of(definition), {**told, **pflash_options(definition)})
    yield from ("-accel", "kvm" if definition.domain_type is DomainType.KVM else "tcg")
    if features.vmcoreinfo:
        yield from in_json("-device", {"driver": "vmcoreinfo"})


def _present(clock: Clock, name: TimerName) -> bool | None:
    return next((timer.present for timer in clock.timers if timer.name is name), None)


def make_processor(definition: DomainDefinition) -> Iterator[str]:
    """The processor's model and features, how many there are, and the memory."""
    cpu = definition.cpu
    yield from in_pairs("-cpu", _model(definition), _cpu_features(definition))
    yield from in_pairs("-m", "", {"size": f"{definition.memory_kib}k"})
    current = definition.current_vcpus or definition.vcpus
    # As libvirt has it; QEMU's own choice depends on its version.
    topology: Pairs = {"sockets": definition.vcpus, "cores": 1, "threads": 1}
    if cpu is not None and cpu.sockets is not None:
        topology = {
            "sockets": cpu.sockets,
            "dies": cpu.dies,
            "cores": cpu.cores,
            "threads": cpu.threads,
        }
    maximum = definition.vcpus if current != definition.vcpus else None
    yield from in_pairs("-smp", str(current), {"maxcpus": maximum, **topology})
    for number in range(1, (definition.iothreads or 0) + 1):
        yield from in_json("-object", {"qom-type": "iothread", "id": f"iothread{number}"})


def _model(definition: DomainDefinition) -> str:
    cpu = definition.cpu
    if cpu is None:
        return _DEFAULT_CPU
    match cpu.mode:
        case CpuMode.HOST_PASSTHROUGH:
            return _HOST_CPU
        case CpuMode.HOST_MODEL:
            # The nearest to the host that there is: under TCG, all that TCG can do.
            return _HOST_CPU if definition.domain_type is DomainType.KVM else _ALL_CPU
        case CpuMode.MAXIMUM:
            return _ALL_CPU
        case _:
            return cpu.model or _DEFAULT_CPU


def _cpu_features(definition: DomainDefinition) -> dict[str, bool | int | str | None]:
    features, cpu = definition.features, definition.cpu or Cpu()
    told: dict[str, bool | int | str | None] = {}
    if cpu.mode is CpuMode.HOST_PASSTHROUGH:
        told["migratable"] = cpu.migratable
    told |= {each.name: _FEATURE[each.policy] for each in cpu.features}
    told["kvmclock"] = _present(definition.clock, TimerName.KVMCLOCK)
    told["hv-time"] = _present(definition.clock, TimerName.HYPERVCLOCK)
    if features.hyperv is not None:
        told |= _hyperv(features.hyperv)
    if any(panic.model is PanicModel.HYPERV for panic in definition.panics):
        told["hv-crash"] = True
    if features.kvm_hidden:
        told["kvm"] = False
    told["pmu"] = features.pmu
    if cpu.check is CpuCheck.FULL:
        told["enforce"] = True  # QEMU ends where it lacks one of them
    return told


def _hyperv(hyperv: HyperV) -> dict[str, bool | int | str | None]:
    if hyperv.mode is HyperVMode.PASSTHROUGH:
        return {"hv-passthrough": True}
    # QEMU has no "off" for some of them: what is off is not said.
    told: dict[str, bool | int | str | None] = {
        option: True for fact, option in _HYPERV.items() if getattr(hyperv, fact)
    }
    if hyperv.spinlocks and hyperv.spinlock_retries is not None:
        told["hv-spinlocks"] = f"{hyperv.spinlock_retries:#x}"
    if hyperv.vendor_id:
        told["hv-vendor-id"] = hyperv.vendor
    return told


def make_clock(definition: DomainDefinition) -> Iterator[str]:
    """The clock of the mainboard, and what becomes of late ticks."""
    ticks = {timer.name: timer.tickpolicy for timer in definition.clock.timers}
    slew = "slew" if ticks.get(TimerName.RTC) is TickPolicy.CATCHUP else None
    yield from in_pairs("-rtc", "", {"base": str(definition.clock.offset), "driftfix": slew})
    pit = ticks.get(TimerName.PIT)
    if pit in {TickPolicy.DELAY, TickPolicy.DISCARD}:
        told = {"driver": "kvm-pit", "property": "lost_tick_policy", "value": str(pit)}
        yield from in_pairs("-global", "", told)


def make_power(definition: DomainDefinition) -> Iterator[str]:
    """Whether the guest is offered to sleep and to hibernate."""
    chip = "ICH9-LPC" if is_express(definition) else "PIIX4_PM"
    offers = {
        "disable_s3": definition.suspend_to_mem,
        "disable_s4": definition.suspend_to_disk,
    }
    for name, is_offered in offers.items():
        if is_offered is not None:
            told = {"driver": chip, "property": name, "value": str(int(not is_offered))}
            yield from in_pairs("-global", "", told)
