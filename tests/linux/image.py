# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Linux guest: Debian's cloud kernel and a static busybox, as kernel and initial disk.

It stands apart from the ROM guests because it takes seconds to boot, not milliseconds: it is for
what only a whole operating system does as one. The packages are downloaded and unpacked, never
installed.

The guest says ``READY`` on its first serial line, then does each word that it reads there:
``poweroff``, ``reboot``, ``halt``, ``panic``, ``suspend``. It always obeys the power button.
"""

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["COMMAND_LINE", "MEMORY_MIB", "LinuxGuest", "build", "missing_programs"]

COMMAND_LINE: Final = "console=ttyS0 quiet tsc=reliable no_timer_check panic={panic}"
"""What the kernel is told; *panic* is after how many seconds it reboots, 0 for never."""

MEMORY_MIB: Final = 128
"""With 96 it just boots, with 64 it falls over again and again."""

_PACKAGES: Final = ("busybox-static",)
_KERNEL_PACKAGE: Final = "linux-image-cloud-amd64"

# In the order in which they must be loaded.
_MODULES: Final = (
    "drivers/acpi/button",
    "drivers/input/evdev",
    "drivers/misc/pvpanic/pvpanic",
    "drivers/misc/pvpanic/pvpanic-mmio",
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/virtio/virtio_balloon",
)

# The button is one of the input devices, the keyboard another, which is never pressed. One event is
# 24 bytes; what happens before a device is opened is lost, so all are opened before READY.
_INIT: Final = r"""#!/bin/sh
B=/bin/busybox
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
for m in /m/*.ko; do $B insmod $m; done
$B stty -F /dev/ttyS0 raw -echo
for input in /dev/input/event*; do
  exec 3< $input
  ($B head -c 24 <&3 > /dev/null && $B poweroff -f) &
done
exec < /dev/ttyS0
echo READY > /dev/ttyS0
while read word; do
  case $word in
    poweroff|reboot|halt) $B $word -f;;
    panic) echo c > /proc/sysrq-trigger;;
    suspend) echo mem > /sys/power/state; echo AWAKE > /dev/ttyS0;;
  esac
done
while :; do $B sleep 1000; done
"""

_ALIGNMENT: Final = 4
_DIRECTORY, _PROGRAM, _FILE, _LINK, _DEVICE = 0o40755, 0o100755, 0o100644, 0o120777, 0o20600


@dataclass(frozen=True, slots=True)
class LinuxGuest:
    """The files to boot from.

    Attributes:
        kernel: The kernel.
        initrd: The initial disk in memory.
    """

    kernel: Path
    initrd: Path


def missing_programs() -> list[str]:
    """Return the programs that `build` needs and that are not here."""
    return [name for name in ("apt-get", "apt-cache", "dpkg-deb") if shutil.which(name) is None]


def build(folder: Path) -> LinuxGuest:
    """Download what is not in *folder* yet, and build the guest there.

    Raises:
        CalledProcessError: A package could not be had.
        FileNotFoundError: A package has not what was expected in it.
    """
    root = folder / "root"
    if not root.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_done = folder / "unpacking"
        shutil.rmtree(half_done, ignore_errors=True)
        _fetch(folder, [_kernel_package(), *_PACKAGES])
        for package in sorted(folder.glob("*.deb")):
            _run(folder, "dpkg-deb", "-x", str(package), str(half_done))
        half_done.rename(root)
    kernel = next(root.glob("boot/vmlinuz-*"))
    modules = root / "lib" / "modules" / kernel.name.removeprefix("vmlinuz-") / "kernel"
    initrd = folder / "initrd"
    initrd.write_bytes(_archive(_contents(root / "bin" / "busybox", modules)))
    return LinuxGuest(kernel, initrd)


def _kernel_package() -> str:
    """The package that the newest kernel is in; the one that is always named so only needs it."""
    listed = _run(Path("/"), "apt-cache", "depends", "--important", _KERNEL_PACKAGE)
    for line in listed.splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise FileNotFoundError(f"{_KERNEL_PACKAGE}: expected that it needs a linux-image, met none")


def _fetch(folder: Path, packages: Iterable[str]) -> None:
    _run(folder, "apt-get", "-q", "download", *packages)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def _contents(busybox: Path, modules: Path) -> list[_Entry]:
    entries = [_Entry(name, _DIRECTORY) for name in ("bin", "proc", "sys", "dev", "m")]
    entries += [
        _Entry("bin/busybox", _PROGRAM, busybox.read_bytes()),
        _Entry("bin/sh", _LINK, b"busybox"),
        _Entry("init", _PROGRAM, _INIT.encode()),
        _Entry("dev/console", _DEVICE, device=(5, 1)),
    ]
    entries += [
        _Entry(f"m/{place:02d}.ko", _FILE, (modules / f"{name}.ko").read_bytes())
        for place, name in enumerate(_MODULES)
    ]
    return entries


def _archive(entries: Iterable[_Entry]) -> bytes:
    """A cpio archive of the "new ASCII" kind, as the kernel unpacks it."""
    archive = bytearray()
    for inode, entry in enumerate([*entries, _Entry("TRAILER!!!", 0)], start=1):
        name = entry.name.encode() + b"\0"
        fields = (
            inode,
            entry.mode,
            0,
            0,
            1,
            0,
            len(entry.content),
            0,
            0,
            *entry.device,
            len(name),
            0,
        )
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        archive += b"\0" * (-len(archive) % _ALIGNMENT)
        archive += entry.content
        archive += b"\0" * (-len(archive) % _ALIGNMENT)
    return bytes(archive)
