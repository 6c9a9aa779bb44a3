# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file that a running domain is saved to: our header, then QEMU's own migration stream.

It stands apart because it is read back from whoever wrote it, possibly half, possibly with
malice: nothing in it is believed before it is checked, and QEMU sees none of it before that.

The layout, all numbers little-endian (``docs/qemu_saving.md``)::

    0    magic        16 bytes; another one while the file is being written
    16   version      4
    20   flags        4    bit 0: the domain runs once it is restored
    24   xml length   8
    32   stream start 8    a multiple of 4096
    40   stream length 8
    48   checksum     32   SHA-256 of the bytes 0 to 48 and the XML
    80   the live definition as XML, then zeros up to the stream

A file takes its place only when all of it is on the disk (``placing``). A block device has no
other place: there the magic tells what is whole.

Locking:
    None of ours: a file belongs to whoever holds the domain's turn. Everything here blocks on
    the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_image.py``:
    round_trip     what was written is read back
    unfinished     a file that its writer did not finish is told from every other
    hostile        any other content is refused with an error that says what was met
"""

import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

from virevents.definition import XML_SIZE_MAX
from virevents.drivers.qemu.placing import PlacedFile
from virevents.errors import HostError, OperationFailedError

__all__ = [
    "ImageHeader",
    "ImageWriter",
    "IncompleteImageError",
    "open_image",
]

_MAGIC: Final = b"virevents saved\n"
_PARTIAL_MAGIC: Final = b"virevents partly"
_VERSION: Final = 1
_FIELDS: Final = struct.Struct("<16sIIQQQ")
_CHECKSUM_BYTES: Final = 32
_XML_AT: Final = _FIELDS.size + _CHECKSUM_BYTES
_ALIGNMENT: Final = 4096
_RUNNING: Final = 1  # the one flag
_XML_BYTES_MAX: Final = 4 * XML_SIZE_MAX  # a character has four bytes at most
# What every stream of QEMU's begins with (migration/savevm.c: QEMU_VM_FILE_MAGIC).
_STREAM_MAGIC: Final = b"QEVM"


class IncompleteImageError(OperationFailedError):
    """The file was being written when its writer ended: there is nothing to restore."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says before the stream.

    Attributes:
        xml: The definition that the domain ran by.
        is_running: Whether it runs once it is restored.
    """

    xml: str
    is_running: bool

    def encode(self, magic: bytes, stream_length: int) -> bytes:
        """Return the bytes before the XML and the XML."""
        xml = self.xml.encode()
        flags = _RUNNING if self.is_running else 0
        start = _stream_start(len(xml))
        fields = _FIELDS.pack(magic, _VERSION, flags, len(xml), start, stream_length)
        return fields + hashlib.sha256(fields + xml).digest() + xml


class ImageWriter:
    """A file that is being written; ``with`` gives it up unless it was finished.

    Its `descriptor` stands where the stream goes, and is handed to QEMU, which shares it.

    Args:
        path: Its place, as `PlacedFile` has it.
        header: What goes before the stream.

    Raises:
        HostError: The file cannot be made.
        OperationFailedError: It was made, and the disk refused the header.
    """

    def __init__(self, path: str, header: ImageHeader) -> None:
        self._file: Final = PlacedFile(path)
        self._header: Final = header
        self.descriptor: Final = self._file.descriptor
        try:
            self._file.write_at_start(header.encode(_PARTIAL_MAGIC, 0))
            os.lseek(self.descriptor, self._start, os.SEEK_SET)
        except (OSError, OperationFailedError):
            self._file.give_up()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it up if it was not finished, and close the descriptor."""
        self.give_up()

    @property
    def _start(self) -> int:
        return _stream_start(len(self._header.xml.encode()))

    def finish(self) -> None:
        """Have the whole file on the disk and in its place, once QEMU has written the stream.

        Raises:
            OperationFailedError: The disk refused, or QEMU wrote nothing; what was in the place
                before is still there.
        """
        length = os.lseek(self.descriptor, 0, os.SEEK_CUR) - self._start
        if length <= 0:
            raise OperationFailedError(f"nothing was written to {self._file.place}")
        # The stream first: the magic that says "whole" must not reach the disk before it.
        self._file.sync()
        self._file.write_at_start(self._header.encode(_MAGIC, length))
        self._file.finish()

    def give_up(self) -> None:
        """Remove what was written unless it was finished; close the descriptor. Idempotent."""
        self._file.give_up()


@contextmanager
def open_image(path: str) -> Iterator[tuple[ImageHeader, int]]:
    """Open a file that `ImageWriter` wrote, and check all of it but the stream's inside.

    Yields:
        What it says, and its descriptor, which stands at the stream's first byte.

    Raises:
        HostError: The file cannot be opened.
        IncompleteImageError: Its writer did not finish it, or it is empty.
        OperationFailedError: It is no saved domain, or is cut off, or was changed.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise HostError(f"Failed to open file '{path}': {error.strerror}") from error
    try:
        os.set_blocking(descriptor, True)
        try:
            header = _read_header(descriptor, path)
        except OSError as error:
            raise OperationFailedError(
                f"operation failed: failed to read qemu header of '{path}': {error.strerror}"
            ) from error
        yield header, descriptor
    finally:
        os.close(descriptor)


def _stream_start(xml_length: int) -> int:
    return -(-(_XML_AT + xml_length) // _ALIGNMENT) * _ALIGNMENT


def _read_header(descriptor: int, path: str) -> ImageHeader:
    """Read and check what stands before the stream; leave the offset at the stream."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise _bad(path, "failed to read qemu header", "expected a file or a block device")
    head = _read(descriptor, _XML_AT, 0)
    _check_magic(head, path)
    _, version, flags, xml_length, start, length = _FIELDS.unpack_from(head)
    if version != _VERSION:
        raise _bad(path, "image version is not supported", f"{version}, expected {_VERSION}")
    if not 0 < xml_length <= _XML_BYTES_MAX:
        raise _bad(path, "invalid header data length", f"{xml_length}, at most {_XML_BYTES_MAX}")
    xml = _read(descriptor, xml_length, _XML_AT)
    if len(xml) < xml_length:
        raise _bad(path, "failed to read domain XML", f"{len(xml)} bytes of {xml_length}")
    if hashlib.sha256(head[: _FIELDS.size] + xml).digest() != head[_FIELDS.size :]:
        raise _bad(path, "image header is damaged", "its checksum does not fit")
    if start != _stream_start(xml_length) or flags & ~_RUNNING:
        raise _bad(path, "image header is damaged", "its numbers do not fit")
    _check_stream(descriptor, path, start, length)
    return ImageHeader(_decoded(xml, path), bool(flags & _RUNNING))


def _check_magic(head: bytes, path: str) -> None:
    if not head:
        raise IncompleteImageError(f"operation failed: failed to read qemu header: {path} is empty")
    if head.startswith(_PARTIAL_MAGIC):
        raise IncompleteImageError(f"operation failed: save image is incomplete: {path}")
    met = head[: len(_MAGIC)]
    if not _MAGIC.startswith(met):
        raise _bad(path, "image magic is incorrect", f"expected {_MAGIC!r}, met {met!r}")
    if len(head) < _XML_AT:
        raise _bad(path, "failed to read qemu header", f"{len(head)} bytes of {_XML_AT}")


def _decoded(xml: bytes, path: str) -> str:
    try:
        return xml.decode()
    except UnicodeDecodeError as error:
        raise _bad(path, "failed to read domain XML", str(error)) from error


def _check_stream(descriptor: int, path: str, start: int, length: int) -> None:
    """QEMU waits for ever for a stream that is not there."""
    end = os.lseek(descriptor, 0, os.SEEK_END)  # works for a block device too
    if end < start + length:
        raise _bad(path, "save image is cut off", f"{max(0, end - start)} bytes of {length}")
    if _read(descriptor, len(_STREAM_MAGIC), start) != _STREAM_MAGIC:
        raise _bad(path, "it has no state of QEMU's", f"expected {_STREAM_MAGIC!r}")
    os.lseek(descriptor, start, os.SEEK_SET)


def _read(descriptor: int, length: int, offset: int) -> bytes:
    """Read up to *length* bytes at *offset*; fewer only at the file's end."""
    data = b""
    while len(data) < length:
        chunk = os.pread(descriptor, length - len(data), offset + len(data))
        if not chunk:
            break
        data += chunk
    return data


def _bad(path: str, what: str, met: str) -> OperationFailedError:
    return OperationFailedError(f"operation failed: {what}: {path}: {met}")
