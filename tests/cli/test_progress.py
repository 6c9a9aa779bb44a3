# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line that is there while something takes long."""

import io
import sys
from pathlib import Path

import pytest
from rich.progress import Progress, Task
from rich.text import Text

from virevents.cli import progress as module
from virevents.cli.progress import progress


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _standard_error(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard error a terminal; in the test itself, for pytest sets it again before."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return made


def test_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("saving web"):
        pass
    assert capsys.readouterr() == ("", "")


def test_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _standard_error(monkeypatch)
    with pytest.raises(KeyError), progress("saving \x1b[bold]web"):
        raise KeyError
    written = terminal.getvalue()
    assert "saving \\x1b[bold]web" in written  # neither a terminal's commands nor rich's markup
    assert written.endswith("\x1b[2K")  # the line is erased


def _task(elapsed: float, total: float | None) -> Task:
    shown = Progress(get_time=lambda: elapsed, auto_refresh=False)
    shown.add_task("", total=total)
    (task,) = shown.tasks
    task.start_time = 0.0
    return task


@pytest.mark.parametrize(
    ("elapsed", "total", "shown"),
    [
        (3.2, None, "3 s"),
        (0, 10, "." * 20 + " 0 of 10 s"),
        (5, 10, "#" * 10 + "." * 10 + " 5 of 10 s"),
        (12, 10, "#" * 20 + " 12 of 10 s"),
        (0, 0, "#" * 20 + " 0 of 0 s"),
        (1, 2.5, "#" * 8 + "." * 12 + " 1 of 2.5 s"),
    ],
)
def test_how_long_it_takes_is_shown(elapsed: float, total: float | None, shown: str) -> None:
    assert module._Elapsed().render(_task(elapsed, total)) == Text(shown)


def test_what_grows_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = _standard_error(monkeypatch)
    file = tmp_path / "state"
    column = module._Written(file)
    assert column.render(_task(0, None)) == Text("")
    file.write_bytes(bytes(2_500_000))
    assert column.render(_task(0, None)) == Text("2.5 MB")
    with progress("saving web", file=file, seconds=3):
        pass
    assert "2.5 MB" in terminal.getvalue()
