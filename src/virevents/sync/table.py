# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lock table: every class of lock there is, as data.

It stands apart because three things are made from it: the run-time check (``locks``), and the
picture and the table of ``docs/concurrency.md`` (``tools/generate_concurrency_page.py``). A lock
class that is not here does not exist; a new one needs an ADR.

Immutable.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = [
    "CONNECTION",
    "DOMAIN",
    "DRIVER",
    "LOCK_TABLE",
    "MAILBOX",
    "POOL",
    "PROCESS",
    "QUEUE",
    "REGISTRY",
    "TURN",
    "WAKEUP",
    "LockClass",
    "Step",
]


class Step(IntEnum):
    """The three steps: a thread goes down them, one lock of a step at a time, then stops."""

    TURN = 1
    OWNER = 2
    LEAF = 3


@dataclass(frozen=True, slots=True)
class LockClass:
    """One row of the lock table.

    Attributes:
        name: The one name of this lock in code, log lines, errors and docs.
        step: Its step; a lock is taken only while every held one is of an earlier step.
        scope: What there is one such lock for each of.
        guards: What it protects, in the words of the concurrency page.
    """

    name: str
    step: Step
    scope: str
    guards: str


TURN: Final = LockClass(
    "turn", Step.TURN, "domain", "nothing; it serialises modifying calls (libvirt: job)"
)
DRIVER: Final = LockClass(
    "driver", Step.OWNER, "driver", "the list of domains (libvirt: driver lock)"
)
DOMAIN: Final = LockClass(
    "domain",
    Step.OWNER,
    "domain",
    "its state, definition, `is_removed`; events are made *and pushed* under it",
)
REGISTRY: Final = LockClass(
    "registry",
    Step.OWNER,
    "event state",
    "callbacks (published as a tuple, replaced whole, read without the lock) and tombstones",
)
CONNECTION: Final = LockClass(
    "connection", Step.OWNER, "connection", "opening, open, closing, closed; its subscriptions"
)
PROCESS: Final = LockClass(
    "process", Step.OWNER, "process", "shared drivers and their counts, the loop thread, the pools"
)
QUEUE: Final = LockClass(
    "queue", Step.LEAF, "event state", "events awaiting flush, the next sequence number"
)
MAILBOX: Final = LockClass(
    "mailbox",
    Step.LEAF,
    "subscription",
    'events and gap awaiting its strand; "a worker has it", calls in flight',
)
POOL: Final = LockClass("pool", Step.LEAF, "process", "strands ready to run, idle workers")
WAKEUP: Final = LockClass(
    "wakeup", Step.LEAF, "loop", 'calls handed to the loop, "a wake is pending"'
)

LOCK_TABLE: Final = (
    TURN,
    DRIVER,
    DOMAIN,
    REGISTRY,
    CONNECTION,
    PROCESS,
    QUEUE,
    MAILBOX,
    POOL,
    WAKEUP,
)
