# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's RPC protocol: frames, the structures in them, and the table of both.

``protocol`` has a class for each structure and a row for each procedure.
"""

from virevents.wire.rpc import protocol
from virevents.wire.rpc.codec import decode, encode
from virevents.wire.rpc.frames import Frame, FrameReader, FrameStatus, FrameType, encode_frame

__all__ = [
    "Frame",
    "FrameReader",
    "FrameStatus",
    "FrameType",
    "decode",
    "encode",
    "encode_frame",
    "protocol",
]
