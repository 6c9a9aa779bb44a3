# SPDX-License-Identifier: LGPL-2.1-or-later
"""A page of ``docs/`` of which a tool keeps parts equal to the code: written anew, or checked.

A part stands between two marks, which name it and its tool. Not a tool itself: those that are call
`keep` with what the parts are to be.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["keep", "written"]

_DOCS: Final = Path(__file__).parent.parent / "docs"


def written(text: str, parts: Mapping[str, str], tool: str) -> str:
    """Give *text* with its parts made anew.

    Raises:
        ValueError: A mark is missing.
    """
    for name, part in parts.items():
        begin, end = f"<!-- {name}: written by tools/{tool} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            message = f"expected the marks {begin!r} and {end!r}"
            raise ValueError(message)
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return text


def keep(name: str, parts: Mapping[str, str]) -> int:
    """Write the page *name*, or check it if the command line says so; the program's status."""
    page, tool = _DOCS / name, Path(sys.argv[0]).name
    text = page.read_text(encoding="utf-8")
    wanted = written(text, parts, tool)
    if "--check" not in sys.argv[1:]:
        page.write_text(wanted, encoding="utf-8")
        return 0
    if text != wanted:
        print(f"{name} is stale: run tools/{tool}")
    return int(text != wanted)
