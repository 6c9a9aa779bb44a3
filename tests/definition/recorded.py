# SPDX-License-Identifier: LGPL-2.1-or-later
"""The definitions in ``data``: recorded by ``tools/record_definitions.py``, or written by hand."""

from pathlib import Path
from typing import Final

__all__ = ["recorded"]

_DATA: Final = Path(__file__).parent / "data"


def recorded(kind: str = "*") -> list[Path]:
    """The files of one kind: ``install``, ``inactive``, ``live``; all if none is named."""
    found = sorted(_DATA.glob(f"*.{kind}.xml" if kind != "*" else "*.xml"))
    assert found, f"no recorded definitions in {_DATA}"
    return found
