# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of signals that QEMU gets from outside.

Immutable.
"""

import signal as signals
from typing import Final

from tests.conformance.lifecycle.beginnings import ASLEEP, PAUSED, RUNNING, TRANSIENT, runs
from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.scenario import Scenario, call, guest, signal, up

__all__ = ["ALL"]

_SIGNALS: Final = (
    *(
        Scenario(f"qemu_{number.name.lower()}", (*RUNNING, signal(number)))
        for number in (
            signals.SIGINT,
            signals.SIGHUP,
            signals.SIGQUIT,
            signals.SIGABRT,
            signals.SIGSEGV,
        )
    ),
    Scenario("qemu_sigterm_paused", (*PAUSED, signal(signals.SIGTERM))),
    Scenario("qemu_sigterm_transient", (*TRANSIENT, signal(signals.SIGTERM))),
    Scenario("qemu_sigkill_paused", (*PAUSED, signal(signals.SIGKILL))),
    Scenario("qemu_sigkill_asleep", (*ASLEEP, signal(signals.SIGKILL))),
    Scenario("qemu_sigterm_asleep", (*ASLEEP, signal(signals.SIGTERM))),
    Scenario(
        "qemu_sigkill_crashed",
        runs(Machine(on_crash="preserve", has_pvpanic=True), guest("c"), signal(signals.SIGKILL)),
    ),
    Scenario("qemu_sigkill_then_start", (*RUNNING, signal(signals.SIGKILL), call("start"), up())),
    Scenario(
        "qemu_sigstop_and_sigcont",
        (*RUNNING, signal(signals.SIGSTOP), signal(signals.SIGCONT), call("suspend")),
    ),
    Scenario(
        "qemu_sigterm_on_poweroff_restart",
        runs(Machine(on_poweroff="restart"), signal(signals.SIGTERM)),
    ),
)

ALL: Final = (*_SIGNALS,)
