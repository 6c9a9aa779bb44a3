# SPDX-License-Identifier: LGPL-2.1-or-later
import socket
from contextlib import ExitStack

import pytest

from virevents.drivers.qemu.arguments import ports
from virevents.drivers.qemu.arguments.ports import PORT_MAX, PORT_MIN, hold_free_port, hold_port
from virevents.errors import HostError


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "", "localhost", "::1"])
def test_no_port_twice(address: str) -> None:
    with ExitStack() as held:
        found = [hold_free_port(address, held) for _ in range(5)]
        assert len(set(found)) == 5
        assert all(PORT_MIN <= port <= PORT_MAX for port in found)
        assert not hold_port(address, found[0], held)
    with ExitStack() as held:
        assert hold_port(address, found[0], held)


def test_no_port_that_somebody_listens_on() -> None:
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not hold_port("127.0.0.1", port, held)
        assert hold_free_port("127.0.0.1", held, least=port) > port


def test_qemu_can_have_it() -> None:
    with ExitStack() as held:
        port = hold_free_port("127.0.0.1", held)
        # create_server shares the port, as QEMU does, and listens.
        with socket.create_server(("127.0.0.1", port)) as listener:
            with socket.create_connection(("127.0.0.1", port)):
                listener.accept()[0].close()
            assert not hold_port("127.0.0.1", port, held)


def test_an_address_that_is_not_here() -> None:
    with (
        ExitStack() as held,
        pytest.raises(HostError, match=r"Unable to bind to '192\.0\.2\.1' port 5900"),
    ):
        hold_free_port("192.0.2.1", held, least=5900)


def test_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:
        port = hold_free_port("127.0.0.1", held)
        monkeypatch.setattr(ports, "PORT_MAX", port)
        with pytest.raises(HostError, match=f"Unable to find an unused port in range {port}-"):
            hold_free_port("127.0.0.1", held, least=port)
