# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions as the command line takes them: from a file, or from standard input.

They stand apart because two kinds of verbs read them.

Immutable: functions only.
"""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from virevents.cli.ends import Fail

__all__ = ["XmlFile", "read_xml"]

XmlFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="Domain XML; - for standard input.")
]


def read_xml(file: Path) -> str:
    """Return what is in *file*.

    Raises:
        Fail: It cannot be read.
    """
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Fail(f"cannot read {file}: {error}") from error
