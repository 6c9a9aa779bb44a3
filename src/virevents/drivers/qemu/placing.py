# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file that QEMU writes for a user: in its place when it is whole, and not before.

It stands apart because saved states and core dumps follow the same rule. The file is written
beside its place, under another name, and takes the place when all of it is on the disk. So what
was there before stays until then, and a disk that is full leaves nothing behind. A block device
is written to itself.

Locking:
    None of ours. Everything here blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_placing.py``:
    whole_or_not   until `finish` the place has what it had before; after it, all that is new
    leaves_nothing a file that is given up leaves nothing behind
    private        the file is for its owner alone
"""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from virevents.errors import HostError, InvalidArgumentError, OperationFailedError

__all__ = ["PARTIAL", "PlacedFile", "check_place", "sync_folder"]

PARTIAL: Final = ".partial"
"""How the name of a file that is being written ends; it begins with a dot."""

_PREFIX_MAX: Final = 60  # characters, of up to four bytes each: a name has 255 bytes


class PlacedFile:
    """A file that is being written; ``with`` gives it up unless it was finished.

    Args:
        path: Its place, absolute. Links are followed. A regular file there is replaced at the
            end; a block or character device is written to.

    Raises:
        InvalidArgumentError: The path is not absolute.
        HostError: The file cannot be made.
    """

    def __init__(self, path: str) -> None:
        check_place(path)
        self.place: Final = Path(os.path.realpath(path))
        # None: the place itself is written to.
        self._temporary: Path | None = None  # one thread at a time
        try:
            self.descriptor: Final = self._open()
        except OSError as error:
            raise HostError(f"Failed to create file '{path}': {error.strerror}") from error
        self._is_open = True  # one thread at a time

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it up if it was not finished, and close the descriptor."""
        self.give_up()

    def write_at_start(self, data: bytes) -> None:
        """Write *data* at the file's begin; the descriptor's offset stays.

        Raises:
            OperationFailedError: The disk refused.
        """
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self.descriptor, data[written:], written)
        except OSError as error:
            raise self._failed(error) from error

    def sync(self) -> None:
        """Have all that was written on the disk.

        Raises:
            OperationFailedError: The disk refused.
        """
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a character device has no disk behind it
                raise self._failed(error) from error

    def finish(self) -> None:
        """Have the whole file on the disk and in its place.

        Raises:
            OperationFailedError: The disk refused; what was in the place before is still there.
        """
        self.sync()
        temporary = self._temporary
        if temporary is None:
            return
        try:
            temporary.replace(self.place)
            self._temporary = None
            sync_folder(self.place.parent)
        except OSError as error:
            raise self._failed(error) from error

    def give_up(self) -> None:
        """Remove what was written unless it was finished; close the descriptor. Idempotent."""
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if self._is_open:
            self._is_open = False
            os.close(self.descriptor)

    def _open(self) -> int:
        """Open the place if it is no regular file, else a new file beside it."""
        with suppress(FileNotFoundError):
            mode = self.place.stat().st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                return os.open(self.place, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
            if not stat.S_ISREG(mode):
                # A folder says EISDIR, as libvirt does; a pipe or a socket has no offset.
                os.close(os.open(self.place, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK))
                raise OSError(0, "expected a regular file or a block device")
        descriptor, name = tempfile.mkstemp(
            prefix=f".{self.place.name[:_PREFIX_MAX]}.", suffix=PARTIAL, dir=self.place.parent
        )
        self._temporary = Path(name)
        return descriptor

    def _failed(self, error: OSError) -> OperationFailedError:
        return OperationFailedError(
            f"operation failed: Unable to write {self.place}: {error.strerror}"
        )


def check_place(path: str) -> None:
    """Refuse a path that means another file in another process.

    Raises:
        InvalidArgumentError: It is not absolute, or no path at all.
    """
    if not path.startswith("/") or "\0" in path:
        raise InvalidArgumentError(f"expected an absolute path, met {path!r}")


def sync_folder(folder: Path) -> None:
    """Make sure that a name in *folder* is on the disk.

    Raises:
        OSError: The disk refused.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
