# SPDX-License-Identifier: LGPL-2.1-or-later
from virevents.drivers.qemu.arguments.resources import Resources


def test_all_descriptors() -> None:
    assert Resources(monitor_descriptor=5).descriptors == (5,)
    taps, sockets = {"net0": 7, "net1": 8}, {"channel0": 9}
    resources = Resources(monitor_descriptor=5, taps=taps, sockets=sockets)
    assert resources.descriptors == (5, 7, 8, 9)
