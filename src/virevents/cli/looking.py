# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs that look at domains and change nothing.

They stand apart from those that change: these open their connection read-only.

Locking: none; these run on the main thread.
"""

from typing import Annotated

import typer

import virevents
from virevents.cli.connecting import Connect, DomainName, connected, find
from virevents.cli.printing import print_line, print_table, printable

__all__ = ["add_looking"]


def _list_domains(
    context: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Inactive ones as well.")] = False,
    inactive: Annotated[bool, typer.Option("--inactive", help="Inactive ones only.")] = False,
    names: Annotated[bool, typer.Option("--name", help="Names only, one a line.")] = False,
    uuids: Annotated[bool, typer.Option("--uuid", help="Uuids only, one a line.")] = False,
    connect: Connect = None,
) -> None:
    """List the domains that run, or all."""
    if names and uuids:
        raise typer.BadParameter("expected one of --name and --uuid, met both")
    active = None if every else not inactive
    with connected(context, connect, read_only=True) as connection:
        rows = sorted(_rows(connection, active=active), key=_running_first)
    if names or uuids:
        for _, name, uuid, _ in rows:
            print_line(printable(name) if names else uuid)
        return
    shown = ((str(number) if number >= 0 else "-", name, state) for number, name, _, state in rows)
    print_table([("Id", "Name", "State"), *shown])


def _rows(
    connection: virevents.Connection, *, active: bool | None
) -> list[tuple[int, str, str, str]]:
    found = []
    for domain in connection.list(active=active):
        try:
            state = str(domain.state().state)
            found.append((domain.id, domain.name, domain.uuid, state))
        except virevents.DomainNotFoundError:
            continue  # it went while we looked
    return found


def _running_first(row: tuple[int, str, str, str]) -> tuple[bool, int, str]:
    number, name, _, _ = row
    return number < 0, number, name


def _info(context: typer.Context, domain: DomainName, connect: Connect = None) -> None:
    """Show what is known of a domain."""
    with connected(context, connect, read_only=True) as connection:
        found = find(connection, domain)
        state, reason = found.state()
        facts = {
            "Id": str(found.id) if found.id >= 0 else "-",
            "Name": printable(found.name),
            "UUID": found.uuid,
            "State": f"{state} ({reason})",
            "Persistent": "yes" if found.is_persistent else "no",
            "Autostart": _autostart(found),
            "Managed save": "yes" if found.has_managed_save else "no",
        }
    for name, value in facts.items():
        print_line(f"{name + ':':<16}{value}")


def _autostart(domain: virevents.Domain) -> str:
    try:
        return "yes" if domain.is_autostarted else "no"
    except virevents.UnsupportedError:
        return "-"  # nobody starts domains there


def _domstate(
    context: typer.Context,
    domain: DomainName,
    *,
    reason: Annotated[bool, typer.Option("--reason", help="And how it came to it.")] = False,
    connect: Connect = None,
) -> None:
    """Show the state of a domain."""
    with connected(context, connect, read_only=True) as connection:
        state = find(connection, domain).state()
        print_line(f"{state.state} ({state.reason})" if reason else str(state.state))


def _dumpxml(
    context: typer.Context,
    domain: DomainName,
    *,
    inactive: Annotated[bool, typer.Option("--inactive", help="Of the next start.")] = False,
    connect: Connect = None,
) -> None:
    """Show the definition of a domain as XML."""
    with connected(context, connect, read_only=True) as connection:
        print_line(find(connection, domain).xml(inactive=inactive).rstrip("\n"))


def add_looking(app: typer.Typer) -> None:
    """Put the verbs into *app*."""
    app.command("list")(_list_domains)
    app.command("info")(_info)
    app.command("domstate")(_domstate)
    app.command("dumpxml")(_dumpxml)
