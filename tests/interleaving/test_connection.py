# SPDX-License-Identifier: LGPL-2.1-or-later
"""C5, C7 and C11 on whole connections: loop thread, workers, driver and all.

These have far too many schedules to exhaust, and a connection's callbacks are a set, whose order
no seed knows: they are run under random schedules.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

import virevents
from virevents.connection import Subscription, opening
from virevents.connection.process import Process
from virevents.loop import thread as loop_thread
from virevents.sync import Gate
from virevents.testing import ScheduleError, explore_randomly
from virevents.testing.schedules import (
    ExploredEventLoop,
    Run,
    Scenario,
    SeedError,
    UnstableScenarioError,
)

Wholes = Callable[[Callable[[], object]], Scenario]


@pytest.fixture
def wholes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wholes]:
    """Make scenarios in which ``virevents.open`` works, on an explored loop thread."""
    runs: list[Run] = []
    processes: list[Process] = []
    monkeypatch.setattr(
        loop_thread, "_make_loop", lambda: ExploredEventLoop(runs[-1], "the loop").as_asyncio
    )
    monkeypatch.setattr(opening, "current_process", lambda: processes[-1])

    def make(*users: Callable[[], object]) -> Scenario:
        def scenario(run: Run) -> None:
            process = Process(run.clock)
            runs[:], processes[:] = [run], [process]
            for number, user in enumerate(users):
                run.thread(user, name=f"user {number}")

            def check() -> None:
                assert process._machinery is None
                assert process._shared == {}
                assert process._connections == {}

            run.finally_(check)

        return scenario

    yield make
    runs.clear()
    processes.clear()


def two_callbacks_close_the_connection() -> None:
    released: list[str] = []
    has_begun = Gate("the first call")
    connection = virevents.open("test:///default")

    def close(_: object) -> None:
        has_begun.open()
        connection.close()

    for name in ("first", "second"):
        release = partial(released.append, name)
        connection.subscribe(close, on_release=release)
    connection.lookup("test").suspend()
    assert has_begun.wait(5.0)
    assert connection.close()
    assert sorted(released) == ["first", "second"]
    assert connection.close()


def two_callbacks_close_each_other() -> None:
    subscriptions: list[Subscription] = []
    outcomes: list[bool] = []
    has_begun = Gate("the first call")
    connection = virevents.open("test:///default")

    def close_other(other: int, _: object) -> None:
        has_begun.open()
        outcomes.append(subscriptions[other].close())

    callbacks = [partial(close_other, other) for other in (1, 0)]
    subscriptions.extend([connection.subscribe(callback) for callback in callbacks])
    connection.lookup("test").suspend()
    assert has_begun.wait(5.0)
    assert connection.close()
    assert 1 <= len(outcomes) <= 2


def two_connections_come_and_go() -> None:
    with virevents.open("test:///default") as connection, connection.subscribe(print):
        connection.list()


@pytest.mark.parametrize(
    "users",
    [
        (two_callbacks_close_the_connection,),
        (two_callbacks_close_each_other,),
        (two_connections_come_and_go, two_connections_come_and_go),
    ],
    ids=lambda users: users[0].__name__,
)
def test_c11_close_ends(users: tuple[Callable[[], object], ...], wholes: Wholes) -> None:
    explore_randomly(wholes(*users), count=300, seed=11)


@pytest.mark.parametrize(
    ("user", "door"),
    [
        (two_callbacks_close_the_connection, "virevents.connection.connection.is_callback_thread"),
        (two_callbacks_close_each_other, "virevents.connection.subscription.is_callback_thread"),
    ],
    ids=lambda parameter: getattr(parameter, "__name__", ""),
)
def test_c5_planted_worker_that_waits(
    user: Callable[[], object], door: str, wholes: Wholes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, lambda: False)
    # The connection reads the real clock, so a schedule that fails need not replay exactly.
    with pytest.raises((ScheduleError, UnstableScenarioError, SeedError)):
        explore_randomly(wholes(user), count=300, seed=11)
