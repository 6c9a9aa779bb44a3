# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file that a domain is saved to: whole or not there, and never believed unchecked."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers.qemu.image import (
    ImageHeader,
    ImageWriter,
    IncompleteImageError,
    open_image,
)
from virevents.errors import HostError, OperationFailedError

STREAM = b"QEVM" + bytes(range(256)) * 40
HEADER = ImageHeader("<domain type='qemu'><name>wéb1</name></domain>", is_running=True)
FIELDS = "<16sIIQQQ"


def write(path: Path, header: ImageHeader = HEADER, stream: bytes = STREAM) -> Path:
    with ImageWriter(str(path), header) as writer:
        os.write(writer.descriptor, stream)
        writer.finish()
    return path


def forged(path: Path, **changes: int) -> None:
    """Write a file whose numbers are *changes* and whose checksum fits them."""
    data = write(path).read_bytes()
    names = ("magic", "version", "flags", "xml_length", "start", "length")
    fields = dict(zip(names, struct.unpack_from(FIELDS, data), strict=True)) | changes
    packed = struct.pack(FIELDS, *fields.values())
    xml = data[80 : 80 + int(fields["xml_length"])]
    path.write_bytes(packed + hashlib.sha256(packed + xml).digest() + data[80:])


@pytest.mark.parametrize("is_running", [True, False])
def test_round_trip(tmp_path: Path, *, is_running: bool) -> None:
    header = ImageHeader(HEADER.xml, is_running=is_running)
    path = write(tmp_path / "saved", header)
    with open_image(str(path)) as (read, descriptor):
        assert read == header
        assert os.read(descriptor, len(STREAM) + 1) == STREAM


def test_round_trip_whatever_the_length_of_the_xml(tmp_path: Path) -> None:
    for length in (1, 4096 - 80 - 1, 4096 - 80, 4096 - 80 + 1, 100_000):
        path = write(tmp_path / "saved", ImageHeader("x" * length, is_running=True))
        with open_image(str(path)) as (read, descriptor):
            assert read.xml == "x" * length
            assert os.read(descriptor, 4) == b"QEVM"


def test_unfinished(tmp_path: Path) -> None:
    path = write(tmp_path / "saved")
    before = path.read_bytes()
    with ImageWriter(str(path), ImageHeader("<other/>", is_running=False)) as writer:
        os.write(writer.descriptor, STREAM)
        assert path.read_bytes() == before
        beside = [other for other in tmp_path.iterdir() if other != path]
        with pytest.raises(IncompleteImageError, match="incomplete"), open_image(str(beside[0])):
            pass
        writer.finish()
        assert path.read_bytes() != before
    with open_image(str(path)) as (read, _):
        assert read.xml == "<other/>"


def test_unfinished_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with ImageWriter(str(path), HEADER) as writer:
        os.write(writer.descriptor, STREAM)
        writer.give_up()
        writer.give_up()
    assert list(tmp_path.iterdir()) == []


def test_unfinished_when_qemu_wrote_nothing(tmp_path: Path) -> None:
    with (
        ImageWriter(str(tmp_path / "saved"), HEADER) as writer,
        pytest.raises(OperationFailedError, match="nothing was written"),
    ):
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_unfinished_on_a_full_disk() -> None:
    with pytest.raises(OperationFailedError, match="No space left") as met:
        ImageWriter("/dev/full", HEADER)
    assert met.value.code == 9


def test_hostile_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(HostError, match=r"Failed to open file '.*none': No such file"),
        open_image(str(tmp_path / "none")),
    ):
        pass


@pytest.mark.parametrize("path", ["/", "/dev/null"])
def test_hostile_no_regular_file(path: str) -> None:
    with pytest.raises(OperationFailedError, match="expected a file"), open_image(path):
        pass


def test_hostile_a_pipe_that_nobody_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(OperationFailedError, match="expected a file"),
        open_image(str(tmp_path / "pipe")),
    ):
        pass


def test_hostile_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "saved")

    def refuse(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", refuse)
    with (
        pytest.raises(OperationFailedError, match=r"failed to read qemu header.*Input/output"),
        open_image(str(path)),
    ):
        pass


def test_hostile_cut_anywhere(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    cut = tmp_path / "cut"
    for length in {*range(0, 300, 7), 4096, 4097, 4100, len(whole) - 1}:
        cut.write_bytes(whole[:length])
        with pytest.raises(OperationFailedError) as met, open_image(str(cut)):
            pass
        assert met.value.code == 9, length
        assert isinstance(met.value, IncompleteImageError) is (length == 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "2, expected 1"),
        ({"flags": 2}, "numbers do not fit"),
        ({"xml_length": 0}, "invalid header data length"),
        ({"xml_length": 1 << 63}, "invalid header data length"),
        ({"xml_length": 1 << 20}, "failed to read domain XML"),
        ({"start": 0}, "numbers do not fit"),
        ({"length": 1 << 62}, "cut off"),
    ],
)
def test_hostile_numbers(tmp_path: Path, changes: dict[str, int], says: str) -> None:
    forged(tmp_path / "forged", **changes)
    with (
        pytest.raises(OperationFailedError, match=says),
        open_image(str(tmp_path / "forged")),
    ):
        pass


def test_hostile_changed_definition(tmp_path: Path) -> None:
    path = write(tmp_path / "saved")
    path.write_bytes(path.read_bytes().replace(b"qemu", b"kvmm"))
    with pytest.raises(OperationFailedError, match="checksum"), open_image(str(path)):
        pass


def test_hostile_text_that_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "saved", ImageHeader("x" * 8, is_running=True))
    data = path.read_bytes()
    fields = data[:48]
    xml = b"\xff" * 8
    path.write_bytes(fields + hashlib.sha256(fields + xml).digest() + xml + data[88:])
    with (
        pytest.raises(OperationFailedError, match="failed to read domain XML"),
        open_image(str(path)),
    ):
        pass


def test_hostile_another_stream(tmp_path: Path) -> None:
    write(tmp_path / "saved", stream=b"no state at all")
    with (
        pytest.raises(OperationFailedError, match="no state of QEMU's"),
        open_image(str(tmp_path / "saved")),
    ):
        pass


@given(st.binary(max_size=200))
def test_hostile_anything(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("image") / "any"
    path.write_bytes(content)
    with pytest.raises(OperationFailedError), open_image(str(path)):
        pass
