# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every run of the conformance kit needs."""

import pytest
import uvloop


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    uvloop.new_event_loop().close()
