# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs that change domains: each is one call and a line.

They stand apart from those that only look.

Locking: none; these run on the main thread.

Invariants, each with a test of its name in ``tests/cli/test_verbs.py``:
    every_verb   each verb makes its one call, or ends with the library's own words
    watched      with ``--watch`` a command stays until its domain stops, and shows its events
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

import virevents
from virevents.cli.connecting import Connect, DomainName, connected, find
from virevents.cli.ends import Fail
from virevents.cli.printing import as_text, print_line, printable

__all__ = ["add_verbs"]

XmlFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="Domain XML; - for standard input.")
]
StateFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file with the saved state.")
]
Paused: TypeAlias = Annotated[bool, typer.Option("--paused", help="Leave it paused.")]
Watch: TypeAlias = Annotated[
    bool, typer.Option("--watch", help="Stay, show its events, and end when it stops.")
]

_Domain: TypeAlias = virevents.Domain
_Act: TypeAlias = Callable[[], virevents.Domain]


def _start(
    context: typer.Context,
    domain: DomainName,
    *,
    paused: Paused = False,
    watch: Watch = False,
    connect: Connect = None,
) -> None:
    """Start a domain; from its managed save when there is one."""
    with connected(context, connect) as connection:
        found = find(connection, domain)

        def act() -> virevents.Domain:
            found.start(paused=paused)
            return found

        _run(connection, act, "started", watch=watch)


def _create(
    context: typer.Context,
    file: XmlFile,
    *,
    paused: Paused = False,
    watch: Watch = False,
    connect: Connect = None,
) -> None:
    """Start a domain that is gone when it stops."""
    xml = _read(file)
    with connected(context, connect) as connection:
        _run(connection, lambda: connection.create(xml, paused=paused), "created", watch=watch)


def _restore(
    context: typer.Context,
    file: StateFile,
    *,
    paused: Paused = False,
    watch: Watch = False,
    connect: Connect = None,
) -> None:
    """Start a domain from a file that save wrote."""
    path = str(file.absolute())
    with connected(context, connect) as connection:
        _run(
            connection,
            lambda: connection.restore(path, paused=paused or None),
            f"restored from {file}",
            watch=watch,
        )


def _run(connection: virevents.Connection, act: _Act, after: str, *, watch: bool) -> None:
    """Do what starts a domain and say so; with *watch*, stay until it stops."""
    if not watch:
        print_line(f"domain {printable(act().name)} {printable(after)}")
        return
    with connection.events() as stream:  # before it starts, so that nothing is missed
        uuid = act().uuid
        for item in stream:
            if isinstance(item, virevents.Gap):
                print_line(as_text(item))
            elif item.domain.uuid == uuid:
                print_line(as_text(item))
                if item.event is virevents.Lifecycle.STOPPED:
                    return


def _define(context: typer.Context, file: XmlFile, connect: Connect = None) -> None:
    """Define a domain, or update the definition of the one with that uuid."""
    xml = _read(file)
    with connected(context, connect) as connection:
        print_line(f"domain {printable(connection.define(xml).name)} defined")


def _save(
    context: typer.Context, domain: DomainName, file: StateFile, connect: Connect = None
) -> None:
    """Save the running state of a domain to a file, and stop it."""
    with connected(context, connect) as connection:
        find(connection, domain).save(str(file.absolute()))
        print_line(f"domain {printable(domain)} saved to {printable(str(file))}")


def _dump(
    context: typer.Context,
    domain: DomainName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the memory goes.")],
    *,
    crash: Annotated[bool, typer.Option("--crash", help="End the domain there.")] = False,
    connect: Connect = None,
) -> None:
    """Write the memory of a running domain to a file."""
    with connected(context, connect) as connection:
        find(connection, domain).core_dump(file, mode="crash" if crash else "pause")
        print_line(f"domain {printable(domain)} dumped to {printable(str(file))}")


def _rename(
    context: typer.Context,
    domain: DomainName,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    connect: Connect = None,
) -> None:
    """Give an inactive domain another name."""
    with connected(context, connect) as connection:
        find(connection, domain).rename(name)
        print_line(f"domain {printable(domain)} renamed to {printable(name)}")


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Fail(f"cannot read {file}: {error}") from error


def _add(
    app: typer.Typer,
    name: str,
    call: Callable[[virevents.Domain], None],
    text: str,
    after: str,
) -> None:
    """Add a verb that is one call on a domain and says what came of it."""

    def verb(context: typer.Context, domain: DomainName, connect: Connect = None) -> None:
        with connected(context, connect) as connection:
            call(find(connection, domain))
            print_line(f"domain {printable(domain)} {after}")

    app.command(name, help=text)(verb)


def add_verbs(app: typer.Typer) -> None:
    """Put the verbs into *app*, in the order in which a domain lives."""
    app.command("define")(_define)
    _add(app, "undefine", _Domain.undefine, "Remove a domain's definition.", "undefined")
    app.command("create")(_create)
    app.command("start")(_start)
    _add(app, "suspend", _Domain.suspend, "Pause a domain's processors.", "suspended")
    _add(app, "resume", _Domain.resume, "Let a paused domain run.", "resumed")
    text = "Ask the guest to power off; it may take its time."
    _add(app, "shutdown", _Domain.shutdown, text, "is being shut down")
    _add(app, "reboot", _Domain.reboot, "Ask the guest to reboot.", "is being rebooted")
    _add(app, "reset", _Domain.reset, "Reset the machine, without asking the guest.", "reset")
    text = "Stop a domain now, without asking the guest."
    _add(app, "destroy", _Domain.destroy, text, "destroyed")
    app.command("save")(_save)
    app.command("restore")(_restore)
    text = "Save the running state for the next start, and stop."
    _add(app, "managedsave", _Domain.managed_save, text, "saved for its next start")
    text = "Throw the managed save away."
    after = "has no managed save any more"
    _add(app, "managedsave-remove", _Domain.managed_save_remove, text, after)
    app.command("dump")(_dump)
    app.command("rename")(_rename)
