# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of saving, restoring and core dumps.

Immutable.
"""

from typing import Final

from tests.conformance.lifecycle.beginnings import (
    ASLEEP,
    DUMP,
    IMAGE,
    PAUSED,
    PLAIN,
    PUT_ASIDE,
    RUNNING,
    SAVED,
    TRANSIENT,
)
from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.scenario import Scenario, Step, call, guest, host, up

__all__ = ["ALL"]

_SAVES: Final = (
    Scenario("save_paused", (*PAUSED, call("save", "web1", IMAGE), call("restore", IMAGE))),
    Scenario(
        "save_running_flag",
        (*PAUSED, call("save", "web1", IMAGE, running=True), call("restore", IMAGE)),
    ),
    Scenario(
        "save_paused_flag",
        (*RUNNING, call("save", "web1", IMAGE, paused=True), call("restore", IMAGE)),
    ),
    Scenario("restore_paused_flag", (*SAVED, call("restore", IMAGE, paused=True))),
    Scenario(
        "restore_running_flag",
        (
            *PAUSED,
            call("save", "web1", IMAGE),
            call("restore", IMAGE, running=True),
        ),
    ),
    Scenario(
        "restore_resume",
        (
            *SAVED,
            call("restore", IMAGE, paused=True),
            call("resume"),
            guest("p"),
        ),
    ),
    Scenario("restore_twice", (*SAVED, call("restore", IMAGE), call("restore", IMAGE))),
    Scenario("restore_after_undefine", (*SAVED, call("undefine"), call("restore", IMAGE))),
    Scenario(
        "restore_after_define_again",
        (*SAVED, call("define", Machine(title="new")), call("restore", IMAGE)),
    ),
    Scenario(
        "restore_name_taken",
        (
            *SAVED,
            call("undefine"),
            call("define", Machine(identity=2)),
            call("restore", IMAGE),
        ),
    ),
    Scenario("restore_missing", (call("restore", IMAGE),)),
    Scenario("restore_spoiled", (*SAVED, host("spoil", "image"), call("restore", IMAGE))),
    Scenario("save_to_nowhere", (*RUNNING, call("save", "web1", "FOLDER/missing/image"))),
    Scenario(
        "save_transient",
        (
            *TRANSIENT,
            call("save", "web1", IMAGE),
            call("restore", IMAGE),
            call("destroy"),
        ),
    ),
    Scenario("save_over_image", (*SAVED, call("start"), up(), call("save", "web1", IMAGE))),
    Scenario("managed_save_start", (*PUT_ASIDE, call("start"), guest("p"))),
    Scenario("managed_save_paused_start", (*PAUSED, call("managed_save"), call("start"))),
    Scenario("managed_save_start_paused", (*PUT_ASIDE, call("start", "web1", paused=True))),
    Scenario(
        "managed_save_running_flag",
        (*PAUSED, call("managed_save", "web1", running=True), call("start")),
    ),
    Scenario(
        "managed_save_paused_flag",
        (*RUNNING, call("managed_save", "web1", paused=True), call("start")),
    ),
    Scenario(
        "managed_save_force_boot",
        (
            *PUT_ASIDE,
            call("start", "web1", force_boot=True),
            up(),
        ),
    ),
    Scenario(
        "managed_save_remove",
        (
            *PUT_ASIDE,
            call("managed_save_remove"),
            call("start"),
            up(),
        ),
    ),
    Scenario(
        "managed_save_remove_twice",
        (
            *PUT_ASIDE,
            call("managed_save_remove"),
            call("managed_save_remove"),
        ),
    ),
    Scenario("managed_save_remove_when_running", (*RUNNING, call("managed_save_remove"))),
    Scenario("managed_save_transient", (*TRANSIENT, call("managed_save"))),
    Scenario("managed_save_twice", (*PUT_ASIDE, call("start"), call("managed_save"))),
    Scenario("managed_save_create", (*PUT_ASIDE, call("create", PLAIN))),
    Scenario(
        "managed_save_define_again",
        (
            *PUT_ASIDE,
            call("define", Machine(title="new")),
            call("start"),
        ),
    ),
)


def _on(*flags: str) -> tuple[tuple[str, bool], ...]:
    return tuple((flag, True) for flag in flags)


_DUMPS: Final = (
    Scenario("core_dump", (*RUNNING, call("core_dump", "web1", DUMP))),
    Scenario("core_dump_live", (*RUNNING, call("core_dump", "web1", DUMP, live=True))),
    Scenario("core_dump_crash", (*RUNNING, call("core_dump", "web1", DUMP, crash=True))),
    Scenario("core_dump_reset", (*RUNNING, call("core_dump", "web1", DUMP, reset=True), up())),
    Scenario("core_dump_paused", (*PAUSED, call("core_dump", "web1", DUMP))),
    Scenario("core_dump_crash_paused", (*PAUSED, call("core_dump", "web1", DUMP, crash=True))),
    Scenario("core_dump_reset_paused", (*PAUSED, call("core_dump", "web1", DUMP, reset=True))),
    Scenario(
        "core_dump_crash_transient", (*TRANSIENT, call("core_dump", "web1", DUMP, crash=True))
    ),
    *(
        Scenario(
            "_".join(["core_dump_elf", *beginning, *flags]),
            (*steps, Step("call", "core_dump", ("web1", DUMP), _on("memory_only", *flags))),
        )
        for beginning, steps in (((), RUNNING), (("paused",), PAUSED), (("asleep",), ASLEEP))
        for flags in ((), ("live",), ("crash",), ("reset",))
    ),
    Scenario("core_dump_to_nowhere", (*RUNNING, call("core_dump", "web1", "FOLDER/no/core"))),
)

ALL: Final = (*_SAVES, *_DUMPS)
