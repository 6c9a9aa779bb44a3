# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs that bring a domain up, and may stay to watch it: start, create, restore.

They stand apart from the other verbs because with ``--watch`` they live as long as the domain.

Locking: none; these run on the main thread.

Invariants, each with a test of its name in ``tests/cli/test_starting.py``:
    watched         with ``--watch`` a command stays until its domain stops, and shows its events
    dies_with_it    with ``--autodestroy`` the domain ends with the command, and only then
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

import virevents
from virevents.cli.connecting import Connect, DomainName, connected, find
from virevents.cli.files import XmlFile, read_xml
from virevents.cli.printing import as_text, print_line, printable
from virevents.cli.progress import progress

__all__ = ["add_starting"]

Paused: TypeAlias = Annotated[bool, typer.Option("--paused", help="Leave it paused.")]
Watch: TypeAlias = Annotated[
    bool, typer.Option("--watch", help="Stay, show its events, and end when it stops.")
]
Autodestroy: TypeAlias = Annotated[
    bool,
    typer.Option("--autodestroy", help="With --watch: destroy it when this command ends."),
]

_Act: TypeAlias = Callable[[], virevents.Domain]


def _start(
    context: typer.Context,
    domain: DomainName,
    *,
    paused: Paused = False,
    force_boot: Annotated[
        bool, typer.Option("--force-boot", help="Throw a managed save away and boot.")
    ] = False,
    watch: Watch = False,
    autodestroy: Autodestroy = False,
    connect: Connect = None,
) -> None:
    """Start a domain; from its managed save when there is one."""
    _check(watch=watch, autodestroy=autodestroy)
    with connected(context, connect) as connection:
        found = find(connection, domain)

        def act() -> virevents.Domain:
            found.start(paused=paused, force_boot=force_boot, autodestroy=autodestroy)
            return found

        _run(connection, act, f"starting {domain}", "started", watch=watch)


def _create(
    context: typer.Context,
    file: XmlFile,
    *,
    paused: Paused = False,
    watch: Watch = False,
    autodestroy: Autodestroy = False,
    connect: Connect = None,
) -> None:
    """Start a domain that is gone when it stops."""
    _check(watch=watch, autodestroy=autodestroy)
    xml = read_xml(file)
    with connected(context, connect) as connection:
        _run(
            connection,
            lambda: connection.create(xml, paused=paused, autodestroy=autodestroy),
            f"creating {file}",
            "created",
            watch=watch,
        )


def _restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file with the saved state.")],
    *,
    paused: Annotated[
        bool | None,
        typer.Option("--paused/--running", help="Not as it was saved, but so.", show_default=False),
    ] = None,
    watch: Watch = False,
    connect: Connect = None,
) -> None:
    """Start a domain from a file that save wrote."""
    with connected(context, connect) as connection:
        _run(
            connection,
            lambda: connection.restore(file, paused=paused),
            f"restoring {file}",
            f"restored from {file}",
            watch=watch,
        )


def _check(*, watch: bool, autodestroy: bool) -> None:
    # The library's autodestroy ends with the connection, and a command's ends with the command:
    # without --watch the domain would be gone before anybody had seen it.
    if autodestroy and not watch:
        raise typer.BadParameter(
            "expected --watch beside it: the domain ends with this command",
            param_hint="--autodestroy",
        )


def _run(
    connection: virevents.Connection, act: _Act, doing: str, done: str, *, watch: bool
) -> None:
    """Do what starts a domain and say so; with *watch*, stay until it stops."""
    if not watch:
        with progress(doing):
            domain = act()
        print_line(f"domain {printable(domain.name)} {printable(done)}")
        return
    with connection.events() as stream:  # before it starts, so that nothing is missed
        with progress(doing):
            uuid = act().uuid
        for item in stream:
            if isinstance(item, virevents.Gap):
                print_line(as_text(item))
            elif item.domain.uuid == uuid:
                print_line(as_text(item))
                if item.event is virevents.Lifecycle.STOPPED:
                    return


def add_starting(app: typer.Typer) -> None:
    """Put the verbs into *app*."""
    app.command("create")(_create)
    app.command("start")(_start)
    app.command("restore")(_restore)
