# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtual mainboard: what one fact asks of another."""

from collections.abc import Callable

import pytest

from virevents.definition import (
    Clock,
    Controller,
    ControllerKind,
    ControllerModel,
    Cpu,
    CpuFeature,
    FeaturePolicy,
    HyperV,
    Rng,
    RngModel,
    Timer,
    TimerName,
)
from virevents.definition.peripherals import BuiltinRandom
from virevents.errors import DefinitionError

_SVM = CpuFeature(name="svm", policy=FeaturePolicy.DISABLE)


@pytest.mark.parametrize(
    ("wrong", "element"),
    [
        (lambda: HyperV(spinlock_retries=8191), "spinlocks@state"),
        (lambda: HyperV(spinlocks=False, spinlock_retries=8191), "spinlocks@state"),
        (lambda: HyperV(vendor="KVM Hv"), "vendor_id@state"),
        (lambda: Cpu(sockets=1), "topology"),
        (lambda: Cpu(dies=1), "topology"),
        (lambda: Cpu(features=(_SVM, _SVM)), "feature@name"),
        (lambda: Clock(timers=(Timer(name=TimerName.RTC),) * 2), "timer@name"),
        (
            lambda: Controller(kind=ControllerKind.USB, index=0, model=ControllerModel.VIRTIO_SCSI),
            "controller@model",
        ),
        (
            lambda: Controller(kind=ControllerKind.FDC, index=0, model=ControllerModel.NONE),
            "controller@model",
        ),
        (
            lambda: Rng(model=RngModel.VIRTIO, rate_period=1000, backend=BuiltinRandom()),
            "rate@bytes",
        ),
    ],
)
def test_what_one_fact_asks_of_another(wrong: Callable[[], object], element: str) -> None:
    with pytest.raises(DefinitionError, match=f"^<{element}>: expected .*met") as met:
        wrong()
    assert met.value.element == element


def test_what_belongs_together() -> None:
    both = HyperV(spinlocks=True, spinlock_retries=8191, vendor_id=True, vendor="KVM Hv")
    assert (both.spinlock_retries, both.vendor) == (8191, "KVM Hv")
    assert Cpu(sockets=1, cores=2, threads=1, features=(_SVM,)).dies is None
