# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtual mainboard: features, processor, clock.

They stand apart because they are no devices: a guest has one of each, with a default.

Immutable. Every fact is checked when it is made: ``tests/definition/test_facts.py`` has the
invariants of all classes of facts at once.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from virevents.definition.facts import Facts, at, flag, part, parts
from virevents.definition.kinds import (
    ON_OFF,
    POSITIVE,
    WORD,
    YES_NO,
    Number,
    Pattern,
    Words,
)

__all__ = [
    "Clock",
    "ClockOffset",
    "Cpu",
    "CpuCheck",
    "CpuFeature",
    "CpuMatch",
    "CpuMode",
    "FeaturePolicy",
    "Features",
    "HyperV",
    "HyperVMode",
    "ModelFallback",
    "TickPolicy",
    "Timer",
    "TimerName",
]


_VENDOR: Final = Pattern(
    "1 to 12 letters, digits, blanks and '_.-'", "[A-Za-z0-9]([A-Za-z0-9 _.-]{0,10}[A-Za-z0-9])?"
)


class HyperVMode(StrEnum):
    """Whether the list of enlightenments or the host decides."""

    CUSTOM = "custom"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperV(Facts):
    """``<hyperv>``: what a Windows guest is offered of Hyper-V's interface; None is off."""

    TAG: ClassVar[str] = "hyperv"

    mode: HyperVMode | None = field(
        default=None, metadata=at("@mode", Words(HyperVMode), "who decides; none: this list")
    )
    relaxed: bool | None = field(
        default=None, metadata=at("relaxed@state", ON_OFF, "no watchdog over late timers")
    )
    vapic: bool | None = field(
        default=None, metadata=at("vapic@state", ON_OFF, "a virtual interrupt controller")
    )
    spinlocks: bool | None = field(
        default=None, metadata=at("spinlocks@state", ON_OFF, "tell of long spinning")
    )
    spinlock_retries: int | None = field(
        default=None,
        metadata=at("spinlocks@retries", Number(4095, 2**31 - 1), "spins before it is told"),
    )
    vpindex: bool | None = field(
        default=None, metadata=at("vpindex@state", ON_OFF, "numbers of virtual processors")
    )
    runtime: bool | None = field(
        default=None, metadata=at("runtime@state", ON_OFF, "time spent in the guest")
    )
    synic: bool | None = field(
        default=None, metadata=at("synic@state", ON_OFF, "synthetic interrupts")
    )
    stimer: bool | None = field(
        default=None, metadata=at("stimer@state", ON_OFF, "synthetic timers")
    )
    stimer_direct: bool | None = field(
        default=None, metadata=at("stimer/direct@state", ON_OFF, "timers that interrupt directly")
    )
    reset: bool | None = field(default=None, metadata=at("reset@state", ON_OFF, "a way to reset"))
    vendor_id: bool | None = field(
        default=None, metadata=at("vendor_id@state", ON_OFF, "a hypervisor's name of one's own")
    )
    vendor: str | None = field(
        default=None,
        metadata=at("vendor_id@value", _VENDOR, "it"),
    )
    frequencies: bool | None = field(
        default=None, metadata=at("frequencies@state", ON_OFF, "tell the clock rates")
    )
    reenlightenment: bool | None = field(
        default=None, metadata=at("reenlightenment@state", ON_OFF, "tell of migration")
    )
    tlbflush: bool | None = field(
        default=None, metadata=at("tlbflush@state", ON_OFF, "flushes in one call")
    )
    ipi: bool | None = field(
        default=None, metadata=at("ipi@state", ON_OFF, "interrupts between processors in one call")
    )
    evmcs: bool | None = field(
        default=None, metadata=at("evmcs@state", ON_OFF, "nested virtualization, made faster")
    )
    avic: bool | None = field(
        default=None, metadata=at("avic@state", ON_OFF, "use the host's interrupt controller")
    )

    def cross_check(self) -> None:
        """A value belongs to what is on."""
        if self.spinlock_retries is not None and not self.spinlocks:
            self.wrong("spinlocks@state", "expected on where there are retries, met none or off")
        if self.vendor is not None and not self.vendor_id:
            self.wrong("vendor_id@state", "expected on where there is a value, met none or off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features(Facts):
    """``<features>`` of the virtual mainboard."""

    TAG: ClassVar[str] = "features"

    acpi: bool = field(default=False, metadata=flag("acpi", "ACPI; without it no clean shutdown"))
    apic: bool = field(default=False, metadata=flag("apic", "an APIC; x86 guests have it anyway"))
    pae: bool = field(default=False, metadata=flag("pae", "PAE; x86 guests have it anyway"))
    hyperv: HyperV | None = field(
        default=None, metadata=part("hyperv", HyperV, "what Windows guests are offered")
    )
    kvm_hidden: bool | None = field(
        default=None, metadata=at("kvm/hidden@state", ON_OFF, "hide KVM from the guest")
    )
    pmu: bool | None = field(
        default=None, metadata=at("pmu@state", ON_OFF, "counters of the processor's events")
    )
    vmport: bool | None = field(
        default=None, metadata=at("vmport@state", ON_OFF, "VMware's I/O port; none: QEMU's choice")
    )
    smm: bool | None = field(
        default=None, metadata=at("smm@state", ON_OFF, "system management mode; for secure boot")
    )
    vmcoreinfo: bool | None = field(
        default=None, metadata=at("vmcoreinfo@state", ON_OFF, "details for a dump of the guest")
    )


class CpuMode(StrEnum):
    """Where the processor's model comes from."""

    CUSTOM = "custom"
    HOST_MODEL = "host-model"
    HOST_PASSTHROUGH = "host-passthrough"
    MAXIMUM = "maximum"


class CpuMatch(StrEnum):
    """How near the model the processor must be."""

    MINIMUM = "minimum"
    EXACT = "exact"
    STRICT = "strict"


class CpuCheck(StrEnum):
    """What is checked before the guest starts."""

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"


class ModelFallback(StrEnum):
    """Whether a model that the host lacks may be replaced."""

    ALLOW = "allow"
    FORBID = "forbid"


class FeaturePolicy(StrEnum):
    """What is done about one feature of the processor."""

    FORCE = "force"
    REQUIRE = "require"
    OPTIONAL = "optional"
    DISABLE = "disable"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuFeature(Facts):
    """``<feature>`` of a processor."""

    TAG: ClassVar[str] = "feature"

    policy: FeaturePolicy = field(
        default=FeaturePolicy.REQUIRE,
        metadata=at("@policy", Words(FeaturePolicy), "what is done about it"),
    )
    name: str = field(metadata=at("@name", WORD, "its name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu(Facts):
    """``<cpu>``: the guest's processor."""

    TAG: ClassVar[str] = "cpu"

    mode: CpuMode | None = field(
        default=None,
        metadata=at("@mode", Words(CpuMode, is_refusal=True), "where its model comes from"),
    )
    match: CpuMatch | None = field(
        default=None, metadata=at("@match", Words(CpuMatch), "how near the model it must be")
    )
    check: CpuCheck | None = field(
        default=None, metadata=at("@check", Words(CpuCheck), "what is checked before a start")
    )
    migratable: bool | None = field(
        default=None, metadata=at("@migratable", ON_OFF, "leave out what cannot be migrated")
    )
    model: str | None = field(default=None, metadata=at("model", WORD, "its model"))
    fallback: ModelFallback | None = field(
        default=None,
        metadata=at("model@fallback", Words(ModelFallback), "if the host lacks the model"),
    )
    vendor: str | None = field(default=None, metadata=at("vendor", WORD, "its vendor's name"))
    sockets: int | None = field(
        default=None, metadata=at("topology@sockets", POSITIVE, "sockets of the mainboard")
    )
    dies: int | None = field(
        default=None, metadata=at("topology@dies", POSITIVE, "dies of a socket")
    )
    cores: int | None = field(
        default=None, metadata=at("topology@cores", POSITIVE, "cores of a die")
    )
    threads: int | None = field(
        default=None, metadata=at("topology@threads", POSITIVE, "threads of a core")
    )
    features: tuple[CpuFeature, ...] = field(
        default=(), metadata=parts("feature", CpuFeature, "features one by one")
    )

    def cross_check(self) -> None:
        """A topology is whole; a feature stands once."""
        stated = [self.sockets, self.cores, self.threads]
        if None in stated and any(each is not None for each in [*stated, self.dies]):
            self.wrong("topology", "expected sockets, cores and threads, met not all of them")
        names = [each.name for each in self.features]
        if len(set(names)) < len(names):
            self.wrong("feature@name", "expected each feature once, met one again")


class ClockOffset(StrEnum):
    """What the guest's clock shows at start."""

    UTC = "utc"
    LOCALTIME = "localtime"


class TimerName(StrEnum):
    """The timers that a guest can have."""

    RTC = "rtc"
    PIT = "pit"
    HPET = "hpet"
    TSC = "tsc"
    KVMCLOCK = "kvmclock"
    HYPERVCLOCK = "hypervclock"


class TickPolicy(StrEnum):
    """What is done about ticks that came too late."""

    DELAY = "delay"
    CATCHUP = "catchup"
    DISCARD = "discard"
    MERGE = "merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Facts):
    """``<timer>`` of the clock."""

    TAG: ClassVar[str] = "timer"

    name: TimerName = field(metadata=at("@name", Words(TimerName), "which one"))
    present: bool | None = field(
        default=None, metadata=at("@present", YES_NO, "whether the guest has it")
    )
    tickpolicy: TickPolicy | None = field(
        default=None, metadata=at("@tickpolicy", Words(TickPolicy), "about late ticks")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Facts):
    """``<clock>``: the guest's clock and timers."""

    TAG: ClassVar[str] = "clock"

    offset: ClockOffset = field(
        default=ClockOffset.UTC,
        metadata=at(
            "@offset", Words(ClockOffset, is_refusal=True), "what the clock shows at start"
        ),
    )
    timers: tuple[Timer, ...] = field(default=(), metadata=parts("timer", Timer, "its timers"))

    def cross_check(self) -> None:
        """A timer stands once."""
        names = [each.name for each in self.timers]
        if len(set(names)) < len(names):
            self.wrong("timer@name", "expected each timer once, met one again")
