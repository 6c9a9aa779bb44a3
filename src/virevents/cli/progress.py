# SPDX-License-Identifier: LGPL-2.1-or-later
"""A line on the terminal while something takes long: for how long now, and how far it is.

It stands apart from the verbs because it is for whoever waits before a terminal, and for nobody
else: it is on standard error, goes away at the end, and is not there where that is no terminal.

Locking: none here; rich draws it from a thread of its own, which ends with the block.

Invariants, each with a test of its name in ``tests/cli/test_progress.py``:
    terminal_only   where standard error is no terminal nothing is written
    goes_away       at the end of the block the line is gone, also when the block raises
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text
from typing_extensions import override  # in typing from Python 3.12

from virevents.cli.printing import printable

__all__ = ["progress"]

_STEPS: Final = 20  # of the bar


class _Elapsed(ProgressColumn):
    """The seconds since it began; of how many, where that is known."""

    @override
    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        if task.total is None:
            return Text(f"{elapsed:.0f} s")
        done = min(_STEPS, round(_STEPS * elapsed / task.total)) if task.total else _STEPS
        return Text(f"{'#' * done}{'.' * (_STEPS - done)} {elapsed:.0f} of {task.total:g} s")


class _Written(ProgressColumn):
    """How large a file has become."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file: Final = file

    @override
    def render(self, task: Task) -> Text:
        try:
            return Text(decimal(self._file.stat().st_size))
        except OSError:  # the hypervisor has not made it yet, or we may not look there
            return Text("")


@contextmanager
def progress(
    what: str, *, seconds: float | None = None, file: Path | None = None
) -> Iterator[None]:
    """Show, during the block, on a terminal, that *what* is being done.

    Args:
        what: In words: "saving web".
        seconds: How long it may take, where that is known.
        file: What grows meanwhile.
    """
    if not sys.stderr.isatty():
        yield
        return
    columns: list[ProgressColumn] = [
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        _Elapsed(),
    ]
    if file is not None:
        columns.append(_Written(file))
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as shown:
        shown.add_task(printable(what), total=seconds)
        yield
