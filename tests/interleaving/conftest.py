# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an item is explored: exhausted to two preemptions, and shown to see a planted fault."""

import logging
from collections.abc import Callable, Iterator

import pytest
from typing_extensions import override  # in typing from Python 3.12

from virevents.errors import LockOrderError
from virevents.sync import assert_nothing_held
from virevents.testing import Rules, ScheduleError, explore, replay
from virevents.testing.schedules import Scenario

Exhausts = Callable[[Scenario], int]
Shows = Callable[[Scenario], ScheduleError]


class _LogWatch(logging.Handler):
    """Is a user's log handler (C2), and hands back what a thread's top would have swallowed."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        assert_nothing_held("a log call")
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, AssertionError | LockOrderError):
            raise error


@pytest.fixture(autouse=True)
def watched_log() -> Iterator[None]:
    """Have assertions of callbacks, and log calls under a lock, fail the schedule."""
    logger = logging.getLogger("virevents")
    watch = _LogWatch(logging.DEBUG)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(watch)
    yield
    logger.removeHandler(watch)
    logger.setLevel(level)


@pytest.fixture
def exhausts(record_property: Callable[[str, object], None]) -> Exhausts:
    """Run a scenario under every schedule with at most two preemptions; count them."""

    def run_all(scenario: Scenario) -> int:
        result = explore(scenario, preemptions=2)
        record_property("schedules", result.count)
        assert result.is_exhausted
        assert result.count > 10, "nothing to choose from: the scenario is of one piece"
        return result.count

    return run_all


@pytest.fixture
def shows(record_property: Callable[[str, object], None]) -> Shows:
    """Run a scenario with a planted fault until it fails; its seed shows it again."""

    def find(scenario: Scenario) -> ScheduleError:
        with pytest.raises(ScheduleError) as found:
            explore(scenario, preemptions=2)
        record_property("found on schedule", found.value.number)
        with pytest.raises(ScheduleError) as again:
            replay(scenario, found.value.seed, rules=Rules())
        assert again.value.trace == found.value.trace
        return found.value

    return find
