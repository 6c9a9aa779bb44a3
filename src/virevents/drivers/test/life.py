# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps of a test domain's life: each change of state together with the event that tells it.

They stand apart from the operations, several of which share a step: who starts, restores or
creates runs; who shuts down, destroys, saves or crashes stops.

Locking: every function is called under the domain's lock. ``_ids`` is a counter whose ``next`` is
one step.

Invariants, each with a test of its name in ``tests/drivers/test_driver/test_driver.py``:
    ids_grow      each start has an id that was not used before
"""

from collections.abc import Callable
from itertools import count
from typing import Final

from virevents.definition import LifecycleAction
from virevents.dispatch import EventState
from virevents.drivers.test.domain import RUNNING_BOOTED, SHUTOFF_SHUTDOWN, TestDomain
from virevents.model import (
    INACTIVE_ID,
    Cause,
    Detail,
    Lifecycle,
    LifecycleEvent,
    RequestedBy,
    StartedDetail,
    StateAndReason,
    StoppedDetail,
)
from virevents.sync import assert_held

__all__ = ["BY_CALL", "HARD", "IN_ORDER", "Life"]

BY_CALL: Final = Cause(RequestedBy.CALL)
IN_ORDER: Final = Cause(RequestedBy.CALL, is_graceful=True)
HARD: Final = Cause(RequestedBy.CALL, is_graceful=False)

_BOOTS_AGAIN: Final = frozenset({LifecycleAction.RESTART, LifecycleAction.RENAME_RESTART})
_from_object: Final = LifecycleEvent.from_object


class Life:
    """The steps of the lives of one driver's domains.

    Args:
        state: Where their events are pushed.
        time: Gives the events' time.
    """

    def __init__(self, state: EventState, time: Callable[[], float]) -> None:
        self._state: Final = state
        self._time: Final = time
        self._ids: Final = count(1)

    def tell_locked(
        self, domain: TestDomain, event: Lifecycle, detail: Detail, cause: Cause = BY_CALL
    ) -> None:
        """Push an event of what was changed just before."""
        assert_held(domain.lock)
        self._state.push(_from_object(domain, event, detail, self._time(), cause))

    def start_locked(
        self, domain: TestDomain, state: StateAndReason, detail: StartedDetail
    ) -> None:
        """Let the domain run, and tell so."""
        self.run_locked(domain, state)
        self.tell_locked(domain, Lifecycle.STARTED, detail)

    def run_locked(self, domain: TestDomain, state: StateAndReason) -> None:
        """Let the domain run, in *state*, with a new id; a managed save is used up by it."""
        assert_held(domain.lock)
        domain.state = state
        domain.has_managed_save = False
        domain.set_id_locked(next(self._ids))
        if domain.is_persistent and domain.next_definition is None:
            domain.next_definition = domain.definition

    def follow_locked(self, domain: TestDomain, action: LifecycleAction) -> None:
        """Do what the definition wants when the guest has powered off or rebooted."""
        assert_held(domain.lock)
        if action in _BOOTS_AGAIN:
            domain.state = RUNNING_BOOTED
        else:
            self.stop_locked(domain, SHUTOFF_SHUTDOWN, StoppedDetail.SHUTDOWN, IN_ORDER)

    def stop_locked(
        self,
        domain: TestDomain,
        state: StateAndReason,
        detail: StoppedDetail,
        cause: Cause = BY_CALL,
    ) -> None:
        """Stop the domain, and tell so; a transient one is removed by it."""
        assert_held(domain.lock)
        domain.state = state
        domain.set_id_locked(INACTIVE_ID)
        if domain.next_definition is not None:
            domain.set_definition_locked(domain.next_definition)
            domain.next_definition = None
        self.tell_locked(domain, Lifecycle.STOPPED, detail, cause)
        domain.is_removed = not domain.is_persistent
