# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who a domain is: its name, uuid and id, as an event carries them.

It stands apart from the events because everything that names a domain, an event, a handle, an
error, a log line, uses the same three facts; and because the sources from which an event may
take them are declared here, below the rooms that hold them.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_identity.py``:
    canonical   ``canonical_uuid`` gives lower-case text in 8-4-4-4-12 form and accepts its result
    inactive    an identity made from a definition has id -1
"""

import re
from typing import Final, Protocol, Self

from virevents.model.value import value_class

__all__ = [
    "INACTIVE_ID",
    "DefinitionSource",
    "DomainHandle",
    "DomainIdentity",
    "LiveDomain",
    "canonical_uuid",
]

INACTIVE_ID: Final = -1
"""The id of a domain that is not running."""

_UUID: Final = re.compile(
    r"([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})",
    re.ASCII | re.IGNORECASE,
)


def canonical_uuid(text: str) -> str:
    """Give *text* in the one spelling that this library uses: lower case, 8-4-4-4-12.

    Accepted are any case, and all of the hyphens or none.

    Raises:
        ValueError: *text* is no uuid.
    """
    found = _UUID.fullmatch(text)
    if found is None:
        message = f"expected a uuid (32 hexadecimal digits, as 8-4-4-4-12), met {text!r}"
        raise ValueError(message)
    return "-".join(found.group(1, 3, 4, 5, 6)).lower()


class DefinitionSource(Protocol):
    """What has a name and a uuid, but need not run: a domain's definition."""

    @property
    def name(self) -> str:
        """The domain's name."""

    @property
    def uuid(self) -> str:
        """The domain's uuid, canonical."""


class DomainHandle(DefinitionSource, Protocol):
    """What names a domain that may run: a user's handle of it."""

    @property
    def id(self) -> int:
        """The domain's id, -1 when it is not running."""


@value_class
class DomainIdentity:
    """The three names of a domain at one moment.

    Nothing is checked here, because identities are made under a domain's lock: what comes from
    outside goes through ``canonical_uuid`` first.

    Attributes:
        name: Unique on its connection at one time.
        uuid: Canonical text (``canonical_uuid``); stays the same for the domain's life.
        id: A positive number while the domain runs, else -1; never the same for two runs.
    """

    name: str
    uuid: str
    id: int = INACTIVE_ID

    @classmethod
    def from_domain(cls, handle: DomainHandle) -> Self:
        """The identity of the domain that *handle* names (each attribute is read once)."""
        return cls(handle.name, handle.uuid, handle.id)

    @classmethod
    def from_definition(cls, definition: DefinitionSource) -> Self:
        """The identity of a domain that is not running."""
        return cls(definition.name, definition.uuid, INACTIVE_ID)


class LiveDomain(Protocol):
    """A driver's own object of a domain, which keeps its identity ready.

    The driver replaces the identity when name or id change, and reads it under the domain's
    lock; so events of one domain state the id that was true when they were made.
    """

    @property
    def identity(self) -> DomainIdentity:
        """The domain's identity now."""
