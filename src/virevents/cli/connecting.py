# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which hypervisor a command talks to, and which of its domains.

It stands apart because every command has the same option, the same default and the same errors.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/cli/test_connecting.py``:
    either_side   ``-c`` is taken before and after the verb; after wins
    virsh_order   a domain is found by id, then uuid, then name
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, TypeAlias

import typer

import virevents
from virevents.cli.ends import CONNECTION_FAILED, Fail
from virevents.errors import InvalidArgumentError, VireventsError

__all__ = [
    "Connect",
    "DomainName",
    "chosen_uri",
    "connected",
    "failed_to_connect",
    "find",
    "find_async",
    "named_uri",
]

Connect: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--connect",
        "-c",
        metavar="URI",
        help="The hypervisor; before or after the verb. [env: VIREVENTS_DEFAULT_URI]",
    ),
]

DomainName: TypeAlias = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="Its id, uuid or name.")
]


def named_uri(context: typer.Context, connect: str | None) -> str | None:
    """Return the URI that the user named by ``-c``, after the verb or before it."""
    before: object = context.obj
    return connect or (before if isinstance(before, str) else None)


def chosen_uri(context: typer.Context, connect: str | None) -> str:
    """Return the URI that the user named, or the default."""
    named = named_uri(context, connect)
    return named or os.environ.get("VIREVENTS_DEFAULT_URI") or _default()


def _default() -> str:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return "qemu:///system" if is_root else "qemu:///session"


def failed_to_connect(uri: str, error: VireventsError) -> Fail:
    """Return what ends the program when *uri* could not be opened."""
    return Fail(f"failed to connect to {uri}: {error}", CONNECTION_FAILED)


@contextmanager
def connected(
    context: typer.Context, connect: str | None, *, read_only: bool = False
) -> Iterator[virevents.Connection]:
    """Open the chosen hypervisor for the length of the block; errors end the program.

    Raises:
        Fail: Something failed; its text says what.
    """
    uri = chosen_uri(context, connect)
    try:
        connection = virevents.open(uri, read_only=read_only)
    except VireventsError as error:
        raise failed_to_connect(uri, error) from error
    with connection:
        try:
            yield connection
        except VireventsError as error:
            raise Fail(str(error)) from error


def find(connection: virevents.Connection, domain: str) -> virevents.Domain:
    """Find a domain by id, uuid or name, in this order, as virsh does.

    Raises:
        DomainNotFoundError: There is none.
    """
    if _may_be_id(domain):
        with suppress(virevents.DomainNotFoundError):
            return connection.lookup_id(int(domain))
    with suppress(virevents.DomainNotFoundError, InvalidArgumentError):
        return connection.lookup_uuid(domain)
    try:
        return connection.lookup(domain)
    except virevents.DomainNotFoundError as error:
        raise _not_found(connection.uri, domain) from error


async def find_async(connection: virevents.aio.Connection, domain: str) -> virevents.aio.Domain:
    """Find a domain as ``find`` does, for asyncio."""
    if _may_be_id(domain):
        with suppress(virevents.DomainNotFoundError):
            return await connection.lookup_id(int(domain))
    with suppress(virevents.DomainNotFoundError, InvalidArgumentError):
        return await connection.lookup_uuid(domain)
    try:
        return await connection.lookup(domain)
    except virevents.DomainNotFoundError as error:
        raise _not_found(connection.uri, domain) from error


def _may_be_id(domain: str) -> bool:
    # What is longer than a C int is a name; Python's conversion would take long for a huge one.
    return domain.isascii() and domain.isdigit() and len(domain) <= len(str(2**31))


def _not_found(uri: str, domain: str) -> virevents.DomainNotFoundError:
    return virevents.DomainNotFoundError(
        f"{uri} has no domain with the id, uuid or name {domain!r}"
    )
