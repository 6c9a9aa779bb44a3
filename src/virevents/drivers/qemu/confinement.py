# SPDX-License-Identifier: LGPL-2.1-or-later
"""As whom, and within which limits, the QEMUs of one driver run.

It stands apart because it is the operator's choice, made once in the URI, and the same for every
process that the driver starts.

Immutable.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_confinement.py``:
    known_user     a user or group that the system does not know is refused when the URI is read
    root_only      nobody but root can choose another user
    nobodys_groups a process that runs as another user has none of our supplementary groups
"""

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

from virevents.errors import InvalidArgumentError

__all__ = ["UNCONFINED", "Confinement", "Identity"]


class Identity(NamedTuple):
    """A user and a group, by number."""

    user: int
    group: int


@dataclass(frozen=True, slots=True)
class Confinement:
    """How processes are confined.

    Attributes:
        identity: Whom they run as; None is whoever we are.
        group: The control group that they join: a folder of the cgroup file system (version 2)
            that was delegated to us. None is ours.
    """

    identity: Identity | None = None
    group: Path | None = None

    @classmethod
    def parse(cls, run_as: str | None, cgroup: str | None) -> Self:
        """Make it from a URI's parameters ``run_as=USER[:GROUP]`` and ``cgroup=DIR``.

        Raises:
            InvalidArgumentError: There is no such user, group or folder, or we may not use it.
        """
        return cls(
            None if run_as is None else _identity(run_as),
            None if cgroup is None else _control_group(cgroup),
        )

    def open_to(self, path: Path) -> None:
        """Let the processes pass through the folder *path*, which is ours.

        Raises:
            OSError: It could not be changed.
        """
        if self.identity is not None:
            os.chown(path, -1, self.identity.group)
            path.chmod(0o710)

    def give(self, path: Path) -> None:
        """Make the processes the owner of *path*.

        Raises:
            OSError: It could not be changed.
        """
        if self.identity is not None:
            os.chown(path, *self.identity, follow_symlinks=False)

    def join(self, pid: int) -> None:
        """Put a process that was just started into the control group.

        Raises:
            OSError: The system refused.
        """
        if self.group is not None:
            (self.group / "cgroup.procs").write_text(f"{pid}\n")


def _identity(run_as: str) -> Identity:
    name, _, group_name = run_as.partition(":")
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
        group = entry.pw_gid if not group_name else _group(group_name)
    except (KeyError, OverflowError) as error:
        raise InvalidArgumentError(
            f"run_as={run_as}: expected USER or USER:GROUP that the system knows"
        ) from error
    identity = Identity(entry.pw_uid, group)
    if os.geteuid() != 0 and identity != (os.geteuid(), os.getegid()):
        raise InvalidArgumentError(f"run_as={run_as}: only root can run QEMU as another user")
    return identity


def _group(name: str) -> int:
    return (grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)).gr_gid


def _control_group(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or not (path / "cgroup.procs").exists():
        raise InvalidArgumentError(
            f"cgroup={text}: expected the absolute path of a control group's folder "
            "(it has a file cgroup.procs)"
        )
    return path


UNCONFINED: Final = Confinement()
"""As whom we are, within our own limits."""
