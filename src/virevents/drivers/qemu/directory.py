# SPDX-License-Identifier: LGPL-2.1-or-later
"""The directory of a QEMU driver: its lock, the definitions, the runs, the logs.

It stands apart because it is all that the driver has on disk:

    lock            held by the one process that runs the domains; has its process id
    domains/*.xml   one definition each, by uuid: a name may have characters no file has
    run/ID/         what finds the QEMU of a running domain again (``status``), by the domain's id
    log/*.log       what each domain's last QEMU printed; ``.log.old``, the one before
    boot            during which boot of the host the directory was opened last

Locking:
    None of ours. The directory belongs to one driver (an flock sees to it), the files of one
    domain to whoever holds its turn. Everything here blocks on the disk.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_directory.py``:
    one_owner    a second driver on the directory is refused and told the owner's process id
    atomic       a definition's file is the old or the new one, whole, whenever the power fails
    keeps_going  a file that is no definition is logged and left alone
    once_a_boot  the first opening after each boot of the host is known as such
    private      nobody else reads or enters; with another user for QEMU, that one passes through
"""

import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.drivers.qemu.confinement import UNCONFINED, Confinement
from virevents.drivers.qemu.status import RunFolder, this_boot
from virevents.errors import DefinitionError, OpenError
from virevents.sync import keep_from_children

__all__ = ["DomainDirectory"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_PRIVATE: Final = 0o700
_TEMPORARY: Final = ".tmp"


class DomainDirectory:
    """A directory, made where it is not there, and locked until `close`.

    Args:
        root: Its path.
        confinement: As whom the processes run that must reach some of it.

    Attributes:
        root: Its path.
        confinement: See there.
        variables: The folder of the variables of firmware that have no path of a definition's;
            made when the first of them are.

    Raises:
        OpenError: Another driver has it, in this process or another.
        OSError: It cannot be made or locked.
    """

    def __init__(self, root: Path, confinement: Confinement = UNCONFINED) -> None:
        self.root: Final = root
        self.confinement: Final = confinement
        self._domains: Final = root / "domains"
        self._run: Final = root / "run"
        self.logs: Final = root / "log"
        self._boot: Final = root / "boot"
        self.variables: Final = root / "nvram"
        root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        _check_safe(root)
        self._lock: Final = _locked(root / "lock")
        try:
            for path in (self._domains, self._run, self.logs):
                path.mkdir(mode=_PRIVATE, exist_ok=True)
                path.chmod(_PRIVATE)
            confinement.open_to(root)
            confinement.open_to(self._run)
            self.is_first_since_boot: Final = self._note_boot()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let the directory go. Idempotent."""
        self._lock.close()

    def run_folder(self, domain_id: int) -> RunFolder:
        """Name the folder of a run, which need not be there."""
        return RunFolder(self._run / str(domain_id))

    def run_folders(self) -> list[RunFolder]:
        """List the runs that are there, by their domain's id."""
        ids = [int(path.name) for path in self._run.iterdir() if _is_id(path.name)]
        return [self.run_folder(domain_id) for domain_id in sorted(ids)]

    def log_path(self, uuid: str) -> Path:
        """Where a domain's QEMU prints."""
        return self.logs / f"{uuid}.log"

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
        _write(self._path(definition.uuid), to_xml(definition))

    def remove(self, uuid: str) -> None:
        """Remove a definition for good; nothing happens when there is none.

        Raises:
            OSError: The disk refused; the definition stands.
        """
        self._path(uuid).unlink(missing_ok=True)
        _sync(self._domains)

    def _note_boot(self) -> bool:
        """Whether this is the first opening since the host's boot; the next one is not."""
        boot = this_boot()
        try:
            if self._boot.read_text(encoding="ascii") == boot:
                return False
        except (FileNotFoundError, UnicodeDecodeError):
            _log.debug("%s was never opened before", self.root)
        _write(self._boot, boot)
        return True

    def _path(self, uuid: str) -> Path:
        return self._domains / f"{uuid}.xml"


def _is_id(name: str) -> bool:
    return name.isascii() and name.isdigit() and name == str(int(name))


def _check_place(path: Path, definition: DomainDefinition) -> None:
    """A copy under another uuid's name would be removed and saved in the wrong place."""
    if path.stem != definition.uuid:
        raise DefinitionError(f"expected the uuid {path.stem} of the file's name", element="uuid")


def _check_safe(root: Path) -> None:
    """Whoever can rename what is in the directory decides what we run."""
    status = root.stat()
    if status.st_mode & stat.S_IWOTH or status.st_uid not in {0, os.geteuid()}:
        raise OpenError(
            f"{root}: expected a directory of our own that others cannot write to, "
            f"met {stat.filemode(status.st_mode)} of user {status.st_uid}"
        )


def _locked(path: Path) -> FileIO:
    """Lock *path* and write our process id into it; the system unlocks it when we end."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = FileIO(os.open(path, flags, 0o600), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    except BlockingIOError as error:
        holder = (file.read(32) or b"").decode(errors="replace").strip() or "unknown"
        file.close()
        raise OpenError(
            f"{path.parent} is in use by process {holder}: one process at a time can run its "
            "domains, several at once need the daemon"
        ) from error
    except OSError:
        file.close()
        raise
    keep_from_children(file)  # a forked child that lives on would hold it after our end
    return file


def _write(path: Path, text: str) -> None:
    """Write a file, so that the old or the new one is there whole, and the new one for good."""
    temporary = path.with_name(path.name + _TEMPORARY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Make sure that a name in *directory* is on disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
