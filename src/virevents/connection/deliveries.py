# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a user says where a callback is to run, and what that makes of it.

It stands apart as the one place where the words meet the deliveries of ``dispatch``.

Immutable: a function.
"""

import asyncio
from typing import Literal, TypeAlias

from virevents.connection.process import Machinery
from virevents.dispatch import Callback, Delivery, DirectDelivery, isolated, to_asyncio
from virevents.errors import InvalidArgumentError

__all__ = ["DeliveryName", "make_delivery"]

DeliveryName: TypeAlias = Literal["isolated", "direct"] | asyncio.AbstractEventLoop
"""How a callback is run: on a worker, on the loop thread, or on an asyncio loop."""


def make_delivery(
    callback: Callback, delivery: DeliveryName, capacity: int, machinery: Machinery
) -> Delivery:
    """Make the delivery that *delivery* names.

    Raises:
        InvalidArgumentError: It is none of those there are.
    """
    if delivery == "isolated":
        return isolated(machinery.pool, callback, capacity=capacity)
    if delivery == "direct":
        return DirectDelivery()
    if isinstance(delivery, asyncio.AbstractEventLoop):
        elsewhere = machinery.run_elsewhere
        return to_asyncio(delivery, callback, capacity=capacity, run_elsewhere=elsewhere)
    raise InvalidArgumentError(
        f"delivery: expected 'isolated', 'direct' or an asyncio loop, met {delivery!r}"
    )
