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

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is done in another way.

    Attributes:
        what: In a sentence.
        why: The reason.
        where: For each scenario, by the number of the step, what is ours in place of libvirt's.
    """

    what: str
    why: str
    where: Mapping[str, Mapping[int, Change]]


def _lifecycle(*words: str) -> list[Json]:
    return ["lifecycle", "web1", *words]


_PAUSES: Final = _lifecycle("suspended", "paused")
_GOES_ON: Final = _lifecycle("resumed", "unpaused")
_CRASHES: Final = _lifecycle("stopped", "crashed")

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
        "core_dump_when_asleep": {
            4: Change(
                events=[],
                domains={"web1": "pmsuspended unknown active persistent"},
            )
        },
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

DIFFERENCES: Final = (_DUMP, _CONTROL)
"""All of them."""
