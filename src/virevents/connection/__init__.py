# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user holds: ``open(uri)``, ``Connection``, ``Domain``, ``Subscription``, streams.

The asyncio face of the same is ``virevents.aio``.
"""

from virevents.connection.connection import Connection
from virevents.connection.deliveries import DeliveryName
from virevents.connection.domain import Domain
from virevents.connection.expect import Expectation
from virevents.connection.filters import EventIds, Only
from virevents.connection.opening import open
from virevents.connection.process import Process, current_process
from virevents.connection.statistics import ConnectionStats
from virevents.connection.streams import EventStream
from virevents.connection.subscription import Subscription, SubscriptionStats

__all__ = [
    "Connection",
    "ConnectionStats",
    "DeliveryName",
    "Domain",
    "EventIds",
    "EventStream",
    "Expectation",
    "Only",
    "Process",
    "Subscription",
    "SubscriptionStats",
    "current_process",
    "open",
]
