# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine of a scenario: what may differ between two of them, and its XML.

The guest is the ROM agent, which does what single letters on its serial line say. The XML is one
and the same text for libvirt's QEMU driver and for ours.

Immutable.
"""

from dataclasses import dataclass, fields
from typing import Final

from tests.conformance.lifecycle.place import Place

__all__ = ["Emulator", "Machine"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Emulator:
    """Programs that stand in for QEMU; the name is that of a file in the scenario's place."""

    REFUSES: Final = "refuses"
    """Starts QEMU with an argument that it does not know."""
    EXITS: Final = "exits"
    """Ends at once."""
    LIMITED: Final = "limited"
    """Starts QEMU so that every write past 1 KiB fails: File too large (EFBIG)."""
    MISSING: Final = "missing"
    """There is no such file."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the scenarios vary; the defaults are the ordinary machine.

    Attributes:
        name: The domain's.
        identity: Which of the scenario's uuids it has.
        on_poweroff: An action, as all three.
        on_reboot: An action.
        on_crash: An action.
        has_pvpanic: Whether the guest can tell of its panics.
        watchdog: The watchdog's action; None is no watchdog.
        disk: A file in the scenario's place; None is no disk.
        error_policy: What the disk does when it fails.
        emulator: See `Emulator`; None is QEMU itself.
        sleeps: Which of "mem" and "disk" the machine has as a sleep.
        has_variables: Whether its firmware keeps variables in a file.
        title: Makes two definitions different.
        instead: A piece of the XML, and what stands there instead.
    """

    name: str = "web1"
    identity: int = 1
    on_poweroff: str = "destroy"
    on_reboot: str = "restart"
    on_crash: str = "destroy"
    has_pvpanic: bool = False
    watchdog: str | None = None
    disk: str | None = None
    error_policy: str | None = None
    emulator: str | None = None
    sleeps: tuple[str, ...] = ("mem", "disk")
    has_variables: bool = False
    title: str | None = None
    instead: tuple[str, str] | None = None

    def as_json(self) -> dict[str, Json]:
        """Give what is not the default."""
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: value for name, value in facts.items() if value != _DEFAULTS[name]}
        return {
            n: list(value) if isinstance(value, tuple) else value for n, value in changed.items()
        }

    def xml(self, place: Place) -> str:
        """Write it out for the scenario's place."""
        text = self._xml(place)
        if self.instead is None:
            return text
        piece, other = self.instead
        if text.count(piece) != 1:
            raise ValueError(
                f"expected {piece!r} once in the XML, met it {text.count(piece)} times"
            )
        return text.replace(piece, other)

    def _xml(self, place: Place) -> str:
        title = f"<title>{self.title}</title>" if self.title else ""
        return (
            f"<domain type='qemu'><name>{self.name}</name>"
            f"<uuid>{place.uuid(self.identity)}</uuid>{title}"
            "<memory unit='MiB'>8</memory><vcpu>1</vcpu>"
            "<os><type arch='x86_64' machine='pc'>hvm</type>"
            f"{self._firmware(place)}</os>"
            "<features><acpi/></features>"
            f"<on_poweroff>{self.on_poweroff}</on_poweroff>"
            f"<on_reboot>{self.on_reboot}</on_reboot><on_crash>{self.on_crash}</on_crash>"
            f"<pm><suspend-to-mem enabled='{self._has('mem')}'/>"
            f"<suspend-to-disk enabled='{self._has('disk')}'/></pm>"
            f"<devices>{''.join(self._devices(place))}</devices></domain>"
        )

    def _firmware(self, place: Place) -> str:
        if not self.has_variables:
            return f"<loader type='rom'>{place.firmware}</loader>"
        return (
            f"<loader readonly='yes' type='pflash'>{place.firmware}</loader>"
            f"<nvram template='{place.folder}/template'>{place.folder}/variables</nvram>"
        )

    def _has(self, sleep: str) -> str:
        return "yes" if sleep in self.sleeps else "no"

    def _devices(self, place: Place) -> list[str]:
        serial = place.serial(self.name)
        emulator = place.qemu if self.emulator is None else place.folder / self.emulator
        devices = [
            f"<emulator>{emulator}</emulator>",
            "<controller type='usb' model='none'/>",
            f"<serial type='unix'><source mode='connect' path='{serial}'/></serial>",
            "<memballoon model='none'/>",
        ]
        if self.disk:
            policy = f" error_policy='{self.error_policy}'" if self.error_policy else ""
            devices.append(
                f"<disk type='file' device='disk'><driver name='qemu' type='raw'{policy}/>"
                f"<source file='{place.folder / self.disk}'/>"
                "<target dev='hda' bus='ide'/></disk>"
            )
        if self.has_pvpanic:
            devices.append("<panic model='isa'/>")
        if self.watchdog:
            devices.append(f"<watchdog model='ib700' action='{self.watchdog}'/>")
        return devices


_DEFAULTS: Final = {field.name: field.default for field in fields(Machine)}
