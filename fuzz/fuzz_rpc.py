# SPDX-License-Identifier: LGPL-2.1-or-later
"""The codec of the RPC protocol, fuzzed: what real peers sent, spoilt and cut.

Some frames go into a reader, whole, in pieces of any size, with bytes changed, lost and made up;
what comes out is decoded as its structure or as any other. Only frames, structures and the two
documented errors come of it, and a structure that is encoded again decodes to itself.
"""

import json
import random
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.campaign import run_campaign
from virevents.errors import FrameError, PayloadError
from virevents.wire.rpc import Frame, FrameReader, decode, encode
from virevents.wire.rpc.protocol import LAYOUTS, PROCEDURES

TRACES: Final = Path(__file__).parent.parent / "tests/conformance/rpc/traces"
STRUCTURES: Final = sorted(LAYOUTS, key=lambda cls: cls.__name__)


def recorded() -> list[bytes]:
    """Every frame of the traces."""
    rows = (
        json.loads(line)
        for path in sorted(TRACES.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()[1:]
    )
    return [bytes.fromhex(row["frame"]) for row in rows if "frame" in row]


FRAMES: Final = recorded()


def spoil(chance: random.Random, data: bytes) -> bytes:
    """*data*, with some bytes changed, lost or made up."""
    changed = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 8))):
        place = chance.randrange(len(changed) + 1)
        kind = chance.random()
        if kind < 0.5 and place < len(changed):
            changed[place] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        elif kind < 0.75:
            del changed[place : place + chance.choice((1, 4, 20))]
        else:
            changed[place:place] = chance.randbytes(chance.choice((1, 4, 20)))
    return bytes(changed)


def read(chance: random.Random, data: bytes) -> tuple[list[Frame], bool]:
    """The frames in *data*, and whether it was a stream to its end."""
    reader, frames = FrameReader(), []
    while data:
        size = chance.choice((1, 3, 28, 1000, len(data)))
        reader.receive_data(data[:size])
        data = data[size:]
        try:
            while (frame := reader.next_message()) is not None:
                frames.append(frame)
        except FrameError:
            return frames, False
    return frames, True


def structures_of(chance: random.Random, frame: Frame) -> list[type]:
    """What *frame* may hold, by its procedure or by chance."""
    procedure = PROCEDURES.get(frame.program, {}).get(frame.procedure)
    named = (procedure.args, procedure.ret, procedure.message) if procedure else ()
    return [*(cls for cls in named if cls is not None), chance.choice(STRUCTURES)]


def one_round(chance: random.Random) -> str:
    """A few frames, one after the other."""
    data = b"".join(chance.choice(FRAMES) for _ in range(chance.randint(1, 4)))
    frames, is_whole = read(chance, spoil(chance, data))
    values = 0
    for frame in frames:
        for cls in structures_of(chance, frame):
            try:
                value: object = decode(cls, frame.payload)
            except PayloadError:
                continue
            values += 1
            # A number that is none equals nothing; its text does.
            if repr(decode(cls, encode(value))) != repr(value):
                raise AssertionError(f"{value!r} is not what it encodes to")
    end = "to its end" if is_whole else "to what is no frame"
    return f"a stream, {end}, with {'structures' if values else 'none'}"


def main() -> int:
    """Run the campaign."""
    return run_campaign("the RPC codec", one_round)


if __name__ == "__main__":
    sys.exit(main())
