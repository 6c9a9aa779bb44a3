# SPDX-License-Identifier: LGPL-2.1-or-later
"""C12: nothing before ``open``, nothing after ``close``, one loop thread in between."""

import threading
from pathlib import Path

import virevents
from tests.connection.subprocesses import run_python
from virevents.connection import current_process


def test_c12_importing_starts_no_thread_and_opens_no_descriptor() -> None:
    ended = run_python(
        "import os, threading\n"
        "before = os.listdir('/proc/self/fd')\n"
        "import virevents, virevents.aio\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert os.listdir('/proc/self/fd') == before\n"
    )
    assert ended.returncode == 0, ended.stderr


def test_c12_one_driver_for_each_resolved_uri(tmp_path: Path) -> None:
    file = tmp_path / "node.xml"
    file.write_text("<node><domain type='test'><name>a</name><memory>1</memory>"
                    "<os><type>hvm</type></os></domain></node>")  # fmt: skip
    indirect = tmp_path / "x" / ".." / "node.xml"
    (tmp_path / "x").mkdir()
    with (
        virevents.open(f"test://{file}") as first,
        virevents.open(f"test://{indirect}") as second,
        virevents.open("test:///default") as third,
    ):
        assert first.driver_state is second.driver_state
        assert first.driver_state is not third.driver_state
        assert sum(thread.name == "virevents-loop" for thread in threading.enumerate()) == 1
        first.close()
        assert second.lookup("a").name == "a"
    assert current_process()._machinery is None
