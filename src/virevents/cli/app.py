# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program: its commands put together, and its ends turned into exit statuses.

It stands apart from the commands, which know nothing of each other.

Locking: none; this runs on the main thread, where Python runs its signal handlers.

Invariants, each with a test of its name in ``tests/cli/test_app.py``:
    statuses     0, 1, 2, 3, 130, 141 and 143 mean what ``docs/cli.md`` says
    one_line     a failure is one line on standard error, never a traceback
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final, NoReturn

import typer

import virevents
from virevents.cli.connecting import Connect
from virevents.cli.demo import demo
from virevents.cli.ends import FAILED, TERMINATED, UNREAD, Fail, OutputClosed
from virevents.cli.events import events
from virevents.cli.looking import add_looking
from virevents.cli.printing import print_line
from virevents.cli.saving import add_saving
from virevents.cli.starting import add_starting
from virevents.cli.verbs import add_defining, add_verbs

__all__ = ["app", "main"]

app: Final = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print_line(f"virevents {virevents.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    connect: Connect = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Thread-safe lifecycle events of virtual machines."""
    context.obj = connect


app.command()(events)
add_looking(app)
add_defining(app)
add_starting(app)
add_verbs(app)
add_saving(app)
app.command()(demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    Args:
        arguments: Those after the program's name; the process's own by default.
    """
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr, level=logging.WARNING)
    try:
        with _ended_by_sigterm():
            app(arguments, prog_name="virevents")
    except Fail as failure:
        typer.echo(f"virevents: {failure}", err=True)
        return failure.status
    except OutputClosed as end:
        _forget_output()
        if not end.reason:
            return UNREAD
        typer.echo(f"virevents: {end.reason}", err=True)
        return FAILED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the block as an exception does, so that connections are closed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the second would disturb
    raise SystemExit(TERMINATED)


def _forget_output() -> None:
    """Keep the interpreter from flushing, at its end, what cannot be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
