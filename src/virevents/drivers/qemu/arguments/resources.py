# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start gives to QEMU beside the definition: descriptors, folders, ports.

It stands apart because it is the only thing that the driver, which opens and reserves, and the
command line, which only names, have to agree on. The argument list is a function of a definition
and this, nothing else.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_resources.py``:
    all_descriptors   every descriptor that the argument list names is listed
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Resources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What was opened, made and chosen for one start.

    Attributes:
        monitor_descriptor: A listening Unix socket that QEMU inherits under this number; its
            clients can connect before QEMU is up.
        is_incoming: QEMU waits for a saved state (``migrate-incoming``) instead of a fresh guest.
        sockets: A listening socket for each channel that names no path of its own, the guest
            agent's for one, by alias ("channel0"). Open ones, because a path has little room.
        taps: An open tap's descriptor for each interface that needs one, by alias ("net0").
        ports: The TCP ports chosen for graphics, by alias ("graphics0") and then by what they are
            for: "port", "websocket".
    """

    monitor_descriptor: int
    is_incoming: bool = False
    sockets: Mapping[str, int] = field(default_factory=dict)
    taps: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Every descriptor that QEMU must inherit under its own number."""
        return (self.monitor_descriptor, *self.taps.values(), *self.sockets.values())
