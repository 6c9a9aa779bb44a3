# SPDX-License-Identifier: LGPL-2.1-or-later
"""The only door to threading: lock table, ``RankedLock``, ``Gate``, ``call_out``, thread roles.

Everything that blocks, switches threads or runs a user's code comes from here, so that the rules
of ``docs/concurrency.md`` are checked in one place and a schedule explorer can take over.
"""

from virevents.sync.callout import Failure, call_out, report
from virevents.sync.doorbell import Doorbell, SystemDoorbell, WakeDescriptor, WakeSignal
from virevents.sync.fork import Birth, after_fork_in_child, keep_from_children
from virevents.sync.gate import Gate
from virevents.sync.locks import (
    CheckedLock,
    Lock,
    RankedLock,
    are_locks_checked,
    assert_held,
    assert_nothing_held,
)
from virevents.sync.primitives import (
    OneShot,
    Primitives,
    SystemPrimitives,
    installed,
    primitives,
)
from virevents.sync.table import (
    CONNECTION,
    DOMAIN,
    DRIVER,
    LOCK_TABLE,
    MAILBOX,
    POOL,
    PROCESS,
    QUEUE,
    REGISTRY,
    TURN,
    WAKEUP,
    LockClass,
    Step,
)
from virevents.sync.threads import (
    Role,
    in_role,
    is_callback_thread,
    is_caller_thread,
    is_loop_thread,
    refuse_to_block,
)

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
    "Birth",
    "CheckedLock",
    "Doorbell",
    "Failure",
    "Gate",
    "Lock",
    "LockClass",
    "OneShot",
    "Primitives",
    "RankedLock",
    "Role",
    "Step",
    "SystemDoorbell",
    "SystemPrimitives",
    "WakeDescriptor",
    "WakeSignal",
    "after_fork_in_child",
    "are_locks_checked",
    "assert_held",
    "assert_nothing_held",
    "call_out",
    "in_role",
    "installed",
    "is_callback_thread",
    "is_caller_thread",
    "is_loop_thread",
    "keep_from_children",
    "primitives",
    "refuse_to_block",
    "report",
]
