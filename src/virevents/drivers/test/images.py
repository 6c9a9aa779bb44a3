# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file that a test domain is saved to: libvirt's test driver's format.

It stands apart because it is read back from whoever wrote it, so it is checked.

Immutable: functions only. They touch the disk, so they are called with nothing held but a turn.

Invariants, each with a test of its name in ``tests/drivers/test_driver/test_images.py``:
    round_trip   what was written is read back
    hostile      any other content is refused with an error that names the file
"""

import struct
from pathlib import Path
from typing import Final

from virevents.definition import XML_SIZE_MAX, DomainDefinition, parse_definition, to_xml
from virevents.errors import InternalError, OperationFailedError

__all__ = ["read_image", "write_dump", "write_image"]

_MAGIC: Final = b"TestGuestMagic\0"
# The length of the XML follows, in the machine's own order, as libvirt's test driver writes it.
_LENGTH: Final = struct.Struct("=i")


class ImageError(OperationFailedError):
    """A saved image could not be read or written (libvirt: VIR_ERR_SYSTEM_ERROR)."""

    code = 38


def write_image(path: str, definition: DomainDefinition, domain_id: int) -> None:
    """Save *definition*, which runs as *domain_id*, to the file *path*.

    Raises:
        ImageError: The file could not be written.
    """
    xml = to_xml(definition, id=domain_id).encode()
    failed = f"saving domain '{definition.name}' to '{path}': open failed"
    _write(path, _MAGIC + _LENGTH.pack(len(xml)) + xml, failed)


def write_dump(path: str, definition: DomainDefinition) -> None:
    """Write what stands for the memory of *definition*: as libvirt's, a header and no more.

    Raises:
        ImageError: The file could not be written.
    """
    _write(path, _MAGIC, f"domain '{definition.name}' coredump: failed to open {path}")


def _write(path: str, content: bytes, failed: str) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise ImageError(f"{failed}: {error.strerror}") from error


def read_image(path: str) -> DomainDefinition:
    """Read back what ``write_image`` wrote.

    Raises:
        ImageError: The file could not be read, or is cut off.
        InternalError: It is no saved image.
        DefinitionError: The definition in it is not understood.
    """
    most = len(_MAGIC) + _LENGTH.size + XML_SIZE_MAX
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ImageError(f"cannot read domain image '{path}': {error.strerror}") from error
    if len(content) < len(_MAGIC):
        raise ImageError(f"incomplete save header in '{path}'")
    if not content.startswith(_MAGIC):
        raise InternalError(f"internal error: mismatched header magic in {path}")
    start = len(_MAGIC) + _LENGTH.size
    if len(content) < start:
        raise ImageError(f"failed to read metadata length in '{path}'")
    (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
    if length < 1 or length > XML_SIZE_MAX:
        text = f"internal error: length of metadata out of range in '{path}': {length}"
        raise InternalError(text)
    if len(content) - start != length:
        raise ImageError(
            f"incomplete metadata in '{path}': {len(content) - start} bytes of {length}"
        )
    return parse_definition(content[start:])
