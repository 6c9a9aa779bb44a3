# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions to XML text, one way only: equal definitions give equal text.

It stands apart from the reading, whose freedoms (units, order, what may be left out) are not
wanted here.

Immutable; may be called from any thread, also under a lock.

Invariants, each with a test of its name in ``tests/definition/test_formatting.py``:
    stable       writing, reading and writing again gives the same text
    escaped      no fact can add an element or an attribute
"""

from collections.abc import Iterator
from html import escape

from virevents.definition.domain import DomainDefinition

__all__ = ["to_xml"]


def to_xml(definition: DomainDefinition, *, id: int | None = None) -> str:
    """The XML of *definition*, ending in a newline.

    Args:
        definition: What to write.
        id: The domain's id while it runs, shown as libvirt shows it; it is no part of the
            definition, and reading it back ignores it.
    """
    running = "" if id is None else f" id='{id}'"
    lines = [
        f"<domain type='{definition.domain_type}'{running}>",
        *(f"  {line}" for line in _facts(definition)),
        "</domain>",
    ]
    return "".join(f"{line}\n" for line in lines)


def _facts(definition: DomainDefinition) -> Iterator[str]:
    yield f"<name>{escape(definition.name)}</name>"
    yield f"<uuid>{definition.uuid}</uuid>"
    yield f"<memory unit='KiB'>{definition.memory_kib}</memory>"
    yield f"<currentMemory unit='KiB'>{definition.current_memory_kib}</currentMemory>"
    yield f"<vcpu>{definition.vcpus}</vcpu>"
    yield "<os>"
    yield f"  <type{_os_attributes(definition)}>{definition.os_type}</type>"
    if definition.loader is not None:
        yield f"  <loader>{escape(definition.loader)}</loader>"
    yield "</os>"
    yield f"<on_poweroff>{definition.on_poweroff}</on_poweroff>"
    yield f"<on_reboot>{definition.on_reboot}</on_reboot>"
    yield f"<on_crash>{definition.on_crash}</on_crash>"
    if definition.emulator is not None:
        yield "<devices>"
        yield f"  <emulator>{escape(definition.emulator)}</emulator>"
        yield "</devices>"


def _os_attributes(definition: DomainDefinition) -> str:
    attributes = {"arch": definition.arch, "machine": definition.machine}
    return "".join(
        f" {name}='{escape(value)}'" for name, value in attributes.items() if value is not None
    )
