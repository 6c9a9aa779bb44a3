# SPDX-License-Identifier: LGPL-2.1-or-later
"""What real clients and a real libvirtd sent: ``tests/conformance/rpc/traces``, frame by frame.

Each file is one command of a client: a line of what was run, then a line a frame: its direction,
its structure's name, the whole frame in hexadecimal digits, and whether a codec that follows the
protocol gives the same bytes again ("exact": one client sends a word of its own for "present").
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from virevents.wire.rpc import protocol

TRACES: Final = Path(__file__).parents[2] / "conformance" / "rpc" / "traces"


class Sample(NamedTuple):
    scenario: str
    direction: str
    structure: type | None
    is_exact: bool
    frame: bytes


def class_of(structure: str) -> type:
    words = structure.removeprefix("remote_").removeprefix("vir").split("_")
    found: type = getattr(protocol, "".join(word[:1].upper() + word[1:] for word in words))
    return found


@cache
def samples() -> tuple[Sample, ...]:
    return tuple(_read())


def _read() -> Iterator[Sample]:
    for path in sorted(TRACES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            row = json.loads(line)
            if "frame" in row:
                structure = class_of(row["struct"]) if row["struct"] else None
                frame = bytes.fromhex(row["frame"])
                yield Sample(path.stem, row["dir"], structure, row["exact"], frame)
