# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Linux guest of ``image.py`` with Debian's own guest agent in it, started before READY.

It stands apart because only the tests of sleep need it: the agent comes with a C library of its
own and whatever else it is linked to, all unpacked and never installed.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.linux.image import _DIRECTORY, _FILE, _PROGRAM, LinuxGuest, _archive, _contents, _Entry
from tests.linux.image import _fetch as fetch
from tests.linux.image import _run as run
from tests.linux.image import build as build_without

__all__ = ["build"]

_PACKAGES: Final = (
    "libc6",
    "libglib2.0-0",
    "libnuma1",
    "libpcre2-8-0",
    "libudev1",
    "liburing2",
    "qemu-guest-agent",
)
_LIBRARIES: Final = (
    "libc.so.6",
    "libglib-2.0.so.0",
    "libgmodule-2.0.so.0",
    "libm.so.6",
    "libnuma.so.1",
    "libpcre2-8.so.0",
    "libudev.so.1",
    "liburing.so.2",
)
_MODULE: Final = "drivers/char/virtio_console"

# The port's number is the definition's business; its name is not.
_START: Final = r"""
for port in /sys/class/virtio-ports/*; do
  if [ "$($B cat $port/name)" = org.qemu.guest_agent.0 ]; then
    /bin/qemu-ga -m virtio-serial -p /dev/${port##*/} -t /run -d -f /run/qemu-ga.pid
  fi
done
"""


def build(folder: Path) -> LinuxGuest:
    """Download what is not in *folder* yet, and build the guest there.

    Raises:
        CalledProcessError: A package could not be had.
        FileNotFoundError: A package has not what was expected in it.
    """
    guest = build_without(folder)
    root = folder / "agent" / "root"
    if not root.exists():
        root.parent.mkdir(exist_ok=True)
        half_done = root.with_name("unpacking")
        shutil.rmtree(half_done, ignore_errors=True)
        fetch(root.parent, _PACKAGES)
        for package in sorted(root.parent.glob("*.deb")):
            run(folder, "dpkg-deb", "-x", str(package), str(half_done))
        half_done.rename(root)
    initrd = folder / "agent" / "initrd"
    initrd.write_bytes(_archive([*_without_agent(folder, guest), *_agent(folder, guest, root)]))
    return LinuxGuest(guest.kernel, initrd)


def _modules(folder: Path, guest: LinuxGuest) -> Path:
    version = guest.kernel.name.removeprefix("vmlinuz-")
    return folder / "root" / "lib" / "modules" / version / "kernel"


def _without_agent(folder: Path, guest: LinuxGuest) -> list[_Entry]:
    """What the guest has anyway, but for its first program, which starts the agent as well."""
    entries = _contents(folder / "root" / "bin" / "busybox", _modules(folder, guest))
    (init,) = (entry for entry in entries if entry.name == "init")
    before, ready, after = init.content.partition(b"exec < /dev/ttyS0\n")
    assert ready
    started = replace(init, content=before + _START.encode() + ready + after)
    return [started if entry is init else entry for entry in entries]


def _agent(folder: Path, guest: LinuxGuest, root: Path) -> list[_Entry]:
    folders = ("run", "tmp", "var", "etc", "lib", "lib64")
    entries = [_Entry(name, _DIRECTORY) for name in folders]
    module = (_modules(folder, guest) / f"{_MODULE}.ko").read_bytes()
    loader = next(root.glob("lib*/**/ld-linux-x86-64.so.2"))
    entries += [
        _Entry("m/99.ko", _FILE, module),
        _Entry("bin/qemu-ga", _PROGRAM, (root / "usr/sbin/qemu-ga").read_bytes()),
        _Entry("lib64/ld-linux-x86-64.so.2", _PROGRAM, loader.read_bytes()),
    ]
    for name in _LIBRARIES:
        library = next(root.glob(f"**/x86_64-linux-gnu/{name}"))
        entries.append(_Entry(f"lib/{name}", _FILE, library.read_bytes()))
    return entries
