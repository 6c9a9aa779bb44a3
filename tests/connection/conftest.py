# SPDX-License-Identifier: LGPL-2.1-or-later
"""What these tests share."""

import asyncio
import importlib
import importlib.util

import pytest


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    if importlib.util.find_spec("uvloop") is not None:
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        loop.close()
