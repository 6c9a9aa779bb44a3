# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Callback``: the function, what it wants, and the end of its life."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable

import pytest

from tests.dispatch.fakes import TIMEOUT, Listener, batch
from virevents.dispatch import Callback, Filter, Hooks
from virevents.errors import LocalProtocolError, LockOrderError
from virevents.model import DomainEvent, Gap
from virevents.sync import DRIVER, RankedLock, Role, in_role, is_callback_thread, is_loop_thread


def _fails(_: object) -> None:
    raise SystemExit("a user's fault")


class _Function:
    """A user's function that can be watched for its end."""

    def __call__(self, event: DomainEvent) -> None:
        """Do nothing."""

    def hook(self, *_: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize("function", [None, 7, "print"])
def test_a_function_that_is_none_is_refused(function: Callable[[object], None]) -> None:
    with pytest.raises(LocalProtocolError, match=f"expected a callable, met {function!r}"):
        Callback(function, Filter())


@pytest.mark.parametrize("name", ["on_gap", "on_error", "on_release"])
def test_a_hook_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{name}: expected a callable or None, met 7"):
        Hooks(**{name: 7})  # type: ignore[arg-type]


def test_its_name_is_its_number_and_the_functions() -> None:
    assert Callback(_fails, Filter()).name == "callback -1 (_fails)"
    nameless = _Function()
    assert Callback(nameless, Filter()).name == f"callback -1 ({nameless!r})"
    assert Callback(_fails, Filter(), name="mine").name == "callback -1 (mine)"


def test_it_is_called_with_each_event_in_order() -> None:
    listener = Listener()
    assert listener.callback.begin()
    listener.callback.run(batch(3))
    listener.callback.finish()
    assert listener.sequences == [1, 2, 3]
    assert listener.callback.begun == 3
    assert not listener.callback.is_running


def test_it_says_who_runs_it_and_how_slow_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 14.0, 16.0])
    monkeypatch.setattr("virevents.dispatch.callback.monotonic", lambda: next(clock))
    running: list[tuple[bool, int]] = []

    def look(_: DomainEvent) -> None:
        running.append((callback.is_running, callback.thread_ident))

    callback = Callback(look, Filter())
    callback.run(batch(3))
    assert running == [(True, threading.get_ident())] * 3
    assert callback.slowest == 3.0
    assert (callback.is_running, callback.thread_ident) == (False, 0)


def test_none_after_close() -> None:
    listener = Listener(on_event=lambda event: close() if event.sequence == 2 else None)

    def close() -> None:
        listener.callback.is_closed = True

    assert listener.callback.begin()
    listener.callback.run(batch(5))
    listener.callback.finish()
    assert listener.sequences == [1, 2]
    assert not listener.callback.begin()
    listener.callback.tell_gap(Gap(6, 7, 2))
    assert listener.gaps == []
    assert listener.callback.begun == 2


def test_none_after_close_that_released_it() -> None:
    listener = Listener()
    listener.callback.end()
    assert listener.callback.is_closed
    assert not listener.callback.begin()
    listener.callback.run(batch(1))  # whoever did not ask finds no function
    assert listener.events == []


def test_released_once_with_nobody_inside() -> None:
    listener = Listener()
    listener.callback.end()
    listener.callback.end()
    assert listener.releases == 1
    assert listener.callback.released.is_open


def test_released_once_by_the_last_of_two_inside() -> None:
    listener = Listener()
    assert listener.callback.begin()
    assert listener.callback.begin()
    listener.callback.end()
    listener.callback.finish()
    assert (listener.releases, listener.callback.released.is_open) == (0, False)
    listener.callback.finish()
    listener.callback.end()
    assert (listener.releases, listener.callback.released.is_open) == (1, True)


def test_released_once_from_within_its_own_call() -> None:
    listener = Listener(on_event=lambda _: listener.callback.end())
    listener.callback.begin()
    listener.callback.run(batch(1))
    assert listener.releases == 0
    listener.callback.finish()
    assert listener.told[-1] == "released"


def test_released_once_by_many_threads() -> None:
    listener = Listener()
    start = threading.Barrier(4)

    def end() -> None:
        start.wait(TIMEOUT)
        listener.callback.end()

    threads = [threading.Thread(target=end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert listener.releases == 1


def test_released_with_nothing_held_before_the_gate_opens() -> None:
    seen: list[tuple[str, bool]] = []

    def note(what: str) -> None:
        seen.append((what, callback.released.is_open or callback._lock.locked()))

    callback = Callback(
        _fails,
        Filter(),
        hooks=Hooks(on_release=lambda: note("hook")),
        after_release=lambda: note("ours"),
    )
    callback.end()
    assert seen == [("hook", False), ("ours", False)]
    assert callback.released.is_open


def test_a_release_hook_that_fails_is_counted_and_the_gate_opens() -> None:
    callback = Callback(_fails, Filter(), hooks=Hooks(on_release=lambda: _fails(None)))
    callback.end()
    assert callback.errors == 1
    assert callback.released.is_open


def test_after_the_release_nothing_of_ours_holds_function_or_hooks() -> None:
    gc.disable()
    try:
        users = [_Function() for _ in range(4)]
        hooks = Hooks(on_gap=users[1].hook, on_error=users[2].hook, on_release=users[3].hook)
        callback = Callback(users[0], Filter(), hooks=hooks)
        del hooks
        watched = [weakref.ref(user) for user in users]
        users.clear()
        callback.begin()
        callback.run(batch(2))
        callback.end()
        assert all(reference() is not None for reference in watched)
        callback.finish()
        assert [reference() for reference in watched] == [None] * 4
    finally:
        gc.enable()


def test_raising_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: DomainEvent) -> None:
        if event.sequence != 2:
            raise KeyboardInterrupt(event.sequence)

    listener = Listener(on_event=fail)
    with caplog.at_level(logging.ERROR, "virevents.dispatch"):
        listener.callback.run(batch(3))
    assert listener.sequences == [1, 2, 3]
    assert (listener.callback.errors, listener.callback.begun) == (2, 3)
    assert [str(error) for error in listener.errors] == ["1", "3"]
    first = caplog.records[0].message
    assert first.startswith("callback -1 (listener) raised KeyboardInterrupt on LifecycleEvent(")


def test_raising_is_counted_without_a_hook_and_in_a_failing_hook() -> None:
    plain = Callback(_fails, Filter())
    plain.run(batch(2))
    assert plain.errors == 2
    doubly = Callback(_fails, Filter(), hooks=Hooks(on_error=lambda *_: _fails(None)))
    doubly.run(batch(2))
    assert doubly.begun == 2


def test_a_gap_is_told_to_its_hook() -> None:
    listener = Listener()
    listener.callback.tell_gap(Gap(1, 3, 3))
    assert listener.gaps == [Gap(1, 3, 3)]
    assert listener.callback.errors == 0


def test_a_gap_hook_that_fails_is_counted() -> None:
    callback = Callback(_fails, Filter(), hooks=Hooks(on_gap=_fails))
    callback.tell_gap(Gap(1, 3, 3))
    assert callback.errors == 1


@pytest.mark.parametrize(("count", "words"), [(3, "3 of them"), (None, "unknown of them")])
def test_a_gap_without_a_hook_is_logged(
    count: int | None, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "virevents.dispatch"):
        Callback(_fails, Filter()).tell_gap(Gap(1, 9, count))
    assert f"callback -1 (_fails) lost events 1 to 9 ({words} matched)" in caplog.text


def test_a_call_under_a_lock_is_refused_naming_it() -> None:
    listener = Listener()
    with RankedLock(DRIVER), pytest.raises(LockOrderError) as refused:
        listener.callback.run(batch(1))
    assert "the call of listener" in refused.value.wanted
    assert "the driver lock" in refused.value.held
    assert listener.events == []


def test_a_callback_without_hooks_is_released_too() -> None:
    callback = Callback(_fails, Filter())
    callback.end()
    assert callback.released.is_open
    assert callback.errors == 0


def test_it_says_also_who_runs_a_hook() -> None:
    """A hook that blocks must be found by its thread."""
    seen: list[int] = []

    def look(*_: object) -> None:
        seen.append(callback.thread_ident)

    hooks = Hooks(on_gap=look, on_error=look, on_release=look)
    callback = Callback(_fails, Filter(), hooks=hooks)
    callback.run(batch(1))
    callback.tell_gap(Gap(2, 3, 2))
    callback.end()
    assert seen == [threading.get_ident()] * 3
    assert callback.thread_ident == 0


def test_raising_is_counted_also_under_a_log_filter_that_raises() -> None:
    class _Filter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise KeyError("a user's filter")

    broken, log = _Filter(), logging.getLogger("virevents.dispatch")
    callback = Callback(_fails, Filter())
    log.addFilter(broken)
    try:
        callback.run(batch(2))
        callback.tell_gap(Gap(3, 4, 2))
    finally:
        log.removeFilter(broken)
    assert (callback.begun, callback.errors) == (2, 2)


def test_a_release_hook_may_wait_for_no_callback_wherever_it_runs() -> None:
    """It is the callback's last call: what waits there for a callback may wait for itself."""
    found: list[tuple[bool, bool]] = []

    def look() -> None:
        found.append((is_callback_thread(), is_loop_thread()))

    Callback(_fails, Filter(), hooks=Hooks(on_release=look)).end()
    with in_role(Role.LOOP, "tested loop"):
        Callback(_fails, Filter(), hooks=Hooks(on_release=look)).end()
    assert found == [(True, False), (True, True)]
    assert not is_callback_thread()
