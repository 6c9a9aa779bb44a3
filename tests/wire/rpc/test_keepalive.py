# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keepalive, by a clock of the test's own."""

import pytest

from virevents.wire.rpc import Frame, FrameType, encode_frame
from virevents.wire.rpc.keepalive import (
    PING,
    PONG,
    Keepalive,
    KeepaliveStep,
    is_ping,
    is_pong,
)


def test_as_libvirt() -> None:
    keepalive = Keepalive(5.0, 5, now=100.0)
    steps = {}
    for now in range(100, 131):
        step = keepalive.step(float(now))
        if step is not KeepaliveStep.NOTHING:
            steps[now - 100] = step
    asked = dict.fromkeys((5, 10, 15, 20, 25), KeepaliveStep.ASK)
    assert steps == {**asked, 30: KeepaliveStep.GIVE_UP}
    assert keepalive.step(200.0) is KeepaliveStep.GIVE_UP


def test_any_sign() -> None:
    keepalive = Keepalive(5.0, 1, now=0.0)
    assert keepalive.step(5.0) is KeepaliveStep.ASK
    keepalive.hear(9.0)
    assert keepalive.deadline == 14.0
    assert keepalive.step(13.9) is KeepaliveStep.NOTHING
    assert keepalive.step(14.0) is KeepaliveStep.ASK
    assert keepalive.step(19.0) is KeepaliveStep.GIVE_UP


def test_the_frames_are_libvirts() -> None:
    assert encode_frame(PING).hex() == "0000001c6b6565700000000100000001000000020000000000000000"
    assert is_ping(PING)
    assert is_pong(PONG)
    assert not is_ping(PONG)
    assert not is_pong(PING)
    assert is_ping(PING._replace(serial=7, payload=b"text"))


@pytest.mark.parametrize(
    "frame",
    [
        PING._replace(version=2),
        PING._replace(type=FrameType.CALL),
        PING._replace(procedure=3),
        PING._replace(program=1),
    ],
)
def test_what_is_none_of_them(frame: Frame) -> None:
    assert not is_ping(frame)
    assert not is_pong(frame)
