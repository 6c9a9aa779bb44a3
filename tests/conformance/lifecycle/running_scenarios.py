# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of starting and ending domains by calls.

Immutable.
"""

import signal as signals
from typing import Final

from tests.conformance.lifecycle.beginnings import (
    DEFINE,
    DUMP,
    IMAGE,
    OTHER,
    PAUSED,
    PLAIN,
    RUNNING,
    TRANSIENT,
    runs,
)
from tests.conformance.lifecycle.machine import Emulator, Machine
from tests.conformance.lifecycle.scenario import Scenario, call, guest, host, signal, up

__all__ = ["ALL"]

_STARTS: Final = (
    Scenario("start_paused", (DEFINE, call("start", "web1", paused=True), call("resume"), up())),
    Scenario("create_paused", (call("create", PLAIN, paused=True), call("resume"), up())),
    Scenario("start_paused_destroy", (DEFINE, call("start", "web1", paused=True), call("destroy"))),
    Scenario("create_when_running", (*RUNNING, call("create", PLAIN))),
    Scenario("create_when_transient", (*TRANSIENT, call("create", PLAIN))),
    Scenario("create_when_defined", (DEFINE, call("create", PLAIN), up(), call("destroy"))),
    Scenario("create_same_name_other_uuid", (DEFINE, call("create", Machine(identity=2)))),
    Scenario("create_same_uuid_other_name", (DEFINE, call("create", Machine("web2")))),
    Scenario("create_failure_missing_disk", (call("create", Machine(disk="nowhere")),)),
    Scenario("create_failure_emulator_exits", (call("create", Machine(emulator=Emulator.EXITS)),)),
    Scenario(
        "create_failure_when_defined",
        (DEFINE, call("create", Machine(emulator=Emulator.EXITS)), call("start"), up()),
    ),
    Scenario(
        "start_after_failure",
        (
            call("define", Machine(emulator=Emulator.EXITS)),
            call("start"),
            DEFINE,
            call("start"),
            up(),
        ),
    ),
    Scenario("start_twice_after_destroy", (*RUNNING, call("destroy"), call("start"), up())),
    Scenario(
        "create_autodestroy",
        (
            call("open", on="b"),
            call("create", PLAIN, on="b", autodestroy=True),
            call("close", on="b"),
        ),
    ),
    Scenario(
        "start_autodestroy",
        (
            DEFINE,
            call("open", on="b"),
            call("start", "web1", on="b", autodestroy=True),
            call("close", on="b"),
        ),
    ),
    Scenario(
        "start_autodestroy_destroyed_before",
        (
            DEFINE,
            call("open", on="b"),
            call("start", "web1", on="b", autodestroy=True),
            call("destroy"),
            call("start"),
            call("close", on="b"),
        ),
    ),
    Scenario(
        "close_without_autodestroy",
        (call("open", on="b"), call("create", PLAIN, on="b"), call("close", on="b")),
    ),
    Scenario(
        "autodestroy_save_refused",
        (
            call("open", on="b"),
            call("create", PLAIN, on="b", autodestroy=True),
            up(),
            call("save", "web1", IMAGE),
            call("core_dump", "web1", DUMP),
            call("close", on="b"),
        ),
    ),
)

_ENDS: Final = (
    Scenario("destroy_graceful", (*RUNNING, call("destroy", "web1", graceful=True))),
    Scenario("destroy_paused", (*PAUSED, call("destroy"))),
    Scenario("destroy_graceful_paused", (*PAUSED, call("destroy", "web1", graceful=True))),
    Scenario("destroy_twice", (*RUNNING, call("destroy"), call("destroy"))),
    Scenario("destroy_transient_twice", (*TRANSIENT, call("destroy"), call("destroy"))),
    Scenario("shutdown_paused_then_resume", (*PAUSED, call("shutdown"), call("resume"))),
    Scenario("shutdown_transient", (*TRANSIENT, call("shutdown"))),
    Scenario("shutdown_after_undefine", (*RUNNING, call("undefine"), call("shutdown"))),
    Scenario("poweroff_transient", (*TRANSIENT, guest("p"))),
    Scenario("poweroff_then_start", (*RUNNING, guest("p"), call("start"), up())),
    Scenario("reboot_paused_then_resume", (*PAUSED, call("reboot"), call("resume"), up())),
    Scenario("reset_paused_then_resume", (*PAUSED, call("reset"), call("resume"), up())),
    Scenario(
        "reboot_ignored_then_shutdown",
        (*RUNNING, guest("h"), call("reboot"), call("shutdown"), call("reset"), up()),
    ),
    Scenario("reboot_then_poweroff", (*RUNNING, call("reboot"), up(), guest("p"))),
    Scenario("reboot_twice", (*RUNNING, call("reboot"), up(), call("reboot"), up())),
    Scenario("reset_twice", (*RUNNING, call("reset"), up(), call("reset"), up())),
    Scenario("reboot_transient", (*TRANSIENT, call("reboot"), up())),
)

_TWO: Final = (
    Scenario(
        "two_domains",
        (
            DEFINE,
            call("create", OTHER),
            up("web2"),
            call("start"),
            up(),
            call("suspend", "web2"),
            guest("r"),
            up(),
            call("destroy", "web2"),
            guest("p"),
        ),
    ),
    Scenario(
        "two_domains_both_power_off",
        (*RUNNING, call("create", OTHER), up("web2"), guest("p", "web2"), guest("p")),
    ),
    Scenario(
        "two_domains_one_is_killed",
        (
            *RUNNING,
            call("create", OTHER),
            up("web2"),
            signal(signals.SIGKILL),
            guest("r", "web2"),
            up("web2"),
        ),
    ),
)

_FLASHED: Final = Machine(has_variables=True)
_HAS_RUN: Final = runs(_FLASHED, call("destroy"))

_FIRMWARE: Final = (
    Scenario("nvram_undefine_refused", (*_HAS_RUN, call("undefine"))),
    Scenario("nvram_undefine_remove", (*_HAS_RUN, call("undefine", "web1", nvram=True))),
    Scenario(
        "nvram_undefine_keep",
        (
            *_HAS_RUN,
            call("undefine", "web1", keep_nvram=True),
            call("define", _FLASHED),
            call("undefine"),
        ),
    ),
    Scenario("nvram_never_started", (call("define", _FLASHED), call("undefine"))),
    Scenario(
        "nvram_transient",
        (call("create", _FLASHED), up(), call("destroy"), call("create", _FLASHED), up()),
    ),
    Scenario(
        "nvram_undefine_when_running",
        runs(_FLASHED, call("undefine"), call("undefine", "web1", keep_nvram=True)),
    ),
    Scenario("nvram_undefine_without_any", (DEFINE, call("undefine", "web1", nvram=True))),
    Scenario("nvram_save", runs(_FLASHED, call("save", "web1", IMAGE), call("restore", IMAGE))),
    Scenario("nvram_rename", (*_HAS_RUN, call("rename", "web1", "web2"), call("undefine", "web2"))),
    Scenario(
        "nvram_without_template",
        (host("remove", "template"), call("define", _FLASHED), call("start")),
    ),
    Scenario("nvram_poweroff", runs(_FLASHED, guest("p"), call("start"), up())),
)

ALL: Final = (*_STARTS, *_ENDS, *_TWO, *_FIRMWARE)
