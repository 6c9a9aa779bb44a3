# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors that wake, with eventfd and without."""

import gc
import os
import select
import socket
import threading
from pathlib import Path

import pytest

from virevents.sync import SystemDoorbell, WakeDescriptor

KINDS = ("eventfd", "socketpair")


@pytest.fixture(params=KINDS, autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two the test runs on."""
    name: str = request.param
    if name == "socketpair":
        monkeypatch.delattr(os, "eventfd")
    return name


def is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def test_no_eventfd(kind: str) -> None:
    # Every other test here runs on both; this one shows that the second kind is what it says.
    wake = WakeDescriptor()
    target = str(Path(f"/proc/self/fd/{wake.fileno()}").readlink())
    assert target.startswith("socket:" if kind == "socketpair" else "anon_inode:")
    wake.close()


def test_rings_count() -> None:
    bell = SystemDoorbell()
    bell.ring(2)
    bell.ring()
    for _ in range(3):
        bell.wait()
    heard: list[int] = []

    def hear() -> None:
        bell.wait()
        heard.append(1)

    waiter = threading.Thread(target=hear)
    waiter.start()
    assert heard == []
    bell.ring()
    waiter.join(5)
    assert heard == [1]
    bell.close()


def test_rings_before_and_after_the_wait_are_the_same() -> None:
    bell = SystemDoorbell()
    passed = threading.Semaphore(0)

    def wait_twice() -> None:
        for _ in range(2):
            bell.wait()
            passed.release()

    waiter = threading.Thread(target=wait_twice)
    waiter.start()
    for _ in range(2):
        bell.ring()
        assert passed.acquire(timeout=5)
    waiter.join(5)
    bell.close()


def test_late_ring() -> None:
    bell = SystemDoorbell()
    wake = WakeDescriptor()
    number = wake.fileno()
    bell.close()
    wake.close()
    bell.close()
    wake.close()
    reader, writer = os.pipe()
    try:
        if number not in {reader, writer}:
            os.dup2(writer, number)  # a stranger has got the number meanwhile
        bell.ring()
        bell.wait()  # a closed bell lets everybody pass
        wake.signal()
        wake.clear()
        assert wake.fileno() == -1
        assert not is_readable(reader)
    finally:
        for stranger in {reader, writer, number}:
            os.close(stranger)


def test_the_number_is_kept_while_somebody_uses_it() -> None:
    wake = WakeDescriptor()
    number = wake.fileno()
    user = wake._descriptor
    assert user is not None
    wake.close()
    os.fstat(number)  # still open: nobody else can have got the number
    user.write(1)
    del user
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_signal_makes_it_readable_until_it_is_cleared() -> None:
    wake = WakeDescriptor()
    assert not is_readable(wake.fileno())
    wake.signal()
    wake.signal()
    assert is_readable(wake.fileno())
    wake.clear()
    assert not is_readable(wake.fileno())
    wake.clear()  # an empty one does not block
    wake.close()


def test_a_full_one_neither_blocks_nor_raises() -> None:
    wake = WakeDescriptor()
    descriptor = wake._descriptor
    assert descriptor is not None
    if descriptor._pair is None:
        os.eventfd_write(wake.fileno(), 2**64 - 2)
    else:
        descriptor._pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for _ in range(5_000):
        wake.signal()
    assert is_readable(wake.fileno())
    wake.close()


def test_a_bell_that_could_not_be_made_raises_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no descriptors left")

    monkeypatch.setattr(*((os, "eventfd") if kind == "eventfd" else (socket, "socketpair")), refuse)
    with pytest.raises(OSError, match="no descriptors left"):
        SystemDoorbell()  # and its finalizer, run here, has nothing to close
    gc.collect()
