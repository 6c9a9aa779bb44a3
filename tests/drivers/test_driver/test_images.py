# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saved images: what was written is read back, anything else is refused by name."""

import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.definition import DomainDefinition, DomainType, parse_definition, to_xml
from virevents.drivers.test.images import read_image, write_dump, write_image
from virevents.errors import VireventsError

_MAGIC: Final = b"TestGuestMagic\0"
_DEFINITION: Final = DomainDefinition(
    name="t1",
    uuid="11111111-f6a4-8304-79aa-97f2502e193f",
    memory_kib=1024,
    current_memory_kib=1024,
    domain_type=DomainType.TEST,
)
_XML: Final = to_xml(_DEFINITION, id=3).encode()


def test_round_trip(tmp_path: Path) -> None:
    path = str(tmp_path / "image")
    write_image(path, _DEFINITION, 3)
    assert read_image(path) == parse_definition(_XML.decode())
    assert Path(path).read_bytes().startswith(_MAGIC + struct.pack("=i", len(_XML)))


def _length(number: int) -> bytes:
    return _MAGIC + struct.pack("=i", number)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "incomplete save header", id="empty"),
        pytest.param(b"no image, long enough", "mismatched header magic", id="other"),
        pytest.param(_MAGIC + b"\0", "failed to read metadata length", id="cut_in_length"),
        pytest.param(_length(0) + _XML, "out of range", id="no_length"),
        pytest.param(_length(-1) + _XML, "out of range", id="negative"),
        pytest.param(_length(2**31 - 1) + _XML, "out of range", id="huge"),
        pytest.param(_length(len(_XML)) + _XML[:-1], "incomplete metadata", id="cut"),
        pytest.param(_length(len(_XML)) + _XML + b" ", "incomplete metadata", id="more"),
    ],
)
def test_hostile(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(VireventsError, match=words) as refused:
        read_image(str(path))
    assert str(path) in str(refused.value)


@given(cut=st.integers(0, len(_XML)), byte=st.integers(0, 255))
def test_hostile_xml_ends_in_a_definition_or_an_error(
    cut: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("image") / "image"
    xml = _XML[:cut] + bytes([byte]) + _XML[cut + 1 :]
    path.write_bytes(_length(len(xml)) + xml)
    with suppress(VireventsError):
        assert isinstance(read_image(str(path)), DomainDefinition)


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing" / "image")
    with pytest.raises(VireventsError, match="missing/image") as unread:
        read_image(missing)
    with pytest.raises(VireventsError, match="missing/image") as unwritten:
        write_image(missing, _DEFINITION, 3)
    with pytest.raises(VireventsError, match="coredump: failed to open /"):
        write_dump(missing, _DEFINITION)
    assert (unread.value.code, unwritten.value.code) == (38, 38)
