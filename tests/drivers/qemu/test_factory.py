# SPDX-License-Identifier: LGPL-2.1-or-later
import subprocess
import sys


def test_imports_without_what_linux_has() -> None:
    """Where fcntl, qemu.qmp or pidfds are missing, only opening fails, and says why."""
    script = """
import os, sys
missing = sys.argv[1]
if missing == "pidfd_open": del os.pidfd_open
else: sys.modules[missing] = None
from virevents.drivers.qemu import QEMU
from virevents.drivers import ConnectionUri
from virevents.errors import UnsupportedError
uri = QEMU.resolve(ConnectionUri.parse("qemu:///embed?root=/nowhere"))
try: QEMU.open(uri, None)
except UnsupportedError as error: print(error)
"""
    for missing in ("fcntl", "qemu.qmp", "pidfd_open"):
        ran = subprocess.run(
            [sys.executable, "-c", script, missing], capture_output=True, text=True, check=True
        )
        assert "the qemu driver needs Linux" in ran.stdout
        assert missing in ran.stdout
