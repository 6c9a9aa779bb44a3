# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of definitions, and of calls on a domain that is off.

Immutable.
"""

from typing import Final

from tests.conformance.lifecycle.beginnings import (
    DEFINE,
    DUMP,
    IMAGE,
    OTHER,
    PAUSED,
    PUT_ASIDE,
    RUNNING,
    TRANSIENT,
)
from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.scenario import Scenario, call, up

__all__ = ["ALL"]

_DEFINITIONS: Final = (
    Scenario("define_same_name_other_uuid", (DEFINE, call("define", Machine(identity=2)))),
    Scenario("define_same_uuid_other_name", (DEFINE, call("define", Machine("web2")))),
    Scenario("define_when_running", (*RUNNING, call("define", Machine(title="new")))),
    Scenario("define_when_transient", (*TRANSIENT, DEFINE, call("destroy"), call("start"), up())),
    Scenario("define_no_xml", (call("define", "<domain"),)),
    Scenario(
        "define_without_name", (call("define", "<domain type='qemu'><memory>8</memory></domain>"),)
    ),
    Scenario("define_failure_on_reboot_preserve", (call("define", Machine(on_reboot="preserve")),)),
    Scenario(
        "define_on_poweroff_rename_restart",
        (call("define", Machine(on_poweroff="rename-restart")),),
    ),
    Scenario(
        "define_on_crash_rename_restart", (call("define", Machine(on_crash="rename-restart")),)
    ),
    Scenario(
        "define_on_poweroff_coredump", (call("define", Machine(on_poweroff="coredump-destroy")),)
    ),
    Scenario(
        "define_on_poweroff_restart_on_reboot_destroy",
        (call("define", Machine(on_poweroff="restart", on_reboot="destroy")),),
    ),
    Scenario("undefine_twice", (DEFINE, call("undefine"), call("undefine"))),
    Scenario("undefine_transient", (*TRANSIENT, call("undefine"))),
    Scenario("undefine_managed_save_refused", (*PUT_ASIDE, call("undefine"))),
    Scenario(
        "undefine_managed_save_with_flag",
        (*PUT_ASIDE, call("undefine", "web1", managed_save=True)),
    ),
    Scenario("autostart_transient", (*TRANSIENT, call("set_autostart", "web1", True))),
    Scenario(
        "autostart_then_rename",
        (
            DEFINE,
            call("set_autostart", "web1", True),
            call("rename", "web1", "web2"),
            call("is_autostarted", "web2"),
        ),
    ),
    Scenario(
        "autostart_twice_and_off",
        (
            DEFINE,
            call("set_autostart", "web1", True),
            call("set_autostart", "web1", True),
            call("set_autostart", "web1", False),
            call("is_autostarted", "web1"),
        ),
    ),
    Scenario("rename", (DEFINE, call("rename", "web1", "web2"), call("rename", "web2", "web1"))),
    Scenario("rename_when_running", (*RUNNING, call("rename", "web1", "web2"))),
    Scenario("rename_when_paused", (*PAUSED, call("rename", "web1", "web2"))),
    Scenario("rename_same_name", (DEFINE, call("rename", "web1", "web1"))),
    Scenario("rename_to_another", (DEFINE, call("define", OTHER), call("rename", "web1", "web2"))),
    Scenario(
        "rename_bad_name", (DEFINE, call("rename", "web1", "a/b"), call("rename", "web1", ""))
    ),
    Scenario("rename_with_managed_save", (*PUT_ASIDE, call("rename", "web1", "web2"))),
    Scenario("rename_transient", (*TRANSIENT, call("rename", "web1", "web2"))),
)

_WHEN_OFF: Final = tuple(
    Scenario(f"{verb}_when_off", (DEFINE, call(verb, "web1", *arguments)))
    for verb, *arguments in (
        ("suspend",),
        ("resume",),
        ("shutdown",),
        ("reboot",),
        ("reset",),
        ("save", IMAGE),
        ("managed_save",),
        ("managed_save_remove",),
        ("core_dump", DUMP),
        ("pm_suspend", "memory"),
        ("pm_wakeup",),
    )
)

ALL: Final = (*_DEFINITIONS, *_WHEN_OFF)
