# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's RPC protocol: frames, the structures in them, and the table of both.

``protocol`` has a class for each structure and a row for each procedure.
"""

from virevents.wire.rpc import protocol
from virevents.wire.rpc.codec import decode, encode
from virevents.wire.rpc.frames import Frame, FrameReader, FrameStatus, FrameType, encode_frame
from virevents.wire.rpc.keepalive import (
    PING,
    PONG,
    Keepalive,
    KeepaliveStep,
    is_ping,
    is_pong,
)

__all__ = [
    "PING",
    "PONG",
    "Frame",
    "FrameReader",
    "FrameStatus",
    "FrameType",
    "Keepalive",
    "KeepaliveStep",
    "decode",
    "encode",
    "encode_frame",
    "is_ping",
    "is_pong",
    "protocol",
]
