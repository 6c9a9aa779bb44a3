# SPDX-License-Identifier: LGPL-2.1-or-later
"""``open``: a connection, or an error and nothing left behind."""

import asyncio

import pytest

import virevents
from tests.connection.harness import Hypervisor
from virevents.connection import current_process
from virevents.errors import InvalidArgumentError, OpenError, WouldBlockError


def test_all_or_nothing(hypervisor: Hypervisor) -> None:
    def fail() -> None:
        raise OpenError("no such host")

    hypervisor.on_open = fail
    with pytest.raises(OpenError):
        virevents.open("fake:///one")
    assert current_process()._machinery is None
    assert current_process()._shared == {}
    assert current_process()._connections == {}


def test_an_open_connection_is_on_record_for_the_exit() -> None:
    with virevents.open("test:///default") as conn:
        assert list(current_process()._connections.values()) == [conn]
    assert current_process()._connections == {}


def test_a_text_that_is_no_uri_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="expected a connection URI"):
        virevents.open("test")


def test_an_unknown_parameter_is_refused_by_name(hypervisor: Hypervisor) -> None:
    with pytest.raises(InvalidArgumentError, match="colour"):
        virevents.open("fake:///one?colour=red")
    assert current_process()._machinery is None


def test_on_a_loop_thread_it_is_refused_before_anything_is_done(hypervisor: Hypervisor) -> None:
    async def main() -> None:
        with pytest.raises(WouldBlockError, match=r"open would wait.*virevents\.aio"):
            virevents.open("fake:///one")

    asyncio.run(main())
    assert hypervisor.opens == 0
    assert current_process()._machinery is None


def test_no_loop_runs_before_open_and_none_is_left_after_close() -> None:
    assert current_process()._machinery is None
    with virevents.open("test:///default"):
        assert current_process()._machinery is not None
    assert current_process()._machinery is None
