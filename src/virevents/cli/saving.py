# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs that write a domain's memory to a file: save, managedsave, dump.

They stand apart from the other verbs because they take long, and say so on a terminal.

Locking: none; these run on the main thread.

Invariants, each with a test of its name in ``tests/cli/test_saving.py``:
    one_fate   a dump has one fate of its domain, not two
"""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

import virevents
from virevents.cli.connecting import Connect, DomainName, connected, find
from virevents.cli.printing import print_line, printable
from virevents.cli.progress import progress

__all__ = ["add_saving"]

Later: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--paused/--running", help="How it comes back; else as it is now.", show_default=False
    ),
]


def _save(
    context: typer.Context,
    domain: DomainName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the state goes.")],
    *,
    paused: Later = None,
    connect: Connect = None,
) -> None:
    """Save the running state of a domain to a file, and stop it."""
    with connected(context, connect) as connection:
        found = find(connection, domain)
        with progress(f"saving {domain}", file=file):
            found.save(file, paused=paused)
        print_line(f"domain {printable(domain)} saved to {printable(str(file))}")


def _managed_save(
    context: typer.Context, domain: DomainName, *, paused: Later = None, connect: Connect = None
) -> None:
    """Save the running state for the next start, and stop."""
    with connected(context, connect) as connection:
        found = find(connection, domain)
        with progress(f"saving {domain}"):
            found.managed_save(paused=paused)
        print_line(f"domain {printable(domain)} saved for its next start")


def _managed_save_remove(
    context: typer.Context, domain: DomainName, connect: Connect = None
) -> None:
    """Throw the managed save away."""
    with connected(context, connect) as connection:
        find(connection, domain).managed_save_remove()
        print_line(f"domain {printable(domain)} has no managed save any more")


def _dump(
    context: typer.Context,
    domain: DomainName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the memory goes.")],
    *,
    live: Annotated[bool, typer.Option("--live", help="It runs on meanwhile.")] = False,
    crash: Annotated[bool, typer.Option("--crash", help="End the domain there.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Reset the machine afterwards.")] = False,
    connect: Connect = None,
) -> None:
    """Write the memory of a running domain to a file; it is paused meanwhile."""
    mode = _mode(live=live, crash=crash, reset=reset)
    with connected(context, connect) as connection:
        found = find(connection, domain)
        with progress(f"dumping {domain}", file=file):
            found.core_dump(file, mode=mode)
        print_line(f"domain {printable(domain)} dumped to {printable(str(file))}")


def _mode(**wanted: bool) -> virevents.CoreDumpMode:
    named = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(named) > 1:
        met = " and ".join(f"--{name}" for name in named)
        raise typer.BadParameter(f"expected one of --live, --crash and --reset, met {met}")
    return virevents.CoreDumpMode(named[0] if named else "pause")


def add_saving(app: typer.Typer) -> None:
    """Put the verbs into *app*."""
    app.command("save")(_save)
    app.command("managedsave")(_managed_save)
    app.command("managedsave-remove")(_managed_save_remove)
    app.command("dump")(_dump)
