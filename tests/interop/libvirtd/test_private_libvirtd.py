# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rig itself: a real libvirtd comes, serves both drivers, and leaves nothing."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.libvirtd import private_libvirtd
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd, need_libvirtd
from tests.interop.libvirtd.stock_client import StockClient

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu]

_XML = """
<domain type='qemu'><name>left</name><memory unit='MiB'>8</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
"""


@pytest.fixture(autouse=True)
def libvirtd_is_there() -> None:
    need_libvirtd()


def test_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip that says so; in CI a failure."""
    monkeypatch.setattr(private_libvirtd, "_libvirtd", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="libvirtd is not installed"):
        need_libvirtd()
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="and this is CI"):
        need_libvirtd()


def test_where_it_may_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no installation mends is a skip that says so, in CI as well."""
    monkeypatch.setattr(private_libvirtd, "_not_allowed", lambda: "no namespace")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.skip.Exception, match="no namespace: nothing was compared"):
        need_libvirtd()


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_nothing_is_left() -> None:
    """A QEMU that still runs, the daemon and its folder go when the block ends."""
    with PrivateLibvirtd() as libvirtd:
        with StockClient(libvirtd.uri()) as client:
            assert client.ask("create", _XML).result == "left"
        qemu = libvirtd.pid_of_qemu("left")
        daemon = int((libvirtd.base / "pid").read_text())
        assert not _is_gone(qemu)
        assert not _is_gone(daemon)
    assert _is_gone(qemu)
    assert _is_gone(daemon)
    assert not libvirtd.base.exists()


_HOLDER = """
import sys
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd
with PrivateLibvirtd() as libvirtd:
    print(libvirtd.base, (libvirtd.base / "pid").read_text(), flush=True)
    sys.stdin.read()
"""


def test_ends_with_the_process_that_holds_it() -> None:
    """Even one that is killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        base, pid = holder.stdout.readline().split()
        daemon = os.pidfd_open(int(pid))
        holder.kill()
    try:
        assert select.select([daemon], [], [], 30.0)[0]
    finally:
        os.close(daemon)
        shutil.rmtree(base)


def test_knows_nothing_of_the_machines_own() -> None:
    with PrivateLibvirtd() as libvirtd, StockClient(libvirtd.uri()) as client:
        assert client.ask("domains").result == []
        assert not Path("/run/libvirt/qemu/left.pid").exists()


def test_serves_the_test_driver() -> None:
    """What a call queued is in its answer, without waiting for a quiet time."""
    uri = "test:///default"
    with PrivateLibvirtd() as libvirtd:
        for where in (uri, libvirtd.uri(uri)):
            with StockClient(where) as client:
                for _ in range(20):
                    (event,) = client.ask("suspend", "test").events
                    assert (event.event_id, event.name, event.values) == (
                        "lifecycle",
                        "test",
                        [3, 0],
                    )
                    (event,) = client.ask("resume", "test").events
                    assert event.values == [4, 0]
                assert client.ask("resume", "test").code == 1
                assert client.ask("lookup", "nobody").code == 42


def test_started_again() -> None:
    """A QEMU goes on without the daemon, which finds it when it is started again."""
    with PrivateLibvirtd() as libvirtd:
        with StockClient(libvirtd.uri()) as client:
            client.ask("create", _XML)
        qemu = libvirtd.pid_of_qemu("left")
        libvirtd.kill()
        assert not _is_gone(qemu)
        libvirtd.start_again()
        with StockClient(libvirtd.uri()) as client:
            assert client.ask("state", "left").code == 0
    assert _is_gone(qemu)


def test_second_connection() -> None:
    """What is started with autodestroy ends with the connection that started it."""
    with PrivateLibvirtd() as libvirtd, StockClient(libvirtd.uri()) as client:
        client.ask("open", libvirtd.uri(), on="other")
        started = client.ask("create", _XML, autodestroy=True, on="other", quiet=0.3)
        assert [event.values for event in started.events] == [[4, 0], [2, 0]]
        ended = client.ask("close", on="other", quiet=1.0)
        assert [e.values for e in ended.events if e.event_id == "lifecycle"][-1] == [5, 1]
