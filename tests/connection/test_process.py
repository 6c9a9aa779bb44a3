# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the connections of a process share: counted, also when they race, and gone with the last."""

import asyncio
import logging
import os
import threading
from pathlib import Path

import pytest
from typing_extensions import override  # in typing from Python 3.12

import virevents
from tests.connection.harness import Hypervisor, Running, Signal
from tests.connection.subprocesses import in_forked_child
from virevents.clock import monotonic
from virevents.connection import current_process, process
from virevents.connection.process import Machinery, Process, SharedDriver
from virevents.errors import (
    DefinitionError,
    MonitorError,
    OpenError,
    OperationTimeoutError,
    StateError,
)
from virevents.loop import thread as loop_thread
from virevents.sync import Gate, assert_nothing_held

BARRIER = 8


def test_one_per_uri(hypervisor: Hypervisor) -> None:
    start = threading.Barrier(BARRIER)

    def race() -> virevents.Connection:
        start.wait()
        return virevents.open("fake:///one")

    opened = [thread.result() for thread in [Running(race) for _ in range(BARRIER)]]
    assert hypervisor.opens == 1
    assert {id(one.driver_state) for one in opened} == {id(hypervisor.driver.state)}
    with virevents.open("fake:///one/"):  # another spelling of the same
        assert hypervisor.opens == 1
    with virevents.open("fake:///two"):
        assert hypervisor.opens == 2
    for thread in [Running(one.close) for one in opened]:
        assert thread.result()
    assert hypervisor.closes == 2


def test_counted(hypervisor: Hypervisor) -> None:
    first, second = virevents.open("fake:///one"), virevents.open("fake:///one")
    first.close()
    first.close()  # twice by one connection counts once
    assert hypervisor.closes == 0
    assert second.lookup("web1").is_active
    second.close()
    assert hypervisor.closes == 1
    with virevents.open("fake:///one"):
        assert hypervisor.opens == 2


def test_opens_and_closes_that_race_leave_each_driver_closed_once(hypervisor: Hypervisor) -> None:
    start = threading.Barrier(BARRIER)

    def race() -> None:
        start.wait()
        for _ in range(25):
            with virevents.open("fake:///one") as connection:
                connection.lookup("web1").suspend()

    for thread in [Running(race) for _ in range(BARRIER)]:
        thread.result()
    assert hypervisor.closes == hypervisor.opens >= 1
    assert len(hypervisor.suspends) == BARRIER * 25


def test_nothing_left(hypervisor: Hypervisor) -> None:
    before = set(threading.enumerate())
    descriptors = os.listdir("/proc/self/fd")  # noqa: PTH208  (names are all that is needed)
    with virevents.open("fake:///one") as connection:
        done = Signal()
        with connection.subscribe(done.set):
            connection.lookup("web1").suspend()
            done.wait()
        assert set(threading.enumerate()) > before
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) == before
    assert os.listdir("/proc/self/fd") == descriptors  # noqa: PTH208


def test_an_opening_that_fails_is_told_to_all_who_wait_and_is_tried_again(
    hypervisor: Hypervisor,
) -> None:
    inside, go_on = Signal("the opening"), Signal()

    def fail() -> None:
        inside.set()
        go_on.wait()
        raise OpenError("no such host")

    hypervisor.on_open = fail
    first = Running(lambda: virevents.open("fake:///one"))
    inside.wait()
    others = [Running(lambda: virevents.open("fake:///one")) for _ in range(3)]
    _until_users(current_process(), "fake:///one", 4)
    go_on.set()
    raised: list[BaseException] = []
    for thread in [first, *others]:
        with pytest.raises(OpenError, match="no such host") as caught:
            thread.result()
        raised.append(caught.value)
    # Each thread its own: one object would collect the tracebacks of all.
    assert len(set(map(id, raised))) == len(raised)
    assert {error.__cause__ for error in raised[1:]} == {raised[0]}
    assert hypervisor.opens == 1
    hypervisor.on_open = lambda: None
    with virevents.open("fake:///one"):
        assert hypervisor.opens == 2


def test_the_error_that_another_thread_raises_says_the_same() -> None:
    for error in (
        OpenError("no such host"),
        OperationTimeoutError("opening took too long"),
        MonitorError("qmp_capabilities", "GenericError", "it will not"),
        StateError("not so", state="running", required="shutoff"),
        DefinitionError("what is this", element="nonsense", line=2),
    ):
        other = process._another(error)
        assert other is not error
        assert (type(other), str(other), other.code) == (type(error), str(error), error.code)
        assert other.__cause__ is error
        assert other.__dict__ == error.__dict__


def test_a_system_error_of_an_opening_is_an_open_error(hypervisor: Hypervisor) -> None:
    def fail() -> None:
        raise PermissionError(13, "Permission denied", "/dev/kvm")

    hypervisor.on_open = fail
    with pytest.raises(OpenError, match="Permission denied") as caught:
        virevents.open("fake:///one")
    assert isinstance(caught.value.__cause__, PermissionError)


def test_a_fault_of_a_driver_that_opens_reaches_its_caller_and_ends_the_wait_of_others(
    hypervisor: Hypervisor,
) -> None:
    inside, go_on = Signal("the opening"), Signal()

    def fail() -> None:
        inside.set()
        go_on.wait()
        raise KeyError("a fault of the driver's")

    hypervisor.on_open = fail
    first = Running(lambda: virevents.open("fake:///one"))
    inside.wait()
    other = Running(lambda: virevents.open("fake:///one"))
    _until_users(current_process(), "fake:///one", 2)
    go_on.set()
    with pytest.raises(KeyError):
        first.result()
    with pytest.raises(OpenError, match="failed to open"):
        other.result()


def test_who_opens_while_the_last_closes_waits_and_gets_a_new_driver(
    hypervisor: Hypervisor,
) -> None:
    inside, go_on = Signal("the closing"), Signal()

    def hold() -> None:
        inside.set()
        go_on.wait()

    hypervisor.on_close = hold
    closing = Running(virevents.open("fake:///one").close)
    inside.wait()
    opening = Running(lambda: virevents.open("fake:///one"))
    with pytest.raises(OperationTimeoutError, match="is being closed"):
        virevents.open("fake:///one", timeout=0.01)
    assert not opening.is_done
    assert hypervisor.opens == 1
    hypervisor.on_close = lambda: None
    go_on.set()
    assert closing.result()
    with opening.result() as connection:
        assert hypervisor.opens == 2
        assert connection.driver_state is hypervisor.driver.state


def test_who_waits_too_long_for_an_opening_holds_nothing_of_it(hypervisor: Hypervisor) -> None:
    inside, go_on = Signal("the opening"), Signal()

    def hold() -> None:
        inside.set()
        go_on.wait()

    hypervisor.on_open = hold
    opening = Running(lambda: virevents.open("fake:///one"))
    inside.wait()
    with pytest.raises(OperationTimeoutError, match="took longer than"):
        virevents.open("fake:///one", timeout=0.01)
    go_on.set()
    opening.result().close()
    assert hypervisor.closes == 1


def test_a_driver_that_fails_to_close_keeps_nobody_from_closing(
    hypervisor: Hypervisor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        hypervisor.driver.state.close()
        hypervisor.closes += 1
        raise RuntimeError("it would not")

    hypervisor.on_close = fail
    assert virevents.open("fake:///one").close()
    assert "closing fake:///one failed" in caplog.text
    hypervisor.on_close = lambda: None
    with virevents.open("fake:///one"):
        assert hypervisor.opens == 2


def test_a_driver_without_a_user_is_closed_once(hypervisor: Hypervisor) -> None:
    """Who waited in vain lets go of a driver that is not there: nothing happens."""
    record = Process()
    shared = SharedDriver("fake:///one", Gate("opened"), Gate("closed"), users=1)
    record.release_driver(shared)
    assert not shared.closed.is_open


@pytest.mark.parametrize("uri", ["vmware:///system", "test+ssh://host/default"])
def test_a_uri_that_no_driver_has_is_refused_and_leaves_nothing(uri: str) -> None:
    with pytest.raises(OpenError, match=r"no connection driver available for .*qemu, test"):
        virevents.open(uri)


def test_fresh_in_child(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one"):
        before = current_process()

        def child() -> None:
            assert current_process() is not before
            with virevents.open("test:///default") as own, own.events() as events:
                own.lookup("test").suspend()
                assert events.get(10) is not None
            process._close_at_exit()

        assert in_forked_child(child) == ""
        assert current_process() is before


def test_at_exit_one_that_is_stuck_costs_the_others_nothing(hypervisor: Hypervisor) -> None:
    first, second = virevents.open("fake:///one"), virevents.open("fake:///two")
    inside, released = Signal("the call"), Signal("the release hook")
    go_on = Signal(patience=100)  # longer than anything here is waited for

    def stuck(_: object) -> None:
        inside.set()
        go_on.wait()

    first.subscribe(stuck)
    second.subscribe(print, on_release=released.set)
    first.lookup("web1").suspend()
    inside.wait()
    exiting = Running(lambda: current_process().close_all(3600))
    released.wait()  # while the first is still waited for
    assert not exiting.is_done
    go_on.set()
    exiting.result()
    assert first.is_closed
    assert second.is_closed


def test_close_all_takes_no_longer_than_it_may(
    hypervisor: Hypervisor, caplog: pytest.LogCaptureFixture
) -> None:
    connections = [virevents.open("fake:///one") for _ in range(3)]
    inside = [Signal("a call") for _ in connections]
    go_on = Signal()

    def stuck(signal: Signal) -> None:
        signal.set()
        go_on.wait()

    for connection, signal in zip(connections, inside, strict=True):
        connection.subscribe(lambda _, signal=signal: stuck(signal))  # type: ignore[misc]
    connections[0].lookup("web1").suspend()
    for signal in inside:
        signal.wait()
    before = monotonic()
    current_process().close_all(0.2)
    assert monotonic() - before < 2.0
    assert caplog.text.count("had not returned") == 3
    go_on.set()


class _LockWatch(logging.Handler):
    """A user's log handler: user code, so nothing of ours may be held (C2)."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        assert_nothing_held(record.getMessage())
        self.texts.append(record.getMessage())


def test_asyncio_logs_its_new_loop_with_nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "_make_loop", asyncio.SelectorEventLoop)
    logger = logging.getLogger("asyncio")
    watch = _LockWatch()
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger._cache.clear()  # type: ignore[attr-defined]
    logger.addHandler(watch)
    try:
        virevents.open("test:///default").close()
    finally:
        logger.removeHandler(watch)
        logger._cache.clear()  # type: ignore[attr-defined]
    assert any("selector" in text for text in watch.texts)


def test_two_first_connections_start_one_set_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    record, start = Process(), threading.Barrier(2, timeout=20)
    made: list[Machinery] = []

    class SlowMachinery(Machinery):
        """Both threads find none and make one."""

        def __init__(self) -> None:
            super().__init__()
            made.append(self)
            start.wait()

    monkeypatch.setattr(process, "Machinery", SlowMachinery)
    entered = [thread.result() for thread in [Running(record.enter) for _ in range(2)]]
    assert len(made) == 2
    assert entered[0] is entered[1]
    assert entered[0].users == 2
    for _ in range(2):
        record.leave(entered[0], monotonic() + 5)


def _until_users(record: Process, key: str, users: int) -> None:
    """Wait, without sleeping, until so many hold or wait for a driver."""
    deadline = monotonic() + 20
    while record._shared[key].users < users:
        assert monotonic() < deadline, "nobody waits for the driver"
        Path("/proc/self/stat").read_bytes()  # gives way to the other threads
