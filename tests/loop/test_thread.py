# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two makers of loops: the library's own loop thread, and a caller's running loop."""

import asyncio
import importlib.util
import logging
import sys
import threading
import types
from pathlib import Path

import pytest

from virevents.errors import LoopStoppedError
from virevents.loop import LoopThread, adopt_running_loop
from virevents.loop import thread as thread_module
from virevents.sync import is_loop_thread

_TIMEOUT = 20.0


def _open_descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_ends_clean() -> None:
    before = set(threading.enumerate()), len(_open_descriptors())
    thread = LoopThread("clean")
    thread.start()
    ended = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    began = threading.Event()
    tasks: list[asyncio.Task[None]] = []

    def begin() -> None:
        tasks.append(thread.loop.asyncio_loop.create_task(hang()))
        thread.loop.call(began.set)

    thread.loop.call(begin)
    assert began.wait(_TIMEOUT)
    assert thread.stop(_TIMEOUT)
    assert ended.is_set()  # the task that ran has ended, by its cancellation
    assert tasks[0].cancelled()
    assert thread.loop.asyncio_loop.is_closed()
    for left in set(threading.enumerate()) - before[0]:
        left.join(_TIMEOUT)
    assert (set(threading.enumerate()), len(_open_descriptors())) == before


def test_it_is_a_loop_thread_of_its_name() -> None:
    thread = LoopThread("named")
    thread.start()
    found: list[tuple[bool, str]] = []
    done = threading.Event()
    thread.loop.call(lambda: found.append((is_loop_thread(), threading.current_thread().name)))
    thread.loop.call(done.set)
    assert done.wait(_TIMEOUT)
    assert found == [(True, "named")]
    assert thread.stop(_TIMEOUT)


def test_stop_anywhere_twice(caplog: pytest.LogCaptureFixture) -> None:
    thread = LoopThread("twice")
    thread.start()
    assert thread.stop(_TIMEOUT)
    with caplog.at_level(logging.DEBUG, "virevents.loop"):
        assert thread.stop(_TIMEOUT)
    assert [record.message for record in caplog.records] == ["twice was stopped before"]
    with pytest.raises(LoopStoppedError):
        thread.loop.call(lambda: None)


def test_stop_anywhere_on_the_loop_thread_itself() -> None:
    thread = LoopThread("from inside")
    thread.start()
    said: list[bool] = []
    thread.loop.call(lambda: said.append(thread.stop()))
    assert thread._ended.wait(_TIMEOUT)
    assert said == [False]  # it did not wait for itself
    assert thread.stop(_TIMEOUT)


def test_ends_clean_when_a_step_of_the_end_fails(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = LoopThread("stumbling")

    def fail() -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(thread, "_end_tasks", fail)
    thread.start()
    with caplog.at_level(logging.ERROR, "virevents.loop"):
        assert thread.stop(_TIMEOUT)
    assert [record.message for record in caplog.records] == ["stumbling: a step of its end failed"]
    assert thread.loop.asyncio_loop.is_closed()


def test_a_caller_without_a_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        adopt_running_loop()


def test_a_callers_loop_is_adopted_without_a_thread() -> None:
    async def program() -> None:
        before = threading.active_count()
        loop = adopt_running_loop()
        assert loop.asyncio_loop is asyncio.get_running_loop()
        assert loop.name == "the caller's asyncio loop"
        assert loop.is_current()
        assert threading.active_count() == before
        loop.detach()

    asyncio.run(program())


@pytest.mark.parametrize("is_there", [False, True])
def test_uvloop_is_used_where_it_is_installed(
    is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def new_event_loop() -> None:
        """Stands for uvloop's maker of loops."""

    uvloop = types.ModuleType("uvloop")
    uvloop.__dict__["new_event_loop"] = new_event_loop
    # None in sys.modules is Python's own way to say that a module cannot be imported.
    monkeypatch.setitem(sys.modules, "uvloop", uvloop if is_there else None)
    spec = importlib.util.spec_from_file_location("fresh_copy", thread_module.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    wanted = new_event_loop if is_there else asyncio.SelectorEventLoop
    assert fresh.__dict__["_make_loop"] is wanted
