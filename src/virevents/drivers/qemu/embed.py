# SPDX-License-Identifier: LGPL-2.1-or-later
"""The URI ``qemu:///embed?root=DIR``: which directory it names.

It stands apart because connections are shared by what their URIs resolve to, on every platform,
also where the driver itself cannot be imported.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_embed.py``:
    one_spelling   two ways to the same directory resolve to the same URI
    clear_refusal  any other URI is refused with what was expected
"""

from dataclasses import replace
from pathlib import Path

from virevents.drivers.uri import ConnectionUri
from virevents.errors import InvalidArgumentError, OpenError

__all__ = ["resolve", "root_of"]


def resolve(uri: ConnectionUri) -> ConnectionUri:
    """Return *uri* with the one spelling of its directory, which need not exist yet.

    Raises:
        OpenError: It is not an embedded driver's URI.
        InvalidArgumentError: Its directory is missing or relative, or it has other parameters.
    """
    if uri.path != "/embed" or uri.authority:
        raise OpenError(f"expected qemu:///embed?root=DIR, met {uri}")
    uri.refuse_unknown_parameters({"root"})
    root = uri.parameter("root")
    if not root or not Path(root).is_absolute() or "\0" in root:
        raise InvalidArgumentError(f"{uri}: expected root=DIR with an absolute path")
    return replace(uri, parameters=(("root", str(Path(root).resolve())),))


def root_of(uri: ConnectionUri) -> Path:
    """Return the directory of a resolved URI."""
    return Path(uri.parameter("root") or "/")
