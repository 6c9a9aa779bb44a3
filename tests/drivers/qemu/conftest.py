# SPDX-License-Identifier: LGPL-2.1-or-later
"""What most tests of the QEMU driver begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.qemu.harness import START, Bench, bench


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Bench]:
    """A driver, opened, and what it tells."""
    with bench(tmp_path) as opened:
        yield opened


@pytest.fixture
def uuid(web: Bench) -> str:
    """A domain that runs."""
    uuid = web.define()
    web.driver.start(uuid)
    web.told.wait_for(*START)
    return uuid
