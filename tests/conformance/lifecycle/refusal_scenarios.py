# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios of definitions in which one thing is wrong: what is refused, and with what code.

Immutable.
"""

from collections.abc import Mapping
from typing import Final

from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.scenario import Scenario, call

__all__ = ["ALL"]

_IDE: Final = "<target dev='hda' bus='ide'/>"
_MEMORY: Final = "<memory unit='MiB'>8</memory>"
_TYPE: Final = "<type arch='x86_64' machine='pc'>hvm</type>"
_BALLOON: Final = "<memballoon model='none'/>"
_CPU: Final = "<vcpu>1</vcpu>"
_ACPI: Final = "<features><acpi/></features>"

_WRONG: Final[Mapping[str, tuple[str, str]]] = {
    "name_empty": ("<name>web1</name>", "<name></name>"),
    "name_slash": ("<name>web1</name>", "<name>a/b</name>"),
    "uuid": ("</uuid>", "0</uuid>"),
    "memory_zero": (_MEMORY, "<memory>0</memory>"),
    "memory_word": (_MEMORY, "<memory>much</memory>"),
    "memory_unit": (_MEMORY, "<memory unit='MoB'>8</memory>"),
    "memory_missing": (_MEMORY, ""),
    "vcpu_zero": (_CPU, "<vcpu>0</vcpu>"),
    "vcpu_word": (_CPU, "<vcpu>two</vcpu>"),
    "vcpu_current": (_CPU, "<vcpu current='2'>1</vcpu>"),
    "type": ("<domain type='qemu'>", "<domain type='what'>"),
    "type_missing": ("<domain type='qemu'>", "<domain>"),
    "type_xen": ("<domain type='qemu'>", "<domain type='xen'>"),
    "os_type": (_TYPE, "<type arch='x86_64' machine='pc'>xen</type>"),
    "os_type_missing": (_TYPE, ""),
    "machine": (_TYPE, "<type arch='x86_64' machine='what'>hvm</type>"),
    "arch": (_TYPE, "<type arch='what' machine='pc'>hvm</type>"),
    "arch_other": (_TYPE, "<type arch='s390x' machine='pc'>hvm</type>"),
    "on_poweroff": ("<on_poweroff>destroy<", "<on_poweroff>what<"),
    "on_crash": ("<on_crash>destroy<", "<on_crash>what<"),
    "disk_target_missing": (_IDE, ""),
    "disk_bus": (_IDE, "<target dev='hda' bus='what'/>"),
    "disk_target_for_bus": (_IDE, "<target dev='sda' bus='ide'/>"),
    "disk_unit": (_IDE, "<target dev='hdz' bus='ide'/>"),
    "disk_policy": (" error_policy='stop'", " error_policy='what'"),
    "disk_twice": (
        _BALLOON,
        "<disk type='file' device='disk'><source file='/b'/><target dev='hda' bus='ide'/></disk>",
    ),
    "disk_type": ("<disk type='file'", "<disk type='what'"),
    "disk_device": ("device='disk'", "device='what'"),
    "disk_format": ("type='raw'", "type='what'"),
    "serial_type": (_BALLOON, "<serial type='what'/>"),
    "serial_unix_without_path": (_BALLOON, "<serial type='unix'><source mode='connect'/></serial>"),
    "serial_connect_without_path": (_BALLOON, "<serial type='unix'/>"),
    "watchdog_model": (_BALLOON, "<watchdog model='what'/>"),
    "watchdog_action": (_BALLOON, "<watchdog model='ib700' action='what'/>"),
    "watchdogs": (_BALLOON, "<watchdog model='ib700'/><watchdog model='i6300esb'/>"),
    "panic_model": (_BALLOON, "<panic model='what'/>"),
    "panic_s390": (_BALLOON, "<panic model='s390'/>"),
    "panics": (_BALLOON, "<panic model='isa'/><panic model='isa'/>"),
    "balloon_model": (_BALLOON, "<memballoon model='what'/>"),
    "controller_type": (_BALLOON, "<controller type='what'/>"),
    "controller_model": (_BALLOON, "<controller type='usb' index='1' model='what'/>"),
    "interface_type": (_BALLOON, "<interface type='what'/>"),
    "interface_mac": (_BALLOON, "<interface type='user'><mac address='what'/></interface>"),
    "interface_bridge_missing": (_BALLOON, "<interface type='bridge'/>"),
    "graphics_type": (_BALLOON, "<graphics type='what'/>"),
    "graphics_port": (_BALLOON, "<graphics type='vnc' port='what'/>"),
    "video_model": (_BALLOON, "<video><model type='what'/></video>"),
    "input_type": (_BALLOON, "<input type='what'/>"),
    "input_bus": (_BALLOON, "<input type='tablet' bus='ps2'/>"),
    "rng_backend": (_BALLOON, "<rng model='virtio'/>"),
    "rng_model": (_BALLOON, "<rng model='what'><backend model='random'/></rng>"),
    "pci_slot": (
        _BALLOON,
        "<memballoon model='virtio'><address type='pci' slot='0x40'/></memballoon>",
    ),
    "clock_offset": (_ACPI, f"{_ACPI}<clock offset='what'/>"),
    "timer_name": (_ACPI, f"{_ACPI}<clock offset='utc'><timer name='what'/></clock>"),
    "cpu_mode": (_ACPI, f"{_ACPI}<cpu mode='what'/>"),
    "topology": (_ACPI, f"{_ACPI}<cpu><topology sockets='2' cores='1' threads='1'/></cpu>"),
    "boot_device": (_TYPE, f"{_TYPE}<boot dev='what'/>"),
    "loader_type": ("type='rom'", "type='what'"),
}

# The machine has a disk whose error policy is said, so that each piece is there to be replaced.
ALL: Final = tuple(
    Scenario(
        f"wrong_{name}",
        (call("define", Machine(disk="disk", error_policy="stop", instead=pieces)),),
    )
    for name, pieces in _WRONG.items()
)
