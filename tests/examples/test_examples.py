# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each example runs as its users run it, and prints what it is there to show."""

import subprocess
import sys
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT

_PRINTED: Final = {
    "thread.py": [
        "quick: test suspended (paused)",
        "quick: test resumed (unpaused)",
        "quick: has had everything",
        "slow: test suspended (paused)",
        "slow: test resumed (unpaused)",
        "slow: released",
    ],
    "asyncio_stream.py": ["test suspended (paused)", "test resumed (unpaused)"],
    "who_stopped_it.py": [
        "test stopped (shutdown): by call, in order",
        "test stopped (destroyed): by call, not in order",
    ],
    "expect.py": [
        "test stopped: shutdown",
        "as it should be: expected test started within 0.1 s; it did not come",
    ],
}


@pytest.mark.parametrize("name", list(_PRINTED))
def test_example(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (_PRINTED[name], "", 0)
