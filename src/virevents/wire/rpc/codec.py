# SPDX-License-Identifier: LGPL-2.1-or-later
"""Structures of the protocol to and from bytes (XDR, RFC 4506), compiled from its table.

It stands apart from frames, which it fills. For each structure a pair of functions is made, once,
when it is first asked for: the source is written from the layout, so that a message costs no more
than a few calls of ``struct``. Strict where libvirt is strict, and as lenient as it is: any word
but zero means present, padding may hold anything, what follows a whole payload is ignored, a text
ends at its first zero byte and need not be UTF-8.

Locking:
    None. Two threads that make one pair at once make equal ones, and either is kept.

Invariants, each with a test of its name in ``tests/wire/rpc/test_codec.py``:
    exact          what real peers sent decodes, and encodes to the same bytes
    two_ends       any bytes decode to a value or raise ``PayloadError``
    bounded        a length is checked against its limit, and against the bytes that are there,
                   before anything is made for it
    own_fault      what cannot be encoded raises ``LocalProtocolError`` that names the structure
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, cast

from virevents.errors import LocalProtocolError, PayloadError
from virevents.wire.rpc.compiling import write_decoder, write_encoder
from virevents.wire.rpc.layout import Kind, parse_layout
from virevents.wire.rpc.protocol import LAYOUTS, UNIONS

__all__ = ["decode", "encode"]

T = TypeVar("T")

_Decoder = Callable[[bytes, int], tuple[object, int]]
_Encoder = Callable[[object, Callable[[bytes], None]], None]

_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_UNSIGNED: Final = struct.Struct(">I")
_SIGNED: Final = struct.Struct(">i")

_BY_NAME: Final[Mapping[str, type]] = {cls.__name__: cls for cls in (*UNIONS, *LAYOUTS)}


def decode(cls: type[T], payload: bytes, at: int = 0) -> T:
    """Decode a structure from *payload*; what follows it is ignored, as libvirt does.

    Args:
        cls: The structure's class, of ``protocol``.
        payload: The bytes.
        at: Where in them it begins.

    Raises:
        PayloadError: They are not such a structure.
    """
    decoder = _DECODERS.get(cls) or _make_decoder(cls)
    try:
        value, end = decoder(payload, at)
    except (struct.error, _MalformedError) as error:
        raise PayloadError(cls.__name__, str(error)) from error
    if end > len(payload):
        raise PayloadError(cls.__name__, "its padding is cut off")
    return cast("T", value)


def encode(value: object) -> bytes:
    """Encode a structure of ``protocol``.

    Raises:
        LocalProtocolError: A value has not the type or the range that the protocol has.
    """
    encoder = _ENCODERS.get(type(value)) or _make_encoder(type(value))
    parts: list[bytes] = []
    try:
        encoder(value, parts.append)
    except (struct.error, _UnfitError, TypeError, ValueError, AttributeError) as error:
        raise LocalProtocolError(f"{type(value).__name__} cannot be encoded: {error}") from error
    return b"".join(parts)


class _MalformedError(Exception):
    """The bytes are no such value."""


class _UnfitError(Exception):
    """The value has no such form."""


# What compiled functions call.


def _text(raw: bytes) -> str:
    end = raw.find(b"\0")  # for libvirt it ends there
    return str(raw if end < 0 else raw[:end], "utf-8", "surrogateescape")


def _length(data: bytes, at: int, most: int, each: int) -> int:
    """The number of things at *at*, each of which takes *each* bytes at least."""
    length: int = _UNSIGNED.unpack_from(data, at)[0]
    if length > most:
        raise _MalformedError(f"expected at most {most} of it, met {length}")
    if length * each > len(data) - at - 4:
        raise _MalformedError(f"expected {length} of it, met too few bytes")
    return length


def _array(items: Sequence[object], most: int, fixed: int | None = None) -> int:
    """How many *items* there are, if they may be so many."""
    length = len(items)
    if length > most or fixed not in {None, length}:
        raise _UnfitError(
            f"expected {'exactly' if fixed else 'at most'} {most} of it, met {length}"
        )
    return length


def _string(text: str, most: int) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return _opaque(raw, most)


def _opaque(raw: bytes, most: int) -> bytes:
    length = len(raw)
    if length > most:
        raise _UnfitError(f"expected at most {most} bytes, met {length}")
    return _UNSIGNED.pack(length) + raw + _PADDING[length & 3]


# How they are made.

_DECODERS: Final[dict[type, _Decoder]] = {}  # published: an entry never changes its meaning
_ENCODERS: Final[dict[type, _Encoder]] = {}  # published: an entry never changes its meaning
_LEAST: Final[dict[str, int]] = {union.__name__: 8 for union in UNIONS}


def _kinds(cls: type) -> tuple[Kind, ...]:
    """The kinds of the fields of *cls*; those it names are known first."""
    layout = LAYOUTS.get(cls)
    if layout is None:
        raise LocalProtocolError(f"expected a structure of the protocol, met {cls.__name__}")
    for field in layout.split():
        name = field.rstrip("?<>[]0123456789")
        if name in _BY_NAME and name not in _LEAST:
            _LEAST[name] = sum(kind.least_bytes for kind in _kinds(_BY_NAME[name]))
    return parse_layout(layout, _LEAST)


def _decoder_of(name: str) -> _Decoder:
    cls = _BY_NAME[name]
    return _DECODERS.get(cls) or _make_decoder(cls)


def _encoder_of(name: str) -> _Encoder:
    cls = _BY_NAME[name]
    return _ENCODERS.get(cls) or _make_encoder(cls)


def _make_decoder(cls: type) -> _Decoder:
    decoder = _union_decoder(cls) if cls in UNIONS else _compile_decoder(cls, _kinds(cls))
    _DECODERS[cls] = decoder
    return decoder


def _make_encoder(cls: type) -> _Encoder:
    encoder = _union_encoder(cls) if cls in UNIONS else _compile_encoder(cls, _kinds(cls))
    _ENCODERS[cls] = encoder
    return encoder


def _union_decoder(union: type) -> _Decoder:
    arms = {
        number: _compile_decoder(tuple, parse_layout(layout, {}))
        for number, layout in UNIONS[union].items()
    }

    def decode_union(data: bytes, at: int) -> tuple[object, int]:
        number: int = _SIGNED.unpack_from(data, at)[0]
        arm = arms.get(number)
        if arm is None:
            raise _MalformedError(f"expected the number of a type, met {number}")
        value, at = arm(data, at + _SIGNED.size)
        return union(number, *cast("tuple[object]", value)), at

    return decode_union


def _union_encoder(union: type) -> _Encoder:
    arms = {
        number: _compile_encoder(tuple, parse_layout(layout, {}))
        for number, layout in UNIONS[union].items()
    }

    def encode_union(value: object, out: Callable[[bytes], None]) -> None:
        number, item = cast("tuple[int, object]", value)
        arm = arms.get(number)
        if arm is None:
            raise _UnfitError(f"expected the number of a type, met {number}")
        out(_SIGNED.pack(number))
        arm((item,), out)

    return encode_union


def _compile_decoder(cls: type, kinds: tuple[Kind, ...]) -> _Decoder:
    source, parts = write_decoder(kinds)
    make = getattr(cls, "_make", cls)  # of a named tuple: takes the fields in one
    names = {**_CALLED, **parts, "make": make, "decoder_of": _decoder_of}
    return cast("_Decoder", _run(source, f"decoder of {cls.__name__}", names)["decode"])


def _compile_encoder(cls: type, kinds: tuple[Kind, ...]) -> _Encoder:
    source, parts = write_encoder(kinds)
    names = {**_CALLED, **parts, "encoder_of": _encoder_of}
    return cast("_Encoder", _run(source, f"encoder of {cls.__name__}", names)["encode"])


def _run(source: str, title: str, names: dict[str, object]) -> dict[str, object]:
    # The text holds numbers of the table and names made here; nothing of a peer's.
    exec(compile(source, f"<{title}>", "exec"), names)  # noqa: S102
    return names


_CALLED: Final[Mapping[str, object]] = {
    "text": _text,
    "length": _length,
    "array": _array,
    "string": _string,
    "opaque": _opaque,
    "unpack_from": struct.unpack_from,
    "pack": struct.pack,
}
