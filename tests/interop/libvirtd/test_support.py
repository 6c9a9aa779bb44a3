# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real libvirt's QEMU driver refuses to define, ours refuses with the same code."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd, need_libvirtd
from tests.interop.libvirtd.stock_client import StockClient
from virevents.drivers.qemu.definitions import accept
from virevents.errors import VireventsError

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu]

_DISK: Final = "<disk type='file'><source file='/x'/>{}</disk>"


def xml(
    devices: str = "", *, top: str = "", os: str = "", machine: str = "pc", arch: str = "x86_64"
) -> str:
    return (
        "<domain type='qemu'><name>web1</name><memory>65536</memory>"
        f"{top}<os><type arch='{arch}' machine='{machine}'>hvm</type>{os}</os>"
        f"<devices>{devices}</devices></domain>"
    )


def disk(rest: str) -> str:
    return xml(_DISK.format(rest))


REFUSED: Final = {
    "another hypervisor": xml().replace("type='qemu'", "type='test'", 1),
    "another processor": xml(arch="aarch64"),
    "no such program": xml("<emulator>/nowhere/qemu</emulator>"),
    "too many processors": xml(top="<vcpu>300</vcpu>"),
    "a topology that does not fit": xml(
        top="<vcpu>3</vcpu><cpu><topology sockets='1' cores='2' threads='1'/></cpu>"
    ),
    "late ticks": xml(top="<clock offset='utc'><timer name='rtc' tickpolicy='merge'/></clock>"),
    "preserve": xml(top="<on_poweroff>preserve</on_poweroff>"),
    "UEFI without ACPI": xml(os="<loader type='pflash'>/x</loader><nvram>/y</nvram>"),
    "IDE on q35": xml(_DISK.format("<target dev='hda' bus='ide'/>"), machine="q35"),
    "a second IDE controller": xml("<controller type='ide' index='1'/>"),
    "native I/O through a cache": disk("<driver name='qemu' io='native'/><target dev='vda'/>"),
    "a virtio CD-ROM": disk("<target dev='vda' bus='virtio'/>").replace(
        "type='file'", "type='file' device='cdrom'"
    ),
    "a read-only IDE disk": disk("<target dev='hda'/><readonly/>"),
    "a removable virtio disk": disk("<target dev='vda' removable='on'/>"),
    "one place for two disks": xml(
        _DISK.format("<target dev='hda'/><address type='drive' unit='1'/>")
        + _DISK.format("<target dev='hdb'/>")
    ),
    "one place for two devices": xml(
        "<rng model='virtio'><backend model='builtin'/><address type='pci' slot='7'/></rng>"
        "<memballoon model='virtio'><address type='pci' slot='7'/></memballoon>"
    ),
    "a second serial console": xml("<console type='pty'/><console type='pty'/>"),
    "SPICE's agent without SPICE": xml(
        "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"
    ),
    "redirection without SPICE": xml("<redirdev bus='usb' type='spicevmc'/>"),
    "SPICE's sound without SPICE": xml("<audio id='1' type='spice'/>"),
    "a sound that nobody plays": xml(
        "<sound model='ich6'><audio id='3'/></sound><audio id='1' type='none'/>"
    ),
    "USB without a controller": xml(
        "<controller type='usb' model='none'/><input type='tablet' bus='usb'/>"
    ),
    "a largest packet of QEMU's own network": xml(
        "<interface type='user'><mtu size='1400'/><model type='e1000'/></interface>"
    ),
    "the same panic device twice": xml("<panic model='isa'/><panic model='isa'/>"),
    "a TPM that is not there": xml(
        "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"
    ),
}


@pytest.fixture(scope="module")
def stock() -> Iterator[StockClient]:
    need_libvirtd()
    with (
        PrivateLibvirtd() as libvirtd,
        StockClient(libvirtd.uri("qemu:///system")) as client,
    ):
        yield client


@pytest.mark.parametrize("what", REFUSED)
def test_the_same_code(stock: StockClient, what: str) -> None:
    answer = stock.ask("define", REFUSED[what])
    assert answer.code != 0, "libvirt takes it"
    with pytest.raises(VireventsError) as caught:
        accept(REFUSED[what])
    assert caught.value.code == answer.code, (str(caught.value), answer.text)
