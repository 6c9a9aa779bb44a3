# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of what guests do by themselves, and of what calls do to them then.

Immutable.
"""

from typing import Final

from tests.conformance.lifecycle.beginnings import (
    ASLEEP,
    DUMP,
    IMAGE,
    PANICS,
    PAUSED,
    RUNNING,
    TRANSIENT,
    runs,
)
from tests.conformance.lifecycle.machine import Emulator, Machine
from tests.conformance.lifecycle.scenario import Scenario, call, guest, later, up

__all__ = ["ALL"]

_ACTIONS: Final = (
    Scenario("on_poweroff_restart_guest", runs(Machine(on_poweroff="restart"), guest("p"), up())),
    Scenario(
        "on_poweroff_restart_shutdown",
        runs(Machine(on_poweroff="restart"), call("shutdown"), up()),
    ),
    Scenario("on_reboot_destroy_guest", runs(Machine(on_reboot="destroy"), guest("r"))),
    Scenario("on_reboot_destroy_triple_fault", runs(Machine(on_reboot="destroy"), guest("t"))),
    Scenario("on_reboot_destroy_reboot", runs(Machine(on_reboot="destroy"), call("reboot"))),
    Scenario("on_reboot_destroy_reset", runs(Machine(on_reboot="destroy"), call("reset"))),
    Scenario("on_both_restart_guest", runs(Machine(on_poweroff="restart"), guest("r"), up())),
    Scenario("on_crash_restart", runs(Machine(on_crash="restart", has_pvpanic=True), guest("c"))),
    Scenario("on_crash_preserve", runs(Machine(on_crash="preserve", has_pvpanic=True), guest("c"))),
    Scenario(
        "on_crash_coredump_restart",
        runs(Machine(on_crash="coredump-restart", has_pvpanic=True), guest("c")),
    ),
    Scenario("panic_transient", (call("create", PANICS), up(), guest("c"))),
    Scenario("panic_without_pvpanic", (*RUNNING, guest("c"))),
    Scenario("crash_loaded", runs(PANICS, guest("l"))),
    Scenario("crash_loaded_then_panic", runs(PANICS, guest("l"), guest("c"))),
    *(
        Scenario(
            f"{verb}_when_crashed",
            runs(
                Machine(on_crash="preserve", has_pvpanic=True),
                guest("c"),
                call(verb, "web1", *arguments),
            ),
        )
        for verb, *arguments in (
            ("resume",),
            ("suspend",),
            ("destroy",),
            ("shutdown",),
            ("reboot",),
            ("reset",),
            ("start",),
            ("save", IMAGE),
            ("core_dump", DUMP),
        )
    ),
)

_GUEST: Final = (
    Scenario("reset_by_keyboard", (*RUNNING, guest("k"), up())),
    Scenario("reset_three_times", (*RUNNING, guest("r"), up(), guest("k"), up(), guest("t"), up())),
    Scenario("reset_transient", (*TRANSIENT, guest("r"), up())),
    Scenario("letter_when_paused", (*PAUSED, later("p"), call("resume"))),
    Scenario("sleep_and_wakeup", (*ASLEEP, call("pm_wakeup"), up())),
    Scenario("sleep_when_disabled", runs(Machine(sleeps=()), guest("s"))),
    Scenario("sleep_to_disk", (*RUNNING, guest("d"))),
    Scenario("pm_wakeup_when_running", (*RUNNING, call("pm_wakeup"))),
    Scenario("pm_suspend_without_agent", (*RUNNING, call("pm_suspend", "web1", "memory"))),
    Scenario("pm_suspend_disk_without_agent", (*RUNNING, call("pm_suspend", "web1", "disk"))),
    Scenario("pm_suspend_hybrid_without_agent", (*RUNNING, call("pm_suspend", "web1", "hybrid"))),
    Scenario(
        "pm_suspend_memory_disabled",
        runs(Machine(sleeps=()), call("pm_suspend", "web1", "memory")),
    ),
    *(
        Scenario(f"{verb}_when_asleep", (*ASLEEP, call(verb, "web1", *arguments)))
        for verb, *arguments in (
            ("suspend",),
            ("resume",),
            ("destroy",),
            ("shutdown",),
            ("reboot",),
            ("reset",),
            ("start",),
            ("save", IMAGE),
            ("managed_save",),
            ("core_dump", DUMP),
            ("pm_suspend", "memory"),
        )
    ),
    *(
        Scenario(f"watchdog_{action}", runs(Machine(watchdog=action), guest("w")))
        for action in ("reset", "shutdown", "poweroff", "pause", "none", "dump", "inject-nmi")
    ),
    Scenario(
        "watchdog_pause_then_resume", runs(Machine(watchdog="pause"), guest("w"), call("resume"))
    ),
    Scenario(
        "watchdog_pause_then_destroy", runs(Machine(watchdog="pause"), guest("w"), call("destroy"))
    ),
    Scenario("no_watchdog", (*RUNNING, guest("w"))),
)

_DISKS: Final = (
    *(
        Scenario(
            f"io_error_{policy}",
            runs(Machine(disk="disk", error_policy=policy, emulator=Emulator.LIMITED), guest("b")),
        )
        for policy in ("report", "ignore", "enospace")
    ),
    Scenario(
        "io_error_no_policy", runs(Machine(disk="disk", emulator=Emulator.LIMITED), guest("b"))
    ),
    Scenario(
        "io_error_stop_again",
        runs(
            Machine(disk="disk", error_policy="stop", emulator=Emulator.LIMITED),
            guest("b"),
            call("resume"),
        ),
    ),
    *(
        Scenario(
            f"{verb}_after_io_error",
            runs(
                Machine(disk="disk", error_policy="stop", emulator=Emulator.LIMITED),
                guest("b"),
                call(verb),
            ),
        )
        for verb in ("destroy", "suspend", "reset", "shutdown")
    ),
    Scenario("disk_written", runs(Machine(disk="disk", error_policy="stop"), guest("b"))),
)

ALL: Final = (*_ACTIONS, *_GUEST, *_DISKS)
