# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same XML, the same devices: what a real libvirt gives to QEMU, and what ours gives.

libvirt is asked for the argument list of each sample that it wrote out itself; nothing is started.
What the guest can see is compared: every device with its driver, place and facts, and the
processors. Names that only QEMU and its driver know (nodes, ports of the host) are not.
"""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.arguments.emulator import FREE_PORTS, FREE_TAPS, command_line
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd, need_libvirtd
from virevents.definition import parse_definition
from virevents.model import Json

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu]

DATA: Final = Path(__file__).parents[2] / "definition" / "data"
SAMPLES: Final = sorted(path.name for path in DATA.glob("*.inactive.xml"))
PATIENCE: Final = 120.0  # seconds; libvirt's first look at a QEMU takes a while

# What libvirt and ours tell QEMU of a device, and the guest cannot see.
NOT_SEEN: Final = {"drive", "chardev", "netdev", "audiodev", "rng", "fd"}
# Ours says as well what QEMU would choose by itself, the same in libvirt's: the number of a console
# on its bus. And a device without a name of its own cannot be asked for by any.
ONLY_OURS: Final = {"virtconsole": {"bus", "nr"}, "pvpanic": {"id"}}


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    need_libvirtd()
    with PrivateLibvirtd() as libvirtd:
        yield libvirtd.uri("qemu:///system")


def arguments_of_libvirt(uri: str, sample: Path) -> list[str]:
    made = subprocess.run(
        ["virsh", "-q", "-c", uri, "domxml-to-native", "qemu-argv", "--xml", str(sample)],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return shlex.split(made.stdout)


def told(arguments: list[str], option: str) -> list[str]:
    return [arguments[at + 1] for at, word in enumerate(arguments) if word == option]


def devices(arguments: list[str]) -> list[dict[str, Json]]:
    """The devices that the guest can see, with what it can see of them."""
    made = []
    for argument in told(arguments, "-device"):
        device: dict[str, Json] = json.loads(argument)
        hidden = NOT_SEEN | ONLY_OURS.get(str(device["driver"]), set())
        made.append({key: device[key] for key in sorted(device) if key not in hidden})
    return sorted(made, key=str)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_same_devices(uri: str, name: str) -> None:
    definition = parse_definition((DATA / name).read_bytes())
    ours = command_line(definition, taps=FREE_TAPS, ports=FREE_PORTS)
    theirs = arguments_of_libvirt(uri, DATA / name)
    assert devices(ours) == devices(theirs)
    for option in ("-accel", "-smp"):
        assert told(ours, option) == told(theirs, option)
