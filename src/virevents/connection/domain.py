# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Domain``: a user's handle of a domain, by its uuid.

It stands apart from the driver's live object: a handle holds none, so it may outlive the domain,
and every call looks it up again.

Locking: none here. Immutable but for the name last known.
"""

from typing import TYPE_CHECKING, Final

from virevents.drivers import StartMode
from virevents.errors import DomainNotFoundError
from virevents.model import DomainIdentity, StateAndReason

if TYPE_CHECKING:
    from virevents.connection.connection import Connection

__all__ = ["Domain"]


class Domain:
    """A handle of one domain; made by a connection's look-ups. Safe from any thread.

    Every method raises ``DomainNotFoundError`` when the domain has gone, ``ClosedError`` when the
    connection has; the modifying ones raise ``StateError`` when the domain's state does not
    allow them, ``UnsupportedError`` when the driver does not have them, ``ReadOnlyError`` on a
    read-only connection, and ``WouldBlockError`` on a loop thread.
    """

    __slots__ = ("_connection", "_name", "uuid")

    def __init__(self, connection: "Connection", identity: DomainIdentity) -> None:
        self._connection: Final = connection
        self._name = identity.name  # published: replaced whole, read without; last one known
        self.uuid: Final = identity.uuid

    @property
    def connection(self) -> "Connection":
        """The connection that it was looked up on."""
        return self._connection

    @property
    def name(self) -> str:
        """Its name now; the last one known when it has gone."""
        try:
            self._name = self._connection.reading().lookup_uuid(self.uuid).name
        except DomainNotFoundError:
            return self._name
        return self._name

    @property
    def id(self) -> int:
        """Its id now: positive while it runs, else -1."""
        return self._connection.reading().lookup_uuid(self.uuid).id

    @property
    def is_active(self) -> bool:
        """Whether it runs (a paused one does)."""
        return self.id >= 0

    @property
    def is_persistent(self) -> bool:
        """Whether it stays when it stops."""
        return self._connection.reading().is_persistent(self.uuid)

    @property
    def has_managed_save(self) -> bool:
        """Whether the next start restores a saved state."""
        return self._connection.reading().has_managed_save(self.uuid)

    def state(self) -> StateAndReason:
        """Return its state and the reason of it."""
        return self._connection.reading().domain_state(self.uuid)

    def xml(self, *, inactive: bool = False) -> str:
        """Return its definition as XML.

        Args:
            inactive: The definition of the next start, instead of the running one.
        """
        return self._connection.reading().domain_xml(self.uuid, inactive=inactive)

    def start(self, *, paused: bool = False) -> None:
        """Start it; from its managed save when there is one.

        Args:
            paused: Leave its processors paused.
        """
        mode = StartMode.PAUSED if paused else StartMode.DEFAULT
        self._connection.modifying("start").start(self.uuid, mode)

    def suspend(self) -> None:
        """Pause its processors; nothing happens when they are paused."""
        self._connection.modifying("suspend").suspend(self.uuid)

    def resume(self) -> None:
        """Let it run again."""
        self._connection.modifying("resume").resume(self.uuid)

    def shutdown(self) -> None:
        """Ask the guest to power off; it may take its time, or not obey."""
        self._connection.modifying("shutdown").shutdown(self.uuid)

    def reboot(self) -> None:
        """Ask the guest to reboot."""
        self._connection.modifying("reboot").reboot(self.uuid)

    def reset(self) -> None:
        """Reset the machine, without asking the guest."""
        self._connection.modifying("reset").reset(self.uuid)

    def destroy(self) -> None:
        """Stop it now, without asking the guest."""
        self._connection.modifying("destroy").destroy(self.uuid)

    def undefine(self) -> None:
        """Remove its definition; a running one goes on and is gone when it stops."""
        self._connection.modifying("undefine").undefine(self.uuid)

    def save(self, path: str) -> None:
        """Save its running state to the file *path* and stop it."""
        self._connection.modifying("save").save(self.uuid, path)

    def managed_save(self) -> None:
        """Save its running state where the next start finds it, and stop it."""
        self._connection.modifying("managed_save").managed_save(self.uuid)

    def managed_save_remove(self) -> None:
        """Throw its managed save away, so that the next start boots."""
        self._connection.modifying("managed_save_remove").managed_save_remove(self.uuid)

    def rename(self, name: str) -> None:
        """Give it another name; it must not run."""
        self._connection.modifying("rename").rename(self.uuid, name)
        self._name = name

    def core_dump(self, path: str, *, crash: bool = False) -> None:
        """Write the guest's memory to the file *path*.

        Args:
            path: The file.
            crash: End the domain there.
        """
        self._connection.modifying("core_dump").core_dump(self.uuid, path, crash=crash)

    def __eq__(self, other: object) -> bool:
        """Two handles of one domain on one connection are equal."""
        if not isinstance(other, Domain):
            return NotImplemented
        return self.uuid == other.uuid and self._connection is other._connection

    def __hash__(self) -> int:
        """Hash by the uuid."""
        return hash(self.uuid)

    def __repr__(self) -> str:
        """Name it."""
        return f"<Domain {self._name} {self.uuid}>"
