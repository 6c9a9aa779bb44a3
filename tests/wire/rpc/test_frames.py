# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames in a stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.rpc.samples import samples
from virevents.errors import FrameError, LocalProtocolError
from virevents.wire.rpc import Frame, FrameReader, FrameStatus, FrameType, encode_frame
from virevents.wire.rpc.protocol import KEEPALIVE_PROGRAM, MESSAGE_MAX, REMOTE_PROGRAM

_AUTH_LIST = bytes.fromhex("0000001c200080860000000100000042000000000000000000000000")
_ERROR = Frame(REMOTE_PROGRAM, 444, FrameType.REPLY, 7, FrameStatus.ERROR, b"\1\2\3\4")
_PING = Frame(KEEPALIVE_PROGRAM, 1, FrameType.MESSAGE, 0)


def _read(data: bytes, *cuts: int) -> list[Frame]:
    reader, frames = FrameReader(), []
    places = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(places):
        reader.receive_data(data[begin:end])
        while (frame := reader.next_message()) is not None:
            frames.append(frame)
    return frames


def test_an_empty_call_is_twenty_eight_bytes() -> None:
    call = Frame(REMOTE_PROGRAM, 66, FrameType.CALL, 0)
    assert encode_frame(call) == _AUTH_LIST
    assert _read(_AUTH_LIST) == [call]


def test_what_real_peers_sent_is_read_and_written_again() -> None:
    assert len(samples()) > 3700
    for sample in samples():
        (frame,) = _read(sample.frame)
        assert encode_frame(frame) == sample.frame


_STREAM = b"".join(encode_frame(frame) for frame in (_ERROR, _PING, _ERROR))


@given(st.lists(st.integers(0, len(_STREAM)), max_size=8))
def test_any_cut(cuts: list[int]) -> None:
    assert _read(_STREAM, *cuts) == [_ERROR, _PING, _ERROR]


def test_any_cut_byte_by_byte() -> None:
    assert _read(_STREAM, *range(len(_STREAM))) == [_ERROR, _PING, _ERROR]


def _read_all(reader: FrameReader, *pieces: bytes) -> FrameError | None:
    try:
        for data in pieces:
            reader.receive_data(data)
            while reader.next_message() is not None:
                pass
    except FrameError as error:
        return error
    return None


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_two_ends(first: bytes, second: bytes) -> None:
    reader = FrameReader()
    fault = _read_all(reader, first, second)
    if fault is not None:
        reader.receive_data(_AUTH_LIST)
        with pytest.raises(FrameError) as again:
            reader.next_message()
        assert str(again.value) == str(fault)


@pytest.mark.parametrize("length", [0, 3, 4, 27, MESSAGE_MAX + 5, 2**32 - 1])
def test_bounded(length: int) -> None:
    with pytest.raises(FrameError, match=f"a length of {length}: expected 28 to 33554436"):
        _read(length.to_bytes(4, "big"))


def test_a_frame_of_the_greatest_length_is_waited_for() -> None:
    assert _read((MESSAGE_MAX + 4).to_bytes(4, "big")) == []


def _with_descriptors(count: bytes) -> bytes:
    call = Frame(REMOTE_PROGRAM, 1, FrameType.CALL_WITH_FDS, 5, payload=count)
    return encode_frame(call)


def test_descriptors_are_counted_before_the_payload() -> None:
    (frame,) = _read(_with_descriptors(b"\0\0\0\2rest"))
    assert (frame.descriptors, frame.payload) == (2, b"rest")
    with pytest.raises(FrameError, match="33 descriptors in a frame: expected at most 32"):
        _read(_with_descriptors(b"\0\0\0\x21"))
    with pytest.raises(FrameError, match="expected their number"):
        _read(_with_descriptors(b"\0\0"))


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="1 descriptors"):
        encode_frame(_PING._replace(descriptors=1))
    with pytest.raises(LocalProtocolError, match="expected at most 33554436 bytes"):
        encode_frame(_PING._replace(payload=b"\0" * (MESSAGE_MAX + 1)))
    with pytest.raises(LocalProtocolError, match="header cannot be encoded"):
        encode_frame(_PING._replace(serial=-1))
