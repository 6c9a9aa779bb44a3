# SPDX-License-Identifier: LGPL-2.1-or-later
import stat
from pathlib import Path

import pytest

from virevents.drivers.qemu.sockets import connect, listen


def test_any_length(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 200)
    directory.mkdir(mode=0o700)
    path = directory / "monitor.sock"
    with listen(path) as listener, connect(path) as client:
        server, _ = listener.accept()
        with server:
            server.sendall(b"x")
            client.settimeout(10)
            assert client.recv(1) == b"x"
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_private(tmp_path: Path) -> None:
    path = tmp_path / "monitor.sock"
    with listen(path):
        assert not path.stat().st_mode & stat.S_IWOTH


def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "monitor.sock"
    listen(path).close()
    with listen(path), connect(path):
        pass


def test_nobody_listening_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(tmp_path / "monitor.sock")
    listen(tmp_path / "monitor.sock").close()
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path / "monitor.sock")
    with pytest.raises(FileNotFoundError):
        listen(tmp_path / "missing" / "monitor.sock")
    (tmp_path / "full").mkdir()
    with pytest.raises(OSError, match="too long"):
        listen(tmp_path / ("n" * 300))
