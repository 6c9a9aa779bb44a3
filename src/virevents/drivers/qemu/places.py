# SPDX-License-Identifier: LGPL-2.1-or-later
"""The URIs ``qemu:///embed``, ``session`` and ``system``: which directory each names.

It stands apart because connections are shared by what their URIs resolve to, on every platform,
also where the driver itself cannot be imported.

    qemu:///embed?root=DIR  a directory of the caller's
    qemu:///session         the user's own: ``virevents/qemu`` where the system keeps state
    qemu:///system          the host's, for root: ``/var/lib/virevents/qemu``

Each takes these parameters, and no other:

    monitor_timeout=SECONDS  how long QEMU may take to answer a command
    run_as=USER[:GROUP]      whom QEMU runs as, if we are root
    cgroup=DIR               the delegated control group that QEMU joins

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_places.py``:
    one_spelling   two ways to the same directory resolve to the same URI
    clear_refusal  any other URI is refused with what was expected
    own_places     session and system resolve to one directory each, whatever else is asked
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import platformdirs

from virevents.drivers.uri import ConnectionUri
from virevents.errors import InvalidArgumentError, OpenError

__all__ = ["resolve", "root_of"]

_OPTIONS: Final = frozenset({"cgroup", "monitor_timeout", "run_as"})
_SYSTEM: Final = Path("/var/lib/virevents/qemu")
# More than a day for an answer is a mistake in the unit.
_LONGEST_TIMEOUT: Final = 86_400.0


def resolve(uri: ConnectionUri) -> ConnectionUri:
    """Return *uri* in the one spelling of its directory, which need not exist yet.

    Raises:
        OpenError: It is no URI of this driver's, or is for another user.
        InvalidArgumentError: Its directory is missing or relative, or a parameter is wrong.
    """
    if uri.path not in {"/embed", "/session", "/system"} or uri.authority:
        raise OpenError(
            f"expected qemu:///embed?root=DIR, qemu:///session or qemu:///system, met {uri}"
        )
    known = _OPTIONS | {"root"} if uri.path == "/embed" else _OPTIONS
    uri.refuse_unknown_parameters(known)
    parameters = dict(uri.parameters)
    if uri.path == "/embed":
        parameters["root"] = _embedded(uri)
    elif uri.path == "/system":
        _check_root(uri)
    if "monitor_timeout" in parameters:
        parameters["monitor_timeout"] = _seconds(uri, parameters["monitor_timeout"])
    return replace(uri, parameters=tuple(sorted(parameters.items())))


def root_of(uri: ConnectionUri) -> Path:
    """Return the directory of a resolved URI."""
    if uri.path == "/system":
        return _SYSTEM
    if uri.path == "/session":
        return Path(platformdirs.user_state_path("virevents")) / "qemu"
    return Path(uri.parameter("root") or "/")


def _embedded(uri: ConnectionUri) -> str:
    root = uri.parameter("root")
    if not root or not Path(root).is_absolute() or "\0" in root:
        raise InvalidArgumentError(f"{uri}: expected root=DIR with an absolute path")
    return str(Path(root).resolve())


def _check_root(uri: ConnectionUri) -> None:
    user = os.geteuid() if hasattr(os, "geteuid") else None
    if user != 0:
        raise OpenError(
            f"{uri}: the domains of the host are run by root, and this process is user {user}: "
            "run it as root, or open qemu:///session, which is your own"
        )


def _seconds(uri: ConnectionUri, text: str) -> str:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidArgumentError(
            f"{uri}: expected monitor_timeout in seconds, above 0 and at most "
            f"{_LONGEST_TIMEOUT:g}, met {text!r}"
        )
    return f"{seconds:g}"
