# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dispatch core: queue, callback registry, dispatch functions, strands, event state.

The pieces of libvirt's rework of December 2008 by their own names, for driver authors:
``docs/concurrency.md`` has the whole path of an event on one page.
"""

from virevents.dispatch.callback import Callback, Hooks
from virevents.dispatch.delivery import (
    Delivery,
    DirectDelivery,
    DispatchFunc,
    dispatch_default,
    unlocked,
)
from virevents.dispatch.filters import Batch, Filter
from virevents.dispatch.functions import dispatch_batch, dispatch_event, dispatch_queue
from virevents.dispatch.isolated import Strand, isolated
from virevents.dispatch.mailbox import Mailbox, Taken
from virevents.dispatch.pool import Pool, Runnable
from virevents.dispatch.pulled import AsyncioDelivery, PulledDelivery, to_asyncio
from virevents.dispatch.queue import EventQueue, Starting
from virevents.dispatch.registry import CallbackRegistry
from virevents.dispatch.state import EventState

__all__ = [
    "AsyncioDelivery",
    "Batch",
    "Callback",
    "CallbackRegistry",
    "Delivery",
    "DirectDelivery",
    "DispatchFunc",
    "EventQueue",
    "EventState",
    "Filter",
    "Hooks",
    "Mailbox",
    "Pool",
    "PulledDelivery",
    "Runnable",
    "Starting",
    "Strand",
    "Taken",
    "dispatch_batch",
    "dispatch_default",
    "dispatch_event",
    "dispatch_queue",
    "isolated",
    "to_asyncio",
    "unlocked",
]
