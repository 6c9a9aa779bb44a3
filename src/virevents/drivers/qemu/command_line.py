# SPDX-License-Identifier: LGPL-2.1-or-later
"""A definition to the argument list of the QEMU that runs it.

It stands apart because this is where a definition could smuggle in an option of its own: each
value is either a number, a word that was checked, a path that begins with "/", or is escaped.

Why each fixed argument:

- ``-S``: the guest waits for ``cont``. What QEMU tells before the monitor's capabilities were
  negotiated is lost for good, and a fast guest is over by then.
- ``-accel tcg``: for ``type='qemu'`` libvirt means emulation; and a ``/dev/kvm`` that can be
  opened does not mean that guests make progress on it.
- no ``-no-shutdown``: then every end looks the same, SHUTDOWN if there is one, end of the
  stream, exit. libvirt gives it, to reboot a guest by itself after a power-off and to look at
  a crashed one; with it SHUTDOWN may come twice and QEMU stays until it is killed. What needs
  it (``on_poweroff`` other than destroy) is refused here, and it can be set later at run time
  (QMP ``set-action``).
- ``-no-user-config -nodefaults -display none``: nothing that the definition does not name.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_command_line.py``:
    no_smuggling   whatever name and paths are, QEMU's options are those that stand here
    named_refusal  what this form of the driver cannot do is refused by its element's name
"""

import shutil
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition, DomainType, LifecycleAction
from virevents.drivers.qemu.resources import Resources
from virevents.errors import DefinitionError

__all__ = ["check_supported", "find_emulator", "make_command_line"]

_ARCH: Final = "x86_64"
_EMULATOR: Final = f"qemu-system-{_ARCH}"
_MACHINE: Final = "pc"
_MONITOR: Final = "monitor"


def check_supported(definition: DomainDefinition) -> None:
    """Refuse what this driver cannot run.

    Raises:
        DefinitionError: Names the element and what was expected.
    """
    _expect("domain@type", definition.domain_type, DomainType.QEMU)
    _expect("type@arch", definition.arch, None, _ARCH)
    _expect("on_poweroff", definition.on_poweroff, LifecycleAction.DESTROY)
    _expect("on_reboot", definition.on_reboot, LifecycleAction.RESTART, LifecycleAction.DESTROY)
    _expect("on_crash", definition.on_crash, LifecycleAction.DESTROY)
    _expect("currentMemory", definition.current_memory_kib, definition.memory_kib)


def _expect(element: str, value: object, *allowed: object) -> None:
    if value not in allowed:
        expected = " or ".join(str(choice) for choice in allowed if choice is not None)
        raise DefinitionError(
            f"<{element}>: the qemu driver expected {expected}, met {value}", element=element
        )


def find_emulator(definition: DomainDefinition) -> str:
    """Return the path of the program that runs *definition*.

    Raises:
        DefinitionError: There is no such program, or it cannot be executed.
    """
    wanted = definition.emulator or _EMULATOR
    found = shutil.which(wanted)
    if found is None or not Path(found).is_absolute():
        raise DefinitionError(
            f"Cannot check QEMU binary {wanted}: No such file or directory", element="emulator"
        )
    return found


def make_command_line(
    definition: DomainDefinition, *, emulator: str, resources: Resources
) -> list[str]:
    """Return the argument list, the program first.

    Args:
        definition: One that `check_supported` lets pass.
        emulator: The program's absolute path.
        resources: What was opened, made and chosen for this start.
    """
    monitor = f"socket,id={_MONITOR},fd={resources.monitor_descriptor},server=on,wait=off"
    arguments = [emulator, "-S", "-no-user-config", "-nodefaults", "-display", "none"]
    arguments += ["-name", f"guest={_escaped(definition.name)},debug-threads=on"]
    arguments += ["-uuid", definition.uuid]
    arguments += ["-machine", definition.machine or _MACHINE, "-accel", "tcg"]
    arguments += ["-m", f"size={definition.memory_kib}k", "-smp", str(definition.vcpus)]
    arguments += ["-chardev", monitor, "-mon", f"chardev={_MONITOR},mode=control"]
    if resources.is_incoming:
        arguments += ["-incoming", "defer"]
    if definition.on_reboot is LifecycleAction.DESTROY:
        arguments += ["-action", "reboot=shutdown"]
    if definition.loader is not None:
        # Not escaped: QEMU takes the whole of it as the path.
        arguments += ["-bios", definition.loader]
    return arguments


def _escaped(value: str) -> str:
    """*value* as one value in a list of options: QEMU ends it at a single comma."""
    return value.replace(",", ",,")
