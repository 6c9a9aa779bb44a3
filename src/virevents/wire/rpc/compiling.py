# SPDX-License-Identifier: LGPL-2.1-or-later
"""The source of a structure's decoder and encoder, written from the kinds of its fields.

It stands apart from the codec, which compiles it and gives it what it calls: here is text only.
Fields of fixed size that stand side by side become one call of ``struct``.

A decoder is ``decode(data, at)`` and gives the value and where it ends; it may be behind the end of
*data*, when the last padding is cut off. An encoder is ``encode(value, out)`` and gives parts to
*out*, in order.

Immutable: functions only, writers are confined to one call.

Invariants, each with a test of its name in ``tests/wire/rpc/test_compiling.py``:
    one_call   fields of fixed size in a row are one ``struct``
    inert      names and numbers of the layout are all that is in the source
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from virevents.wire.rpc.layout import (
    WORD_BYTES,
    Array,
    Kind,
    Opaque,
    Optional,
    Record,
    Scalar,
    Text,
)

__all__ = ["Parts", "write_decoder", "write_encoder"]

Parts = dict[str, object]
"""What a source calls by names that were made for it."""

_INDENT: Final = "    "


class _Writer:
    """Lines of a source, and what they call."""

    def __init__(self, records: str) -> None:
        self.lines: Final[list[str]] = []
        self.parts: Final[Parts] = {}
        self._records: Final[dict[str, str]] = {}
        self._maker: Final = records

    def line(self, depth: int, text: str) -> None:
        self.lines.append(_INDENT * depth + text)

    def record(self, name: str) -> str:
        """The name under which the functions of a structure are called."""
        return self._records.setdefault(name, f"r{len(self._records)}")

    def part(self, function: object) -> str:
        """Name a bound function."""
        name = f"s{len(self.parts)}"
        self.parts[name] = function
        return name

    def source(self, signature: str) -> str:
        known = [f"{short} = {self._maker}({name!r})" for name, short in self._records.items()]
        return "\n".join([*known, f"def {signature}:", *self.lines, ""])


def write_decoder(kinds: Sequence[Kind]) -> tuple[str, Parts]:
    """Write the decoder of a structure with fields of these kinds; it calls ``make`` at the end."""
    writer = _Writer("decoder_of")
    names = [f"f{place}" for place in range(len(kinds))]
    for run in _runs(zip(names, kinds, strict=True)):
        _decode_run(writer, run)
    writer.line(1, f"return make(({''.join(f'{name}, ' for name in names)})), at")
    return writer.source("decode(data, at)"), writer.parts


def write_encoder(kinds: Sequence[Kind]) -> tuple[str, Parts]:
    """Write the encoder of a structure with fields of these kinds, a tuple of them."""
    writer = _Writer("encoder_of")
    names = [f"f{place}" for place in range(len(kinds))]
    writer.line(1, f"{''.join(f'{name}, ' for name in names)} = value" if names else "pass")
    for run in _runs(zip(names, kinds, strict=True)):
        _encode_run(writer, run)
    return writer.source("encode(value, out)"), writer.parts


def _runs(fields: Iterable[tuple[str, Kind]]) -> Iterable[list[tuple[str, Kind]]]:
    """The fields in order, those of fixed size that stand side by side together."""
    for is_scalar, run in groupby(fields, lambda field: isinstance(field[1], Scalar)):
        if is_scalar:
            yield list(run)
        else:
            yield from ([field] for field in run)


def _format(run: Sequence[tuple[str, Kind]]) -> struct.Struct:
    return struct.Struct(">" + "".join(kind.code for _, kind in run if isinstance(kind, Scalar)))


def _decode_run(writer: _Writer, run: list[tuple[str, Kind]]) -> None:
    if isinstance(run[0][1], Scalar):
        form = _format(run)
        read = writer.part(form.unpack_from)
        writer.line(1, f"{''.join(f'{name}, ' for name, _ in run)} = {read}(data, at)")
        writer.line(1, f"at += {form.size}")
    else:
        _decode(writer, run[0][1], run[0][0], 1)


def _decode(writer: _Writer, kind: Kind, name: str, depth: int) -> None:
    if isinstance(kind, Scalar):
        read = writer.part(struct.Struct(f">{kind.code}").unpack_from)
        writer.line(depth, f"{name}, = {read}(data, at)")
        writer.line(depth, f"at += {kind.least_bytes}")
    elif isinstance(kind, Text | Opaque):
        writer.line(depth, f"n = length(data, at, {kind.most}, 1)")
        raw = f"data[at + {WORD_BYTES} : at + {WORD_BYTES} + n]"
        writer.line(depth, f"{name} = text({raw})" if isinstance(kind, Text) else f"{name} = {raw}")
        writer.line(depth, f"at += {WORD_BYTES} + n + (-n & {WORD_BYTES - 1})")
    elif isinstance(kind, Optional):
        writer.line(depth, f"{name} = None")
        writer.line(depth, "at += 4")
        writer.line(depth, "if unpack_from('>I', data, at - 4)[0]:")
        _decode(writer, kind.of, name, depth + 1)
    elif isinstance(kind, Record):
        writer.line(depth, f"{name}, at = {writer.record(kind.name)}(data, at)")
    else:
        _decode_array(writer, kind, name, depth)


def _decode_array(writer: _Writer, kind: Array, name: str, depth: int) -> None:
    number = f"n{depth}"
    if kind.is_fixed:
        writer.line(depth, f"{number} = {kind.most}")
    else:
        least = max(1, kind.of.least_bytes)
        writer.line(depth, f"{number} = length(data, at, {kind.most}, {least})")
        writer.line(depth, f"at += {WORD_BYTES}")
    if isinstance(kind.of, Scalar) and len(kind.of.code) == 1:
        writer.line(depth, f"{name} = unpack_from(f'>{{{number}}}{kind.of.code}', data, at)")
        writer.line(depth, f"at += {number} * {kind.of.least_bytes}")
        return
    item, items = f"i{depth}", f"l{depth}"
    writer.line(depth, f"{items} = []")
    writer.line(depth, f"for _ in range({number}):")
    _decode(writer, kind.of, item, depth + 1)
    writer.line(depth + 1, f"{items}.append({item})")
    writer.line(depth, f"{name} = tuple({items})")


def _encode_run(writer: _Writer, run: list[tuple[str, Kind]]) -> None:
    if not isinstance(run[0][1], Scalar):
        _encode(writer, run[0][1], run[0][0], 1)
        return
    for name, kind in run:
        if isinstance(kind, Scalar) and kind.code.endswith("s"):
            # ``struct`` would fill up or cut what has not the size.
            writer.line(1, f"array({name}, {kind.least_bytes}, {kind.least_bytes})")
    write = writer.part(_format(run).pack)
    writer.line(1, f"out({write}({', '.join(name for name, _ in run)}))")


def _encode(writer: _Writer, kind: Kind, name: str, depth: int) -> None:
    if isinstance(kind, Scalar):
        write = writer.part(struct.Struct(f">{kind.code}").pack)
        writer.line(depth, f"out({write}({name}))")
    elif isinstance(kind, Text):
        writer.line(depth, f"out(string({name}, {kind.most}))")
    elif isinstance(kind, Opaque):
        writer.line(depth, f"out(opaque({name}, {kind.most}))")
    elif isinstance(kind, Optional):
        writer.line(depth, f"out(pack('>I', {name} is not None))")
        writer.line(depth, f"if {name} is not None:")
        _encode(writer, kind.of, name, depth + 1)
    elif isinstance(kind, Record):
        writer.line(depth, f"{writer.record(kind.name)}({name}, out)")
    else:
        _encode_array(writer, kind, name, depth)


def _encode_array(writer: _Writer, kind: Array, name: str, depth: int) -> None:
    number, item = f"n{depth}", f"i{depth}"
    fixed = f", {kind.most}" if kind.is_fixed else ""
    writer.line(depth, f"{number} = array({name}, {kind.most}{fixed})")
    if isinstance(kind.of, Scalar) and len(kind.of.code) == 1:
        form = f"f'>{{{number}}}{kind.of.code}', *{name}"
        if not kind.is_fixed:
            form = f"f'>I{{{number}}}{kind.of.code}', {number}, *{name}"
        writer.line(depth, f"out(pack({form}))")
        return
    if not kind.is_fixed:
        writer.line(depth, f"out(pack('>I', {number}))")
    writer.line(depth, f"for {item} in {name}:")
    _encode(writer, kind.of, item, depth + 1)
