# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sizes of memory as libvirt's XML writes them: a number and a unit.

It stands apart because the rules are libvirt's and small: units are powers of 1024 with an
``i`` or as a single letter, of 1000 with a ``B`` alone, in any case; sizes round up to KiB.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_memory.py``:
    libvirts_units   every unit gives what libvirt gives
    rounds_up        no size becomes smaller
"""

from typing import Final

__all__ = ["DEFAULT_UNIT", "UNITS", "to_kib"]

DEFAULT_UNIT: Final = "KiB"
"""The unit where the XML names none."""

_LETTERS: Final = "kmgtpe"

UNITS: Final[dict[str, int]] = {
    "b": 1,
    "byte": 1,
    "bytes": 1,
    **{letter: 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate(_LETTERS, 1)},
}
"""How many bytes each unit has, by its name in lower case."""


def to_kib(number: int, unit: str) -> int:
    """*number* times *unit* in KiB, rounded up; the unit's name in any case.

    Raises:
        ValueError: There is no such unit.
    """
    size = UNITS.get(unit.lower())
    if size is None:
        message = f"expected a unit (b, KiB, MB, MiB, GB, GiB, ...), met {unit!r}"
        raise ValueError(message)
    return -(-number * size // 1024)
