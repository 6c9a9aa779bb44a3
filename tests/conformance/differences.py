# SPDX-License-Identifier: LGPL-2.1-or-later
"""What our QEMU driver does in another way than libvirt's, on purpose: each with the reason.

``test_golden_qemu.py`` holds us to what is written here as it holds us to the recording
everywhere else, and sees that libvirt really does not do the same.

Immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.conformance.lifecycle.machine import Json
from tests.conformance.lifecycle.outcome import Change

__all__ = ["DIFFERENCES", "STOPPED_HAS_NO_ID", "Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is done in another way.

    Attributes:
        what: In a sentence.
        why: The reason.
        where: For each scenario, by the number of the step, what is ours in place of libvirt's;
            more than one where it is a race whether a guest or we are quicker.
        is_sometimes: Whether what libvirt was seen to do may come as well.
    """

    what: str
    why: str
    where: Mapping[str, Mapping[int, Change | tuple[Change, ...]]]
    is_sometimes: bool = False

    def changes(self, scenario: str) -> dict[int, tuple[Change, ...]]:
        """Give what is ours in a scenario."""
        found = self.where.get(scenario, {})
        return {n: one if isinstance(one, tuple) else (one,) for n, one in found.items()}


def _lifecycle(*words: str) -> list[Json]:
    return ["lifecycle", "web1", *words]


_PAUSES: Final = _lifecycle("suspended", "paused")
_GOES_ON: Final = _lifecycle("resumed", "unpaused")
_CRASHES: Final = _lifecycle("stopped", "crashed")

_POWERED_OFF: Final = [_lifecycle("shutdown", "guest"), _lifecycle("stopped", "shutdown")]

_ASLEEP: Final = {"web1": "pmsuspended unknown active persistent"}
_IO_ERRORS: Final[list[list[Json]]] = [
    ["io-error", "web1", "FOLDER/disk", "ide0-0-0", 1],
    ["io-error-reason", "web1", "FOLDER/disk", "ide0-0-0", 1, ""],
]

_DUMP: Final = Difference(
    what="a core dump tells of no migration, and wakes no guest",
    why=(
        "libvirt's plain dump is a migration stream that only QEMU reads; ours is always the ELF "
        "file that debuggers read, which is libvirt's dump of memory only, and tells the same"
    ),
    where={
        "core_dump": {3: Change(events=[_PAUSES, _GOES_ON])},
        "core_dump_live": {3: Change(events=[_PAUSES, _GOES_ON])},
        "core_dump_crash": {3: Change(events=[_PAUSES, _CRASHES])},
        "core_dump_reset": {3: Change(events=[_PAUSES, ["reboot", "web1"], _GOES_ON])},
        "core_dump_crash_transient": {2: Change(events=[_PAUSES, _CRASHES])},
        "core_dump_paused": {4: Change(events=[])},
        "core_dump_crash_paused": {4: Change(events=[_CRASHES])},
        "core_dump_reset_paused": {4: Change(events=[["reboot", "web1"]])},
        "core_dump_when_crashed": {4: Change(events=[])},
        "core_dump_when_asleep": {4: Change(events=[], domains=_ASLEEP)},
    },
)

_CONTROL: Final = Difference(
    what="a reset that on_reboot=destroy makes an end is no error of the monitor",
    why=(
        "QEMU ends while libvirt waits for the reset's answer, and libvirt tells of a broken "
        "monitor; the end was asked for, and nothing is broken"
    ),
    where={
        "on_reboot_destroy_reset": {
            3: Change(events=[_lifecycle("shutdown", "host"), _lifecycle("stopped", "shutdown")])
        }
    },
)

_FOUND: Final = Difference(
    what="what happened while nobody managed the domain is told when its driver is opened, once",
    why=(
        "libvirt brings its states up to date in silence, or tells half, or not, as a race with "
        "its clients falls: whoever waits for the end of a domain would wait for ever"
    ),
    where={
        "while_away_sigkill": {5: Change(events=[_lifecycle("stopped", "failed")])},
        "while_away_sigterm": {5: Change(events=[_lifecycle("stopped", "failed")])},
        "while_away_sigkill_transient": {4: Change(events=[_lifecycle("stopped", "failed")])},
        "while_away_poweroff": {5: Change(events=_POWERED_OFF)},
        "while_away_poweroff_transient": {4: Change(events=_POWERED_OFF)},
        "while_away_panic_preserve": {5: Change(events=[_lifecycle("crashed", "panicked")])},
        "while_away_io_error": {
            5: (
                Change(events=[_lifecycle("suspended", "ioerror")]),
                Change(events=[*_IO_ERRORS, _lifecycle("suspended", "ioerror")]),
            )
        },
        "while_away_watchdog": {
            5: (
                Change(events=[_lifecycle("suspended", "watchdog")]),
                Change(events=[["watchdog", "web1", 1], _lifecycle("suspended", "watchdog")]),
            )
        },
    },
)

_SLEEPS: Final = Difference(
    what="a guest that went to sleep while nobody managed it is found asleep",
    why="libvirt finds it paused, and can then neither wake nor resume it",
    where={
        "while_away_sleep": {
            5: (
                Change(events=[_lifecycle("pmsuspended", "memory")], domains=_ASLEEP),
                Change(
                    events=[["pm-suspend", "web1", 0], _lifecycle("pmsuspended", "memory")],
                    domains=_ASLEEP,
                ),
            )
        },
    },
)

_PANICKED: Final = Difference(
    what="on_crash is done also for a panic while nobody managed the domain",
    why="libvirt leaves the crashed guest there for ever, whatever its definition says",
    where={
        "while_away_panic": {
            5: Change(
                events=[_lifecycle("crashed", "panicked"), _CRASHES],
                domains={"web1": "shutoff crashed persistent"},
            ),
            6: Change(events=[_lifecycle("undefined", "removed")]),
        },
    },
)

_RESTARTS: Final = Difference(
    what="a reboot in place of a poweroff that nobody saw tells no RESUMED",
    why="nothing told that it was paused, and a reboot that is seen tells no RESUMED either",
    where={"while_away_poweroff_restart": {5: Change(events=[["reboot", "web1"]])}},
)

_XML_ERROR: Final = Change(code=27)
_UNSUPPORTED: Final = Change(code=67)

_CODES: Final = Difference(
    what="what is wrong in a definition has a definition's error code, 27 or 67",
    why=(
        "libvirt calls these internal errors (1), or has codes for two of them (8, 20) that it "
        "uses for none of the like; who sends XML wants to know that it is the XML"
    ),
    where={
        "wrong_uuid": {0: _XML_ERROR},
        "wrong_memory_unit": {0: _XML_ERROR},
        "wrong_vcpu_zero": {0: _XML_ERROR},
        "wrong_type_missing": {0: _XML_ERROR},
        "wrong_disk_target_missing": {0: _XML_ERROR},
        "wrong_graphics_port": {0: _XML_ERROR},
        "wrong_disk_unit": {0: _UNSUPPORTED},
        "wrong_serial_unix_without_path": {0: _UNSUPPORTED},
        "wrong_serial_connect_without_path": {0: _UNSUPPORTED},
        "wrong_watchdogs": {0: _UNSUPPORTED},
        "wrong_input_bus": {0: _UNSUPPORTED},
    },
)

_WOKEN_TO_BE_SAVED: Final[list[list[Json]]] = [
    ["migration-iteration", "web1", 1],
    ["pm-wakeup", "web1", 0],
    _lifecycle("started", "wakeup"),
    _PAUSES,
    ["migration-iteration", "web1", 2],
    ["job-completed", "web1", "operation 2"],
    _lifecycle("stopped", "saved"),
]

_WAKES: Final = Difference(
    what="a sleeping guest that is saved may be told to run for a moment, and to be paused again",
    why=(
        "QEMU wakes it to save it and stops it; where it ran in between, which is a race in QEMU, "
        "both are told. With libvirt's slower pace it was never seen to run"
    ),
    where={
        "save_when_asleep": {4: Change(events=_WOKEN_TO_BE_SAVED)},
        "managed_save_when_asleep": {4: Change(events=_WOKEN_TO_BE_SAVED)},
    },
    is_sometimes=True,
)

STOPPED_HAS_NO_ID: Final = Difference(
    what="STOPPED never has an id",
    why=(
        "an id is that of a domain that runs, and what stopped does not; libvirt's has the old one "
        "where it makes the event before it lets the domain go, and -1 elsewhere"
    ),
    where={},
)
"""Of events' identities, which are recorded apart (``golden_identities.json``)."""

DIFFERENCES: Final = (_DUMP, _CONTROL, _FOUND, _SLEEPS, _PANICKED, _RESTARTS, _CODES, _WAKES)
"""All of them."""
