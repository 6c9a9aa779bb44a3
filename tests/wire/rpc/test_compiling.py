# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources that are written from layouts."""

import re

from virevents.wire.rpc.compiling import write_decoder, write_encoder
from virevents.wire.rpc.layout import parse_layout

_SIZES = {"Known": 8}
_LAYOUT = (
    "int uhyper opaque[16] string<7>? Known int<4> string<7><4> Known[2] uint[2] "
    "opaque<3> int? opaque[16]<4>"
)


def test_one_call() -> None:
    decoder, read = write_decoder(parse_layout("int uint opaque[16]", {}))
    encoder, write = write_encoder(parse_layout("int uint opaque[16]", {}))
    assert len(read) == len(write) == 1
    assert decoder.count("s0(") == encoder.count("s0(") == 1


def test_inert() -> None:
    known = re.compile(
        r"[fniltrs]\d+|data|at|value|out|make|text|length|array|string|opaque|unpack_from|pack|"
        r"decoder_of|encoder_of|decode|encode|Known|append|tuple|range|for|in|if|is|not|None|def|"
        r"return|_|n|I|i|\d+|f"
    )
    for source, _ in (
        write_decoder(parse_layout(_LAYOUT, _SIZES)),
        write_encoder(parse_layout(_LAYOUT, _SIZES)),
    ):
        words = set(re.findall(r"\w+", source))
        assert {word for word in words if not known.fullmatch(word)} <= {"4i", "2I"}


def test_a_structure_that_is_met_twice_is_named_once() -> None:
    source, _ = write_decoder(parse_layout("Known Known", _SIZES))
    assert source.count("decoder_of") == 1


def test_a_structure_without_fields() -> None:
    assert "return make(()), at" in write_decoder(())[0]
    assert "pass" in write_encoder(())[0]
