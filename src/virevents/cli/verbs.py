# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs that change domains: each is one call and a line.

They stand apart from those that only look; those that start a domain, and may stay with it, and
those that write its memory to a file are modules of their own.

Locking: none; these run on the main thread.

Invariants, each with a test of its name in ``tests/cli/test_verbs.py``:
    every_verb   each verb makes its one call, or ends with the library's own words
"""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Final, TypeAlias

import typer

import virevents
from virevents.cli.connecting import Connect, DomainName, connected, find
from virevents.cli.files import XmlFile, read_xml
from virevents.cli.printing import print_line, printable
from virevents.cli.progress import progress

__all__ = ["add_defining", "add_verbs"]

_Domain: TypeAlias = virevents.Domain


class _Sleep(Enum):
    """A sleep's words, virsh's among them."""

    MEMORY = "memory"
    MEM = "mem"
    DISK = "disk"
    HYBRID = "hybrid"


_VIRSH_WORDS: Final = {"mem": "memory"}


def _define(context: typer.Context, file: XmlFile, connect: Connect = None) -> None:
    """Define a domain, or update the definition of the one with that uuid."""
    xml = read_xml(file)
    with connected(context, connect) as connection:
        print_line(f"domain {printable(connection.define(xml).name)} defined")


def _undefine(
    context: typer.Context,
    domain: DomainName,
    *,
    managed_save: Annotated[
        bool, typer.Option("--managed-save", help="Throw its managed save away, too.")
    ] = False,
    nvram: Annotated[
        virevents.NvramFate | None,
        typer.Option("--nvram", help="What becomes of its firmware's variables."),
    ] = None,
    connect: Connect = None,
) -> None:
    """Remove a domain's definition."""
    with connected(context, connect) as connection:
        find(connection, domain).undefine(managed_save=managed_save, nvram=nvram)
        print_line(f"domain {printable(domain)} undefined")


def _shutdown(
    context: typer.Context,
    domain: DomainName,
    *,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", min=0, help="Wait S seconds for it to be off."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --timeout: then destroy it, instead of failing.")
    ] = False,
    connect: Connect = None,
) -> None:
    """Ask the guest to power off; it may take its time."""
    if force and timeout is None:
        raise typer.BadParameter(
            "expected --timeout beside it (destroy stops a domain at once)", param_hint="--force"
        )
    with connected(context, connect) as connection:
        found = find(connection, domain)
        if timeout is None:
            found.shutdown()
            print_line(f"domain {printable(domain)} is being shut down")
            return
        with progress(f"waiting for {domain} to power off", seconds=timeout):
            found.shutdown(timeout=timeout, force=force)
        print_line(f"domain {printable(domain)} is off")


def _destroy(
    context: typer.Context,
    domain: DomainName,
    *,
    graceful: Annotated[
        bool, typer.Option("--graceful", help="Fail rather than kill its process.")
    ] = False,
    connect: Connect = None,
) -> None:
    """Stop a domain now, without asking the guest."""
    with connected(context, connect) as connection:
        find(connection, domain).destroy(graceful=graceful)
        print_line(f"domain {printable(domain)} destroyed")


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


def _autostart(
    context: typer.Context,
    domain: DomainName,
    *,
    disable: Annotated[bool, typer.Option("--disable", help="No longer.")] = False,
    connect: Connect = None,
) -> None:
    """Have a domain started when its hypervisor is first opened after the host's boot."""
    with connected(context, connect) as connection:
        find(connection, domain).set_autostart(on=not disable)
        print_line(f"domain {printable(domain)} is {'not ' if disable else ''}autostarted")


def _pm_suspend(
    context: typer.Context,
    domain: DomainName,
    mode: Annotated[
        _Sleep, typer.Argument(metavar="MODE", help="Into which sleep.")
    ] = _Sleep.MEMORY,
    connect: Connect = None,
) -> None:
    """Ask the guest, by its agent, to go to sleep."""
    word = _VIRSH_WORDS.get(mode.value, mode.value)
    with connected(context, connect) as connection:
        find(connection, domain).pm_suspend(virevents.SleepMode(word))
        print_line(f"domain {printable(domain)} is being sent to sleep")


def _add(
    app: typer.Typer,
    name: str,
    call: Callable[[virevents.Domain], None],
    text: str,
    after: str,
    virsh_name: str = "",
) -> None:
    """Add a verb that is one call on a domain and says what came of it."""

    def verb(context: typer.Context, domain: DomainName, connect: Connect = None) -> None:
        with connected(context, connect) as connection:
            call(find(connection, domain))
            print_line(f"domain {printable(domain)} {after}")

    app.command(name, help=text)(verb)
    if virsh_name:
        app.command(virsh_name, help=text, hidden=True)(verb)


def add_defining(app: typer.Typer) -> None:
    """Put into *app* the verbs that change what a domain is."""
    app.command("define")(_define)
    app.command("undefine")(_undefine)
    app.command("rename")(_rename)
    app.command("domrename", hidden=True)(_rename)  # virsh's name of it, as below
    app.command("autostart")(_autostart)


def add_verbs(app: typer.Typer) -> None:
    """Put into *app* the verbs that change what a running domain does."""
    _add(app, "suspend", _Domain.suspend, "Pause a domain's processors.", "suspended")
    _add(app, "resume", _Domain.resume, "Let a paused domain run.", "resumed")
    app.command("shutdown")(_shutdown)
    _add(app, "reboot", _Domain.reboot, "Ask the guest to reboot.", "is being rebooted")
    _add(app, "reset", _Domain.reset, "Reset the machine, without asking the guest.", "reset")
    app.command("destroy")(_destroy)
    app.command("pmsuspend")(_pm_suspend)
    app.command("dompmsuspend", hidden=True)(_pm_suspend)
    text = "Wake a guest that sleeps."
    _add(app, "pmwakeup", _Domain.pm_wakeup, text, "woken up", virsh_name="dompmwakeup")
