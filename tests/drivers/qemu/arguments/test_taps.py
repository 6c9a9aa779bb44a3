# SPDX-License-Identifier: LGPL-2.1-or-later
"""Taps and bridges of the kernel's own, in a network namespace that only one child lives in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from virevents.drivers.qemu.arguments import taps
from virevents.drivers.qemu.arguments.taps import open_tap
from virevents.errors import HostError

# Run in a child that has left the machine's network: os.unshare came with Python 3.12.
IN_A_NAMESPACE = """
import ctypes, fcntl, os, socket, struct, sys
from virevents.drivers.qemu.arguments.taps import open_tap
from virevents.errors import HostError

def interfaces():
    return {name for _, name in socket.if_nameindex()}

assert ctypes.CDLL(None, use_errno=True).unshare(0x40000000) == 0, os.strerror(ctypes.get_errno())
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, 0x89A0, b"br0".ljust(16, b"\\0"))  # SIOCBRADDBR
"""


def in_a_namespace(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NAMESPACE + code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


needs_rights = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK),
    reason="taps are made by who has CAP_NET_ADMIN and /dev/net/tun",
)


@needs_rights
def test_opened_up_and_goes_with_it() -> None:
    told = in_a_namespace("""
descriptor, name = open_tap(None, bridge="br0", mac="52:54:00:12:34:56")
flags = struct.unpack_from("H", fcntl.ioctl(control, 0x8913, name.encode().ljust(40, b"\\0")), 16)
address = fcntl.ioctl(control, 0x8927, name.encode().ljust(40, b"\\0"))[18:24].hex(":")
assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
assert name in interfaces()
try:
    index = socket.if_nametoindex(name)
    fcntl.ioctl(control, 0x89A2, b"br0".ljust(16, b"\\0") + struct.pack("i20x", index))
    joined = "not there yet"
except OSError as error:
    joined = error.strerror
os.close(descriptor)
assert name not in interfaces()
print(name, bool(flags[0] & 1), address, joined)
""")
    assert told == "vnet0 True fe:54:00:12:34:56 Device or resource busy"


@needs_rights
def test_opened_up_by_name() -> None:
    told = in_a_namespace("""
descriptor, name = open_tap("mine", bridge=None, mac=None)
print(name, name in interfaces())
""")
    assert told == "mine True"


@needs_rights
def test_a_tap_that_is_there_is_used_as_it_is() -> None:
    told = in_a_namespace("""
first, name = open_tap("mine", bridge=None, mac="52:54:00:12:34:56")
fcntl.ioctl(first, 0x400454CB, 1)  # TUNSETPERSIST
os.close(first)
second, name = open_tap("mine", bridge=None, mac="52:54:00:ff:ff:ff")
print(fcntl.ioctl(control, 0x8927, name.encode().ljust(40, b"\\0"))[18:24].hex(":"))
os.close(second)
assert name in interfaces()
""")
    assert told == "fe:54:00:12:34:56"


@needs_rights
def test_clear_refusal() -> None:
    told = in_a_namespace("""
before = set(os.listdir("/proc/self/fd"))
for what in [dict(name="mine", bridge="nowhere"), dict(name="br0", bridge=None)]:
    try:
        open_tap(**what, mac=None)
    except HostError as error:
        print(error)
assert set(os.listdir("/proc/self/fd")) == before
assert "mine" not in interfaces()
""")
    assert told.splitlines() == [
        "Unable to add bridge nowhere port mine: [Errno 19] No such device",
        "Unable to create tap device br0: [Errno 22] Invalid argument",
    ]


def test_clear_refusal_of_a_long_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(taps, "_TUN", str(tmp_path / "tun"))
    with pytest.raises(HostError, match="an interface's name of at most 15 bytes"):
        open_tap("a" * 16, bridge=None, mac=None)


def test_clear_refusal_where_there_are_no_taps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(taps, "_TUN", str(tmp_path / "tun"))
    with pytest.raises(HostError, match=r"Unable to open .*/tun, is tun module loaded\?"):
        open_tap(None, bridge=None, mac=None)
