# SPDX-License-Identifier: LGPL-2.1-or-later
"""The least definition that there can be, for the tests of the room."""

from typing import Final

from virevents.definition import DomainDefinition, DomainType

__all__ = ["LEAST", "UUID", "least_xml"]

UUID: Final = "6695eb01-f6a4-8304-79aa-97f2502e193f"

LEAST: Final = DomainDefinition(
    name="web1",
    uuid=UUID,
    memory_kib=1024,
    current_memory_kib=1024,
    domain_type=DomainType.TEST,
)


def least_xml(*, name: str = "web1", memory: str = "<memory>1024</memory>", more: str = "") -> str:
    """The least XML that there can be, each element on a line of its own; *more* is line 6."""
    return "\n".join(
        [
            "<domain type='test'>",
            f"<name>{name}</name>",
            f"<uuid>{UUID}</uuid>",
            memory,
            "<os><type>hvm</type></os>",
            more,
            "</domain>",
        ]
    )
