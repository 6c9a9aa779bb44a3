# SPDX-License-Identifier: LGPL-2.1-or-later
"""A child that its manager forked lives on after it: it holds neither the directory nor a QEMU."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import virevents
from tests.survival.processes import definition_of

pytestmark = pytest.mark.qemu

# Starts a domain, forks a child that waits for its input to end, and is killed.
FORKER = """
import os, signal, sys, warnings, virevents
warnings.simplefilter("ignore")
connection = virevents.open(sys.argv[1])
connection.create(sys.argv[2])
if os.fork() == 0:
    os.write(1, b"forked")
    os.read(0, 1)
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_manager_has_it_all(tmp_path: Path) -> None:
    uri = f"qemu:///embed?root={tmp_path / 'root'}"
    arguments = [sys.executable, "-c", FORKER, uri, definition_of(tmp_path / "root", "web")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as forker:
        assert forker.stdout is not None
        assert forker.stdout.read(6) == b"forked"
        assert forker.wait(30) == -signal.SIGKILL
        with virevents.open(uri) as connection:
            domain = connection.lookup("web")
            domain.suspend()
            domain.destroy()
