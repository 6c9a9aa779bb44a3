# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serial ports, consoles and channels."""

import pytest

from tests.definition.samples import least_xml
from virevents.definition import Channel, UnixEnd, UnixMode, parse_definition
from virevents.errors import DefinitionError

_AGENT = "org.qemu.guest_agent.0"


def _read(path: str, mode: str = "bind") -> Channel:
    return parse_definition(
        least_xml(
            more="<devices><channel type='unix'>"
            f"<source mode='{mode}' path='{path}'/>"
            f"<target type='virtio' name='{_AGENT}' state='connected'/></channel></devices>"
        )
    ).channels[0]


@pytest.mark.parametrize(
    "path",
    [
        f"/var/lib/libvirt/qemu/channel/target/domain-3-web/{_AGENT}",
        f"/var/lib/libvirt/qemu/channel/target/web.{_AGENT}",
        f"/run/libvirt/qemu/channel/3-web/{_AGENT}",
        f"/srv/run/6695eb01/channel/target/{_AGENT}",
        "/srv/run/6695eb01/channel/channel0",
        "/srv/run/6695eb01/channel/target/channel12",
    ],
)
def test_a_path_that_a_driver_chose_is_none(path: str) -> None:
    assert _read(path) == Channel(end=UnixEnd(), name=_AGENT)
    with pytest.raises(DefinitionError, match="<source@path>: expected none where the driver"):
        Channel(end=UnixEnd(path=path), name=_AGENT)


@pytest.mark.parametrize(
    "path",
    [
        f"/srv/{_AGENT}",
        "/var/lib/libvirt/qemu/channel/target/domain-3-web/other",
        f"/run/channel/a/b/{_AGENT}",
        f"/run/channels/{_AGENT}",
        "/run/channel/channel",
        "/run/channel0",
    ],
)
def test_a_path_of_ones_own(path: str) -> None:
    assert _read(path).end == UnixEnd(path=path)


def test_a_socket_that_is_there_is_ones_own() -> None:
    path = f"/run/libvirt/qemu/channel/3-web/{_AGENT}"
    assert _read(path, "connect").end == UnixEnd(mode=UnixMode.CONNECT, path=path)
