# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenarios that lead to each row of the golden sample (``data/golden_sample.json``).

The row is the last step, where nothing else is said.

Immutable.
"""

import signal as signals
from typing import Final

from tests.conformance.lifecycle.beginnings import IMAGE, PLAIN, RUNNING, TRANSIENT, runs
from tests.conformance.lifecycle.machine import Emulator, Machine
from tests.conformance.lifecycle.scenario import Scenario, call, guest, host, signal, up

__all__ = ["ALL"]

_OFF: Final = (
    Scenario("define", (call("define", PLAIN),)),
    Scenario("define_again_same_uuid", (call("define", PLAIN), call("define", PLAIN))),
    Scenario("undefine", (call("define", PLAIN), call("undefine"))),
    Scenario("start", (call("define", PLAIN), call("start"))),
    Scenario("destroy_when_off", (call("define", PLAIN), call("destroy"))),
    Scenario("set_autostart", (call("define", PLAIN), call("set_autostart", "web1", True))),
    Scenario("create_transient", (call("create", PLAIN),)),
    Scenario(
        "define_failure_on_poweroff_preserve", (call("define", Machine(on_poweroff="preserve")),)
    ),
    Scenario(
        "define_failure_missing_emulator", (call("define", Machine(emulator=Emulator.MISSING)),)
    ),
    Scenario(
        "start_failure_bad_emulator_arg",
        (call("define", Machine(emulator=Emulator.REFUSES)), call("start")),
    ),
    Scenario(
        "start_failure_bad_emulator_arg_transient",
        (call("create", Machine(emulator=Emulator.REFUSES)),),
    ),
    Scenario(
        "start_failure_emulator_exits",
        (call("define", Machine(emulator=Emulator.EXITS)), call("start")),
    ),
    Scenario(
        "start_failure_missing_disk", (call("define", Machine(disk="nowhere")), call("start"))
    ),
)

_CALLS: Final = (
    Scenario("suspend", (*RUNNING, call("suspend"))),
    Scenario("suspend_when_paused", (*RUNNING, call("suspend"), call("suspend"))),
    Scenario("resume", (*RUNNING, call("suspend"), call("resume"))),
    Scenario("resume_when_running", (*RUNNING, call("resume"))),
    Scenario("start_when_running", (*RUNNING, call("start"))),
    Scenario("shutdown_acpi", (*RUNNING, call("shutdown"))),
    Scenario("shutdown_ignored_by_guest", (*RUNNING, guest("h"), call("shutdown"))),
    Scenario("reboot_acpi", (*RUNNING, call("reboot"), up()), tail=2),
    Scenario("reset", (*RUNNING, call("reset"), up()), tail=2),
    Scenario("destroy", (*RUNNING, call("destroy"))),
    Scenario("undefine_while_running", (*RUNNING, call("undefine"))),
    Scenario("destroy_after_undefine", (*RUNNING, call("undefine"), call("destroy"))),
    Scenario("destroy_transient", (*TRANSIENT, call("destroy"))),
    Scenario("save", (*RUNNING, call("save", "web1", IMAGE))),
    Scenario("restore", (*RUNNING, call("save", "web1", IMAGE), call("restore", IMAGE))),
    Scenario("managedsave", (*RUNNING, call("managed_save"))),
)

_GUEST: Final = (
    Scenario("shutdown_guest_initiated", (*RUNNING, guest("p"))),
    Scenario("reboot_guest_initiated", (*RUNNING, guest("r"), up()), tail=2),
    Scenario("reboot_guest_triple_fault", (*RUNNING, guest("t"), up()), tail=2),
    Scenario("pmsuspend_guest_s3", (*RUNNING, guest("s"))),
    Scenario("panic_on_crash_destroy", runs(Machine(has_pvpanic=True), guest("c"))),
    Scenario(
        "panic_on_crash_coredump_destroy",
        runs(Machine(has_pvpanic=True, on_crash="coredump-destroy"), guest("c")),
    ),
    Scenario(
        "io_error_stop",
        runs(Machine(disk="disk", error_policy="stop", emulator=Emulator.LIMITED), guest("b")),
    ),
    Scenario(
        "resume_after_io_error",
        runs(
            Machine(disk="disk", error_policy="stop", emulator=Emulator.LIMITED),
            guest("b"),
            host("make_room"),
            call("resume"),
        ),
    ),
)

_SIGNALS: Final = (
    Scenario("qemu_sigkill", (*RUNNING, signal(signals.SIGKILL))),
    Scenario("qemu_sigkill_transient", (*TRANSIENT, signal(signals.SIGKILL))),
    Scenario("qemu_sigterm", (*RUNNING, signal(signals.SIGTERM))),
)

ALL: Final = (*_OFF, *_CALLS, *_GUEST, *_SIGNALS)
