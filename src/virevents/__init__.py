# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thread-safe lifecycle events of virtual machines, over libvirt's own words and wire.

This module only re-exports the public names; nothing is defined here but the version.

Immutable.
"""

from typing import Final

from virevents import aio
from virevents.connection import (
    Connection,
    Domain,
    EventStream,
    Expectation,
    Subscription,
    SubscriptionStats,
    open,
)
from virevents.errors import (
    ClosedError,
    DefinitionError,
    DomainExistsError,
    DomainNotFoundError,
    ExpectTimeout,
    ForkedError,
    OpenError,
    OperationFailedError,
    OperationTimeoutError,
    ReadOnlyError,
    StateError,
    UnsupportedError,
    VireventsError,
    WouldBlockError,
)
from virevents.model import (
    DomainEvent,
    DomainIdentity,
    DomainState,
    EventId,
    Gap,
    Lifecycle,
    LifecycleEvent,
)

__all__ = [
    "ClosedError",
    "Connection",
    "DefinitionError",
    "Domain",
    "DomainEvent",
    "DomainExistsError",
    "DomainIdentity",
    "DomainNotFoundError",
    "DomainState",
    "EventId",
    "EventStream",
    "ExpectTimeout",
    "Expectation",
    "ForkedError",
    "Gap",
    "Lifecycle",
    "LifecycleEvent",
    "OpenError",
    "OperationFailedError",
    "OperationTimeoutError",
    "ReadOnlyError",
    "StateError",
    "Subscription",
    "SubscriptionStats",
    "UnsupportedError",
    "VireventsError",
    "WouldBlockError",
    "__version__",
    "aio",
    "open",
]

__version__: Final = "0.1.0"
