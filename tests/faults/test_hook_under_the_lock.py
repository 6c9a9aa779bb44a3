# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's fault: release hooks, and filters, ran under the lock of the callback list.

A hook that used the list again waited for itself for ever.
"""

import pytest

from tests.dispatch.fakes import Listener, batch
from virevents.dispatch import CallbackRegistry, Filter, dispatch_batch
from virevents.errors import LockOrderError
from virevents.model import DomainEvent


class _EndsUnderTheLock(CallbackRegistry):
    """The planted fault: what was taken off is ended before the lock is let go."""

    def remove(self, callback_id: int) -> bool:
        callback = self.find(callback_id)
        with self._lock:
            gone = self._take_locked(lambda c: c.id == callback_id)
            if callback is not None and callback.delivery is not None:
                callback.delivery.end(callback)
        return bool(gone)


class _FiltersUnderTheLock(CallbackRegistry):
    """The planted fault: the list is locked while it is walked, filters are asked meanwhile."""

    def dispatch(self, events: list[DomainEvent]) -> None:
        with self._lock:
            dispatch_batch(events, self)


def check_hook(registry: CallbackRegistry) -> None:
    """A release hook may use the list: it looks at it and puts another callback on."""
    second = Listener()

    class _First(Listener):
        def _on_release(self) -> None:
            registry.add(second.callback)
            super()._on_release()

    first = _First()
    registry.add(first.callback)
    registry.remove(first.callback.id)
    assert first.releases == 1
    assert registry.callbacks == (second.callback,)


def check_filter(registry: CallbackRegistry) -> None:
    """A filter is asked, and a callback called, with nothing held."""
    held: list[bool] = []

    class _Asking(Filter):
        def accepts(self, event: DomainEvent) -> bool:
            held.append(registry._lock.locked())
            return super().accepts(event)

    listener = Listener(wanted=_Asking(only=frozenset()))
    registry.add(listener.callback)
    if isinstance(registry, _FiltersUnderTheLock):
        registry.dispatch(batch(1))
    else:
        dispatch_batch(batch(1), registry)
    assert held == [False]


def test_ours_is_free_of_it() -> None:
    check_hook(CallbackRegistry())
    check_filter(CallbackRegistry())


def test_a_planted_hook_under_the_lock_is_refused() -> None:
    with pytest.raises(LockOrderError, match="registry lock"):
        check_hook(_EndsUnderTheLock())


def test_a_planted_filter_under_the_lock_is_found() -> None:
    with pytest.raises(AssertionError):
        check_filter(_FiltersUnderTheLock())
