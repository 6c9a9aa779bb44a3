# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask, get, options
from tests.drivers.qemu.arguments.qemu_syntax import read_json
from virevents.definition import (
    BridgeNetwork,
    Interface,
    InterfaceModel,
    LinkState,
    TapNetwork,
    UserNetwork,
)
from virevents.drivers.qemu.arguments.interfaces import check_interfaces, links_down, needs_tap
from virevents.errors import InternalError, UnsupportedDefinitionError

USER: Final = Interface(mac="52:54:00:00:00:01", network=UserNetwork())
TAP: Final = replace(USER, network=TapNetwork(device="tap0"))
BRIDGE: Final = replace(USER, network=BridgeNetwork(bridge="br0"))
ROOT: Final = Path(__file__).parents[4]
# QEMU 7.2 has none of these.
NOT_YET: Final = {InterfaceModel.IGB}


@pytest.mark.qemu
def test_shown_by_qemu(tmp_path: Path) -> None:
    models = [None, *(model for model in InterfaceModel if model not in NOT_YET)]
    cards = tuple(
        replace(USER, mac=f"52:54:00:00:00:{at:02x}", model=model)
        for at, model in enumerate(models)
    )
    met = ask(
        replace(DEFINITION, interfaces=cards),
        tmp_path,
        DEVICES,
        *(get(f"/machine/peripheral/net{at}", "mac") for at in range(len(models))),
    )
    found = met.devices(0)
    assert [found[f"net{at}"] for at in range(4)] == [
        "rtl8139",
        "virtio-net-pci",
        "virtio-net-pci-transitional",
        "virtio-net-pci-non-transitional",
    ]
    assert list(met.answers[1:]) == [card.mac for card in cards]


def test_by_descriptor() -> None:
    cards = (replace(TAP, alias="ua-wan"), BRIDGE, USER)
    definition = replace(DEFINITION, interfaces=cards)
    made = options(definition, "-netdev", taps={"ua-wan": 7, "net1": 9})
    assert [read_json(each) for each in made] == [
        {"type": "tap", "fd": "7", "id": "hostua-wan"},
        {"type": "tap", "fd": "9", "id": "hostnet1"},
        {"type": "user", "id": "hostnet2"},
    ]
    with pytest.raises(InternalError, match="no tap was opened for ua-wan"):
        options(definition, "-netdev")
    assert [needs_tap(card) for card in cards] == [True, True, False]


def in_a_namespace(code: str) -> str:
    """Run *code* in a child that has left the machine's network."""
    leaving = "import ctypes; assert ctypes.CDLL(None).unshare(0x40000000) == 0\n"
    done = subprocess.run(
        [sys.executable, "-c", leaving + code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


needs_rights = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK),
    reason="taps are made by who has CAP_NET_ADMIN and /dev/net/tun",
)


@pytest.mark.qemu
@needs_rights
def test_by_descriptor_past_a_real_qemu(tmp_path: Path) -> None:
    told = in_a_namespace(f"""
from dataclasses import replace
from pathlib import Path
from tests.drivers.qemu.arguments.emulator import DEFINITION, DEVICES, ask
from tests.drivers.qemu.arguments.test_interfaces import TAP
from virevents.drivers.qemu.arguments.taps import open_tap
descriptor, name = open_tap("tap0", bridge=None, mac=TAP.mac)
definition = replace(DEFINITION, interfaces=(TAP,))
met = ask(definition, Path({str(tmp_path)!r}), DEVICES, taps={{"net0": descriptor}})
print(met.devices(0)["net0"])
""")
    assert told == "rtl8139"


@pytest.mark.qemu
@needs_rights
def test_by_descriptor_through_a_domains_life(tmp_path: Path) -> None:
    """The tap is there, in its bridge, as long as the domain runs, and its XML tells the name."""
    told = in_a_namespace(f"""
import fcntl, socket
from pathlib import Path
from tests.drivers.qemu.arguments.test_interfaces import BRIDGE
from tests.drivers.qemu.harness import bench

def interfaces():
    return sorted(name for _, name in socket.if_nameindex())

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(control, 0x89A0, b"br0".ljust(16, b"\\0"))  # SIOCBRADDBR
with bench(Path({str(tmp_path)!r})) as web:
    uuid = web.define(interfaces=(BRIDGE,))
    web.driver.start(uuid)
    print(*interfaces(), "<target dev='vnet0'/>" in web.driver.domain_xml(uuid))
    web.driver.destroy(uuid)
    print(*interfaces())
""")
    assert told.splitlines() == ["br0 lo vnet0 True", "br0 lo"]


def test_what_a_card_is_told() -> None:
    card = replace(USER, model=InterfaceModel.VIRTIO, mtu=1400, boot_order=3)
    made = options(replace(DEFINITION, interfaces=(card,)), "-device")
    device = read_json(made[0])
    assert (device["host_mtu"], device["bootindex"]) == (1400, 3)


def test_links_down() -> None:
    cards = (USER, replace(USER, link=LinkState.DOWN), replace(USER, link=LinkState.UP))
    assert list(links_down(replace(DEFINITION, interfaces=cards))) == ["net1"]


def test_the_largest_packet_is_virtios() -> None:
    with pytest.raises(UnsupportedDefinitionError, match=r"setting MTU .* rtl8139") as caught:
        check_interfaces(replace(DEFINITION, interfaces=(replace(USER, mtu=1400),)))
    assert caught.value.element == "mtu@size"
