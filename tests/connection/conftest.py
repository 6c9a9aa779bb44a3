# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections to the test driver and to a driver that does as it is told."""

from collections.abc import Iterator

import pytest

import virevents
from tests.connection.harness import Hypervisor
from virevents.connection import current_process
from virevents.drivers import DRIVERS


@pytest.fixture
def hypervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hypervisor]:
    """What ``fake:///...`` opens; nothing of the process's machinery is left behind it."""
    fake = Hypervisor()
    table = {**DRIVERS, "fake": fake.factory}
    monkeypatch.setattr("virevents.connection.process.DRIVERS", table)
    yield fake
    current_process().close_all()
    assert fake.closes == len(fake.drivers), "a driver was opened and not closed, or closed twice"


@pytest.fixture
def conn() -> Iterator[virevents.Connection]:
    """A connection to the test driver."""
    with virevents.open("test:///default") as connection:
        yield connection


@pytest.fixture
def domain(conn: virevents.Connection) -> virevents.Domain:
    """The domain that the test driver begins with; it runs."""
    return conn.lookup("test")
