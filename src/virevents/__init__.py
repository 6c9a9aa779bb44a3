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
from virevents.drivers import CoreDumpMode, NvramFate, SleepMode
from virevents.errors import (
    AgentError,
    ClosedError,
    DefinitionError,
    DomainExistsError,
    DomainNotFoundError,
    ExpectTimeout,
    ForkedError,
    HostError,
    OpenError,
    OperationFailedError,
    OperationTimeoutError,
    ReadOnlyError,
    StartError,
    StateError,
    UnsupportedArgumentError,
    UnsupportedDefinitionError,
    UnsupportedError,
    VireventsError,
    WouldBlockError,
)
from virevents.model import (
    Cause,
    DomainEvent,
    DomainIdentity,
    DomainState,
    EventId,
    Gap,
    Lifecycle,
    LifecycleEvent,
    RequestedBy,
)

__all__ = [
    "AgentError",
    "Cause",
    "ClosedError",
    "Connection",
    "CoreDumpMode",
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
    "HostError",
    "Lifecycle",
    "LifecycleEvent",
    "NvramFate",
    "OpenError",
    "OperationFailedError",
    "OperationTimeoutError",
    "ReadOnlyError",
    "RequestedBy",
    "SleepMode",
    "StartError",
    "StateError",
    "Subscription",
    "SubscriptionStats",
    "UnsupportedArgumentError",
    "UnsupportedDefinitionError",
    "UnsupportedError",
    "VireventsError",
    "WouldBlockError",
    "__version__",
    "aio",
    "open",
]

__version__: Final = "0.1.0"
