# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's own names and numbers, as recorded in ``data/libvirt_model.json``.

The file was extracted from the public headers and the protocol description of libvirt 9.0.0
(sentinels left out); ``event_words`` is what ``virsh event --list`` of that version prints.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypedDict

from virevents.model import WireEnum, WireFlag

__all__ = ["LIBVIRT", "members", "shown_names"]


class LibvirtModel(TypedDict):
    """The shape of the file."""

    source: str
    event_words: list[str]
    event_fields: dict[str, list[str]]
    enums: dict[str, dict[str, int]]


LIBVIRT: Final[LibvirtModel] = json.loads(
    (Path(__file__).parent / "data" / "libvirt_model.json").read_text(encoding="ascii")
)


def shown_names(enum: str, prefix: str) -> dict[str, int]:
    """The members of libvirt's *enum*, without the *prefix* that each name has there."""
    table = LIBVIRT["enums"][enum]
    assert all(name.startswith(prefix) for name in table), (enum, prefix)
    return {name.removeprefix(prefix): number for name, number in table.items()}


def members(ours: type[WireEnum] | type[WireFlag]) -> Mapping[str, int]:
    """The members of *ours* by name."""
    return {name: int(member) for name, member in ours.__members__.items()}
