# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames: what stands between the bytes of a stream and the messages in it.

It stands apart from the payloads, which only their procedure tells how to read. A frame is a
length, a header of six words, and a payload; the length counts itself.

Confined to who owns the reader. It keeps what has come of a frame that is not whole yet, never
more than one frame may have.

Invariants, each with a test of its name in ``tests/wire/rpc/test_frames.py``:
    any_cut      however a stream is cut into pieces, the same frames come out
    two_ends     any bytes give frames, or ``FrameError`` at the first that cannot be one
    bounded      a length that is over the limit is refused before anything is kept for it
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple, NoReturn

from virevents.errors import FrameError, LocalProtocolError
from virevents.wire.rpc.protocol import MESSAGE_MAX, MESSAGE_NUM_FDS_MAX, PROTOCOL_VERSION

__all__ = ["Frame", "FrameReader", "FrameStatus", "FrameType", "encode_frame"]

_LENGTH: Final = struct.Struct(">I")
_HEADER: Final = struct.Struct(">IIiIII")
_WHOLE_HEADER: Final = struct.Struct(">IIIiIII")

_LENGTH_MOST: Final = MESSAGE_MAX + _LENGTH.size
_LENGTH_LEAST: Final = _LENGTH.size + _HEADER.size


class FrameType(IntEnum):
    """What a frame is for; a peer may send others, which mean nothing to us."""

    CALL = 0
    REPLY = 1
    MESSAGE = 2
    STREAM = 3
    CALL_WITH_FDS = 4
    REPLY_WITH_FDS = 5
    STREAM_HOLE = 6


class FrameStatus(IntEnum):
    """How it went."""

    OK = 0
    ERROR = 1
    CONTINUE = 2


class Frame(NamedTuple):
    """One frame.

    Attributes:
        program: The program's number.
        procedure: The procedure's number, in the program.
        type: A ``FrameType``, or a number that is none.
        serial: Chosen by the caller, and given back in the answer.
        status: A ``FrameStatus``, or a number that is none.
        payload: What its procedure says.
        version: The program's version.
        descriptors: How many descriptors follow, each with a zero byte of its own.
    """

    program: int
    procedure: int
    type: int
    serial: int
    status: int = FrameStatus.OK
    payload: bytes = b""
    version: int = PROTOCOL_VERSION
    descriptors: int = 0


def encode_frame(frame: Frame) -> bytes:
    """Encode a frame; it may not announce descriptors, which only a socket can send.

    Raises:
        LocalProtocolError: It is longer than the protocol allows, or a number is none of XDR's.
    """
    length = _LENGTH_LEAST + len(frame.payload)
    if length > _LENGTH_MOST or frame.descriptors:
        raise LocalProtocolError(
            f"a frame of {length} bytes with {frame.descriptors} descriptors: expected at most "
            f"{_LENGTH_MOST} bytes and none"
        )
    try:
        head = _WHOLE_HEADER.pack(
            length,
            frame.program,
            frame.version,
            frame.procedure,
            frame.type,
            frame.serial,
            frame.status,
        )
    except struct.error as error:
        raise LocalProtocolError(f"a frame's header cannot be encoded: {error}") from error
    return head + frame.payload


class FrameReader:
    """Takes the bytes of one stream and gives the frames in it."""

    def __init__(self) -> None:
        self._data: Final = bytearray()  # confined to the owner
        self._at = 0  # confined to the owner; what is before has been given out
        self._fault: str | None = None  # confined to the owner

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the stream, any number of them."""
        if self._fault is None:
            if self._at:
                del self._data[: self._at]
                self._at = 0
            self._data.extend(data)

    def next_message(self) -> Frame | None:
        """Return the next whole frame, None when there is none yet.

        Raises:
            FrameError: What comes next cannot be a frame; now and whenever it is asked again.
        """
        if self._fault is not None:
            raise FrameError(self._fault)
        there = len(self._data) - self._at
        if there < _LENGTH.size:
            return None
        length: int = _LENGTH.unpack_from(self._data, self._at)[0]
        if not _LENGTH_LEAST <= length <= _LENGTH_MOST:
            self._fail(f"a length of {length}: expected {_LENGTH_LEAST} to {_LENGTH_MOST}")
        if there < length:
            return None
        begin, self._at = self._at, self._at + length
        return self._make(begin, self._at)

    def _make(self, begin: int, end: int) -> Frame:
        head = _HEADER.unpack_from(self._data, begin + _LENGTH.size)
        program, version, procedure, kind, serial, status = head
        begin += _LENGTH_LEAST
        descriptors = 0
        if kind in {FrameType.CALL_WITH_FDS, FrameType.REPLY_WITH_FDS}:
            if end - begin < _LENGTH.size:
                self._fail("a frame with descriptors: expected their number, met its end")
            descriptors = _LENGTH.unpack_from(self._data, begin)[0]
            if descriptors > MESSAGE_NUM_FDS_MAX:
                self._fail(
                    f"{descriptors} descriptors in a frame: expected at most {MESSAGE_NUM_FDS_MAX}"
                )
            begin += _LENGTH.size
        payload = bytes(memoryview(self._data)[begin:end])
        return Frame(program, procedure, kind, serial, status, payload, version, descriptors)

    def _fail(self, fault: str) -> NoReturn:
        self._fault = fault
        self._data.clear()
        self._at = 0
        raise FrameError(fault)
