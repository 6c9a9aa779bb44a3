# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life that the test driver and libvirt's own both go through, operation by operation.

Each is [verb, argument, ...]; the verbs on a domain take its name first. Plain JSON values, for
they are handed to another interpreter (``stock_libvirt.py``).
"""

from pathlib import Path
from typing import Final

Argument = str | int | bool
Operation = list[Argument]

UUID: Final = "11111111-f6a4-8304-79aa-97f2502e193f"
OTHER_UUID: Final = UUID.replace("1111", "2222")


def xml(name: str = "t1", uuid: str = UUID, more: str = "") -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid>"
        f"<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>{more}</domain>"
    )


DEFINE_TEST: Final = xml("test", "6695eb01-f6a4-8304-79aa-97f2502e193f")


def operations(folder: Path) -> list[Operation]:
    """All operations; images and dumps go to *folder*."""
    image, dump = str(folder / "image"), str(folder / "dump")
    garbage = folder / "garbage"
    garbage.write_text("no image at all, and long enough to hold a header")
    nowhere = str(folder / "missing" / "image")
    return [
        ["suspend", "test"],
        ["resume", "test"],
        *_defined(),
        *_while_off(image, dump),
        *_running(),
        *_crashing(dump),
        *_saving(image),
        ["restore", str(folder / "missing")],
        ["restore", str(garbage)],
        ["save", "t1", nowhere],
        *_managed_saving(),
        *_transient(),
        *_renaming(),
        *_looking(),
        ["undefine", "test"],  # it goes on, transient
        ["undefine", "test"],
        ["managed_save", "test"],
        ["define", DEFINE_TEST],
        ["undefine", "test"],
        ["destroy", "test"],
    ]


def _defined() -> list[Operation]:
    return [
        ["define", xml()],
        ["define", xml()],
        ["define", xml("t1", OTHER_UUID)],
        ["define", xml("t2")],
        ["define", "<domain"],
    ]


def _while_off(image: str, dump: str) -> list[Operation]:
    return [
        ["suspend", "t1"],
        ["resume", "t1"],
        ["shutdown", "t1"],
        ["reboot", "t1"],
        ["reset", "t1"],
        ["destroy", "t1"],
        ["managed_save", "t1"],
        ["save", "t1", image],
        ["core_dump", "t1", dump],
        ["managed_save_remove", "t1"],
    ]


def _running() -> list[Operation]:
    return [
        ["start", "t1"],
        ["start", "t1"],
        ["define", xml()],
        ["create", xml()],
        ["suspend", "t1"],
        ["suspend", "t1"],
        ["resume", "t1"],
        ["resume", "t1"],
        ["reset", "t1"],
        ["reboot", "t1"],
        ["rename", "t1", "t9"],
        ["suspend", "t1"],
        ["reboot", "t1"],
        ["suspend", "t1"],
        ["reset", "t1"],
        ["destroy", "t1"],
        ["start", "t1"],
        ["suspend", "t1"],
        ["shutdown", "t1"],
        ["start", "t1"],
        ["shutdown", "t1"],
        ["start", "t1", True],  # paused: a flag that it does not have
        ["start", "t1"],
        ["suspend", "t1"],
        ["destroy", "t1"],
    ]


def _crashing(dump: str) -> list[Operation]:
    return [["start", "t1"], ["core_dump", "t1", dump], ["core_dump", "t1", dump, True]]


def _saving(image: str) -> list[Operation]:
    return [
        ["start", "t1"],
        ["save", "t1", image],
        ["restore", image],
        ["restore", image],
        ["suspend", "t1"],
        ["save", "t1", image],
        ["restore", image],
    ]


def _managed_saving() -> list[Operation]:
    return [
        ["managed_save", "t1"],
        ["undefine", "t1"],
        ["start", "t1"],
        ["suspend", "t1"],
        ["managed_save", "t1"],
        ["start", "t1"],
        ["managed_save", "t1"],
        ["managed_save_remove", "t1"],
        ["managed_save_remove", "t1"],
        ["undefine", "t1"],
        ["undefine", "t1"],
    ]


def _transient() -> list[Operation]:
    return [
        ["create", xml()],
        ["managed_save", "t1"],
        ["suspend", "t1"],
        ["shutdown", "t1"],
        ["shutdown", "t1"],
        ["create", xml(), True],  # paused: a flag that it does not have
        ["create", xml()],
        ["undefine", "t1"],
        ["destroy", "t1"],
        ["create", xml()],
        ["define", xml()],  # persistent from now on
        ["destroy", "t1"],
    ]


def _renaming() -> list[Operation]:
    return [
        ["rename", "t1", "t1"],
        ["rename", "t1", "test"],
        ["rename", "t1", "a/b"],
        ["rename", "t1", "t3"],
        ["rename", "t3", "t1"],
    ]


def _looking() -> list[Operation]:
    return [
        ["lookup", "test"],
        ["lookup", "nobody"],
        ["lookup_uuid", UUID],
        ["lookup_uuid", OTHER_UUID],
        ["lookup_id", 1],
        ["lookup_id", 77],
    ]
