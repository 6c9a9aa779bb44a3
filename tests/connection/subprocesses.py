# SPDX-License-Identifier: LGPL-2.1-or-later
"""Forked children and fresh interpreters, with what they say when they fail."""

import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent


def in_forked_child(function: Callable[[], object], *, seconds: int = 30) -> str:
    """Fork, run *function* in the child; returns its traceback, or "" when it raised nothing."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # Python 3.12 warns of what this is a test of
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        text = "the child ended without a word"
        try:
            os.close(reader)
            import signal

            signal.alarm(seconds)  # a child that hangs is killed, and has said nothing
            function()
            text = ""
        except BaseException:  # noqa: BLE001  (told to the parent)
            text = traceback.format_exc()
        finally:
            os.write(writer, (text or "done").encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        answer = said.read().decode()
    _, status = os.waitpid(child, 0)
    if status != 0 or not answer:
        return f"the child ended with status {status}: {answer}"
    return "" if answer == "done" else answer


def run_python(program: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run *program* in a fresh interpreter of this one's kind."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
