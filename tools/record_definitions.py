# SPDX-License-Identifier: LGPL-2.1-or-later
"""Record what virt-install writes for typical guests, and what libvirt makes of it.

    python tools/record_definitions.py URI FOLDER

URI is that of a libvirtd with QEMU that may define and start domains: use a private one. For
each guest of ``GUESTS`` three files come into FOLDER: ``NAME.install.xml`` as virt-install
printed it, ``NAME.inactive.xml`` as libvirt shows the definition, and ``NAME.live.xml`` as it
shows the running domain. Each begins with a comment that tells versions and command. The guests'
images are expected (empty ones will do) in /srv/guests: disk.img, disk.qcow2, other.img,
floppy.img, install.iso.

Needs virt-install and virsh; nothing of virevents.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

_SECONDS: Final = 60
_DISK: Final = "--disk path=/srv/guests/disk.qcow2,format=qcow2"
_BASIC: Final = f"--memory 64 --network user {_DISK}"

GUESTS: Final = {
    "debian-spice": f"--osinfo debian11 --vcpus 2 {_BASIC} --graphics spice",
    "debian-vnc": f"--osinfo debian11 --vcpus 2 {_BASIC} --graphics vnc,listen=0.0.0.0",
    "debian-serial": f"--osinfo debian11 {_BASIC} --graphics none",
    "debian-uefi": f"--osinfo debian11 {_BASIC} --graphics vnc --boot uefi",
    "windows-uefi": f"--osinfo win11 --vcpus 2 {_BASIC} --graphics spice --sound ich9",
    "windows-bios": f"--osinfo win10 --vcpus 4,sockets=1,cores=2,threads=2 {_BASIC} --graphics vnc",
    "old-pc": (
        "--osinfo generic --machine pc --memory 64 --network user,model=rtl8139 "
        "--disk path=/srv/guests/disk.img,format=raw,bus=ide "
        "--disk path=/srv/guests/floppy.img,device=floppy,format=raw "
        "--disk path=/srv/guests/install.iso,device=cdrom --graphics vnc,port=5977 "
        "--video cirrus --sound ac97 --boot cdrom,hd,menu=on"
    ),
    "scsi": (
        "--osinfo debian11 --memory 64 --network none "
        "--controller type=scsi,model=virtio-scsi "
        "--disk path=/srv/guests/disk.img,format=raw,bus=scsi,cache=none,discard=unmap,io=threads "
        "--disk path=/srv/guests/other.img,format=raw,bus=sata,serial=A1 "
        "--graphics none --watchdog i6300esb,action=pause --panic isa"
    ),
    "sata-cdrom": (
        "--osinfo debian11 --memory 64 --network user,model=e1000e "
        "--disk path=/srv/guests/disk.qcow2,format=qcow2,bus=sata,boot.order=2 "
        "--disk device=cdrom,bus=sata,boot.order=1 --graphics spice,listen=none --video qxl"
    ),
    "kernel": (
        "--osinfo generic --memory 64 --network user --disk none --graphics none "
        "--boot kernel=/srv/guests/vmlinuz,initrd=/srv/guests/initrd,kernel_args=console=ttyS0 "
        "--serial unix,source.path=/tmp/kernel.sock,source.mode=bind --channel none "
        "--metadata title=Kernel --events on_poweroff=destroy,on_reboot=destroy,on_crash=destroy"
    ),
    "cpu": (
        f"--osinfo debian11 --vcpus 2,maxvcpus=4 --cpu host-model,-svm {_BASIC} --graphics none "
        "--clock offset=localtime --iothreads 1 --rng builtin --tpm none"
    ),
    "cpu-named": (
        f"--osinfo debian11 --cpu qemu64,+ssse3 {_BASIC} --graphics none --console pty,target.type="
        "virtio --serial file,source.path=/tmp/serial.log --input keyboard,bus=virtio"
    ),
    "overlay": "--osinfo debian11 --memory 64 --network none --disk path=/srv/guests/overlay.qcow2,"
    "format=qcow2 --disk path=/srv/guests/disk.img,format=raw --graphics none",
    "usb2": (
        "--osinfo generic --machine q35 --memory 64 --controller usb2 --network user "
        "--disk path=/srv/guests/disk.img,format=raw,bus=usb --graphics vnc --video vga"
    ),
}
"""The arguments of virt-install by the guest's name; what all have is in `_install`."""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _install(uri: str, name: str, arguments: str) -> str:
    fixed = ["--import", "--print-xml", "--dry-run", "--virt-type", "qemu", "--name", name]
    return _run("virt-install", "--connect", uri, *fixed, *arguments.split())


def _store(folder: Path, name: str, told: str, xml: str) -> None:
    said = told.replace("--", "- -")  # a comment cannot have two hyphens
    (folder / name).write_text(f"<!-- {said} -->\n{xml.strip()}\n", encoding="utf-8")
    print(folder / name)


def main() -> None:
    """Record all guests, one after the other."""
    if len(sys.argv) != 3:  # noqa: PLR2004  (the program and its two arguments)
        sys.exit(__doc__)
    uri, folder = sys.argv[1], Path(sys.argv[2])
    virt_install = _run("virt-install", "--version").strip()
    libvirt = _run("virsh", "-c", uri, "version", "--daemon").strip().splitlines()[-1]
    for name, arguments in GUESTS.items():
        xml = _install(uri, name, arguments)
        _store(folder, f"{name}.install.xml", f"virt-install {virt_install} {arguments}", xml)
        path = str(folder / f"{name}.install.xml")
        _run("virsh", "-c", uri, "define", path)
        dumped = _run("virsh", "-c", uri, "dumpxml", "--inactive", name)
        _store(folder, f"{name}.inactive.xml", f"{libvirt}; virsh dumpxml --inactive", dumped)
        _run("virsh", "-c", uri, "start", "--paused", name)
        dumped = _run("virsh", "-c", uri, "dumpxml", name)
        _store(
            folder, f"{name}.live.xml", f"{libvirt}; virsh dumpxml of the running domain", dumped
        )
        _run("virsh", "-c", uri, "destroy", name)
        _run("virsh", "-c", uri, "undefine", "--nvram", name)


if __name__ == "__main__":
    main()
