# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a process opens once and keeps, opened before the first test counts its descriptors."""

import pytest

from virevents.loop import LoopThread


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop, where it is installed, open the pipe that it keeps for the whole process."""
    thread = LoopThread("first loop")
    thread.start()
    assert thread.stop()
