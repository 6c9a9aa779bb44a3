# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios in which the manager of the domains is away for a while: libvirtd killed, we closed.

What libvirt makes of it is its state and reason afterwards; it tells no events of the time.

Immutable.
"""

import signal as signals
from typing import Final

from tests.conformance.lifecycle.beginnings import (
    ASLEEP,
    DEFINE,
    PANICS,
    PAUSED,
    PUT_ASIDE,
    RUNNING,
    SAVED,
    TRANSIENT,
    runs,
)
from tests.conformance.lifecycle.machine import Emulator, Machine
from tests.conformance.lifecycle.scenario import (
    Scenario,
    back,
    call,
    guest,
    leave,
    signal,
    up,
)

__all__ = ["ALL"]

_PRESERVED: Final = Machine(on_crash="preserve", has_pvpanic=True)
_FULL: Final = Machine(disk="disk", error_policy="stop", emulator=Emulator.LIMITED)
_WATCHED: Final = Machine(watchdog="pause")

_AS_BEFORE: Final = (
    Scenario("away_off", (DEFINE, leave(), back(), call("start"), up())),
    Scenario("away_running", (*RUNNING, leave(), back(), call("suspend"))),
    Scenario("away_paused", (*PAUSED, leave(), back(), call("resume"))),
    Scenario(
        "away_started_paused",
        (DEFINE, call("start", "web1", paused=True), leave(), back(), call("resume"), up()),
    ),
    Scenario("away_asleep", (*ASLEEP, leave(), back(), call("pm_wakeup"), up())),
    Scenario("away_crashed", runs(_PRESERVED, guest("c"), leave(), back(), call("destroy"))),
    Scenario("away_io_error", runs(_FULL, guest("b"), leave(), back(), call("destroy"))),
    Scenario("away_watchdog", runs(_WATCHED, guest("w"), leave(), back(), call("resume"))),
    Scenario("away_transient", (*TRANSIENT, leave(), back(), call("destroy"))),
    Scenario("away_undefined", (*RUNNING, call("undefine"), leave(), back(), call("destroy"))),
    Scenario("away_managed_save", (*PUT_ASIDE, leave(), back(), call("start"))),
    Scenario("away_saved", (*SAVED, leave(), back(), call("start"), up())),
    Scenario("away_destroyed", (*RUNNING, call("destroy"), leave(), back())),
    Scenario("away_powered_off", (*RUNNING, guest("p"), leave(), back())),
    Scenario("away_twice", (*RUNNING, leave(), back(), leave(), back(), call("shutdown"))),
)

_MEANWHILE: Final = (
    Scenario("while_away_sigkill", (*RUNNING, leave(), signal(signals.SIGKILL), back())),
    Scenario("while_away_sigterm", (*RUNNING, leave(), signal(signals.SIGTERM), back())),
    Scenario(
        "while_away_sigkill_transient", (*TRANSIENT, leave(), signal(signals.SIGKILL), back())
    ),
    Scenario("while_away_poweroff", (*RUNNING, leave(), guest("p"), back())),
    Scenario("while_away_poweroff_transient", (*TRANSIENT, leave(), guest("p"), back())),
    Scenario(
        "while_away_poweroff_restart",
        runs(Machine(on_poweroff="restart"), leave(), guest("p"), back()),
    ),
    Scenario("while_away_reset", (*RUNNING, leave(), guest("r"), up(), back(), call("suspend"))),
    Scenario("while_away_sleep", (*RUNNING, leave(), guest("s"), back())),
    Scenario("while_away_panic", runs(PANICS, leave(), guest("c"), back())),
    Scenario("while_away_panic_preserve", runs(_PRESERVED, leave(), guest("c"), back())),
    Scenario("while_away_io_error", runs(_FULL, leave(), guest("b"), back())),
    Scenario("while_away_watchdog", runs(_WATCHED, leave(), guest("w"), back())),
)

ALL: Final = (*_AS_BEFORE, *_MEANWHILE)
