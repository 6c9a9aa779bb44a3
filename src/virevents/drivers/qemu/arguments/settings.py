# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no argument can say: commands for the monitor before the guest runs.

It stands apart because these are for QEMU's monitor, in the order in which they stand here.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_settings.py``:
    obeyed   QEMU takes every command, and what it asks for is so
"""

from collections.abc import Iterator, Mapping
from typing import Final

from virevents.definition import DomainDefinition
from virevents.drivers.qemu.arguments.interfaces import links_down
from virevents.drivers.qemu.arguments.peripherals import balloon_alias, balloon_of
from virevents.model import Json

__all__ = ["settings_of"]

_KIB: Final = 1024


def settings_of(
    definition: DomainDefinition, *, is_incoming: bool
) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The commands and their arguments.

    Args:
        definition: What the QEMU runs by.
        is_incoming: Whether the guest comes with a state of its own, memory included.
    """
    for alias in links_down(definition):
        yield "set_link", {"name": alias, "up": False}
    balloon = balloon_of(definition)
    if balloon is None:
        return
    if balloon.stats_period:
        yield (
            "qom-set",
            {
                "path": f"/machine/peripheral/{balloon_alias(balloon)}",
                "property": "guest-stats-polling-interval",
                "value": balloon.stats_period,
            },
        )
    if definition.current_memory_kib < definition.memory_kib and not is_incoming:
        yield "balloon", {"value": definition.current_memory_kib * _KIB}
