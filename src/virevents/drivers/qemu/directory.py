# SPDX-License-Identifier: LGPL-2.1-or-later
"""The directory of an embedded QEMU driver: its lock, the definitions, sockets and logs.

It stands apart because it is all that the driver has on disk:

    lock            held by the one process that runs the domains; has its process id
    domains/*.xml   one definition each, by uuid: a name may have characters no file has
    run/            the monitors' sockets, while QEMU is being started; for the owner alone
    log/*.log       what each domain's last QEMU printed

Locking:
    None of ours. The directory belongs to one driver (an flock sees to it), the files of one
    domain to whoever holds its turn. Everything here blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_directory.py``:
    one_owner    a second driver on the directory is refused and told the owner's process id
    atomic       a definition's file is the old or the new one, whole, whenever the power fails
    keeps_going  a file that is no definition is logged and left alone
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.errors import DefinitionError, OpenError

__all__ = ["DomainDirectory"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_PRIVATE: Final = 0o700
_TEMPORARY: Final = ".tmp"


class DomainDirectory:
    """A directory, made where it is not there, and locked until `close`.

    Args:
        root: Its path.

    Raises:
        OpenError: Another driver has it, in this process or another.
        OSError: It cannot be made or locked.
    """

    def __init__(self, root: Path) -> None:
        self.root: Final = root
        self._domains: Final = root / "domains"
        self._run: Final = root / "run"
        self._log: Final = root / "log"
        root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self._lock: int | None = _locked(root / "lock")  # one thread at a time: made, then closed
        for path in (self._domains, self._run, self._log):
            path.mkdir(mode=_PRIVATE, exist_ok=True)
        self._run.chmod(_PRIVATE)

    def close(self) -> None:
        """Let the directory go. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def socket_path(self, uuid: str) -> Path:
        """Where a domain's monitor listens."""
        return self._run / f"{uuid}.monitor"

    def log_path(self, uuid: str) -> Path:
        """Where a domain's QEMU prints."""
        return self._log / f"{uuid}.log"

    def definitions(self) -> Iterator[DomainDefinition]:
        """Read every definition; what a crash left half written is thrown away."""
        for path in sorted(self._domains.iterdir()):
            if path.name.endswith(_TEMPORARY):
                path.unlink()
            elif path.suffix == ".xml":
                try:
                    definition = parse_definition(path.read_bytes())
                    _check_place(path, definition)
                except (OSError, DefinitionError) as error:
                    _log.error("%s is left alone: %s", path, error)
                else:
                    yield definition

    def save(self, definition: DomainDefinition) -> None:
        """Write a definition, so that it is there for good when this returns.

        Raises:
            OSError: The disk refused; the old definition stands.
        """
        path = self._path(definition.uuid)
        temporary = path.with_name(path.name + _TEMPORARY)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(to_xml(definition))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(self._domains)

    def remove(self, uuid: str) -> None:
        """Remove a definition for good; nothing happens when there is none.

        Raises:
            OSError: The disk refused; the definition stands.
        """
        self._path(uuid).unlink(missing_ok=True)
        _sync(self._domains)

    def _path(self, uuid: str) -> Path:
        return self._domains / f"{uuid}.xml"


def _check_place(path: Path, definition: DomainDefinition) -> None:
    """A copy under another uuid's name would be removed and saved in the wrong place."""
    if path.stem != definition.uuid:
        raise DefinitionError(f"expected the uuid {path.stem} of the file's name", element="uuid")


def _locked(path: Path) -> int:
    """Lock *path* and write our process id into it; the system unlocks it when we end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise OpenError(f"{path.parent} is in use by process {holder}") from error
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sync(directory: Path) -> None:
    """Make sure that a name in *directory* is on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
