# SPDX-License-Identifier: LGPL-2.1-or-later
"""A definition to the argument list of the QEMU that runs it.

It stands apart as the one place that knows the whole list; each kind of device writes its own
part of it, and ``options`` sees to it that no value of a definition can become an option.

Why each fixed argument:

- ``-S``: the guest waits for ``cont``. What QEMU tells before the monitor's capabilities were
  negotiated is lost for good, and a fast guest is over by then.
- ``-no-user-config -nodefaults``: nothing that the definition does not name.
- ``-sandbox on,...``: QEMU starts no program, takes no more rights and is confined to the system
  calls that it needs; so taps come by descriptor, and save files as well.
- ``-machine dump-guest-core=off``: the guest's memory is not in QEMU's own core dump.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_command_line.py``:
    no_smuggling   whatever text stands in a definition, QEMU's options are those made here
    really_starts  for everything a definition may have, QEMU starts with it
"""

from collections.abc import Iterator
from typing import Final

from virevents.definition import DomainDefinition, LifecycleAction
from virevents.drivers.qemu.arguments.boot import boot_order, make_boot, make_firmware
from virevents.drivers.qemu.arguments.characters import make_characters
from virevents.drivers.qemu.arguments.controllers import buses_of, make_controllers
from virevents.drivers.qemu.arguments.disks import make_disks
from virevents.drivers.qemu.arguments.interfaces import make_interfaces
from virevents.drivers.qemu.arguments.machine import (
    make_clock,
    make_machine,
    make_power,
    make_processor,
)
from virevents.drivers.qemu.arguments.options import in_pairs
from virevents.drivers.qemu.arguments.peripherals import make_peripherals, watchdog_action
from virevents.drivers.qemu.arguments.pieces import Piece, placed
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.screens import make_graphics, make_sounds, make_videos

__all__ = ["make_command_line"]

_MONITOR: Final = "monitor"
_DENIED: Final = ("obsolete", "elevateprivileges", "spawn", "resourcecontrol")


def make_command_line(
    definition: DomainDefinition, *, emulator: str, resources: Resources
) -> list[str]:
    """Return the argument list, the program first.

    Args:
        definition: One that `check_supported` lets pass.
        emulator: The program's absolute path.
        resources: What was opened, made and chosen for this start.

    Raises:
        DefinitionError: Two devices state one address, or one that there is not.
    """
    return [
        emulator,
        *_identity(definition),
        *make_firmware(definition),
        *make_machine(definition),
        *make_processor(definition),
        *_monitor(resources),
        *make_clock(definition),
        *make_power(definition),
        *_actions(definition),
        *make_boot(definition),
        *make_graphics(definition, resources),
        *placed(_devices(definition, resources), buses_of(definition)),
        *_confinement(resources),
    ]


def _identity(definition: DomainDefinition) -> Iterator[str]:
    yield from in_pairs("-name", "", {"guest": definition.name, "debug-threads": True})
    yield from ("-uuid", definition.uuid)
    yield from ("-S", "-no-user-config", "-nodefaults")


def _monitor(resources: Resources) -> Iterator[str]:
    """The socket is open already: its clients can connect before QEMU is up."""
    listening: dict[str, bool | int | str | None] = {
        "id": _MONITOR,
        "fd": resources.monitor_descriptor,
        "server": True,
        "wait": False,
    }
    yield from in_pairs("-chardev", "socket", listening)
    yield from in_pairs("-mon", "", {"chardev": _MONITOR, "mode": "control"})


def _actions(definition: DomainDefinition) -> Iterator[str]:
    ends = definition.on_reboot is LifecycleAction.DESTROY
    told: dict[str, bool | int | str | None] = {
        # A guest that is off, or has crashed, waits for us: to be ended, or rebooted, or dumped.
        "shutdown": "pause",
        "panic": "pause",
        "reboot": "shutdown" if ends else None,
        "watchdog": watchdog_action(definition),
    }
    yield from in_pairs("-action", "", told)


def _devices(definition: DomainDefinition, resources: Resources) -> Iterator[Piece]:
    """Controllers first: the others sit on them."""
    boot = boot_order(definition)
    yield from make_controllers(definition)
    yield from make_disks(definition, boot)
    yield from make_interfaces(definition, resources, boot)
    yield from make_characters(definition, resources)
    yield from make_videos(definition)
    yield from make_sounds(definition)
    yield from make_peripherals(definition, boot)


def _confinement(resources: Resources) -> Iterator[str]:
    if resources.is_incoming:
        yield from ("-incoming", "defer")
    yield from in_pairs("-sandbox", "on", dict.fromkeys(_DENIED, "deny"))
