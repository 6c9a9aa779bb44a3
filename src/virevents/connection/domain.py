# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Domain``: a user's handle of a domain, by its uuid.

It stands apart from the driver's live object: a handle holds none, so it may outlive the domain,
and every call looks it up again.

Locking: none here. Immutable but for the name last known.
"""

from typing import TYPE_CHECKING, Final

from virevents.connection.arguments import (
    DumpMode,
    FilePath,
    Nvram,
    Sleep,
    absolute_path,
    dump_mode,
    nvram_fate,
    shutdown_timeout,
    sleep_mode,
    start_mode,
)
from virevents.drivers import CoreDumpMode, SleepMode, StartMode
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

    @property
    def is_autostarted(self) -> bool:
        """Whether it is started when its driver is first opened after the host's boot."""
        return self._connection.reading().is_autostarted(self.uuid)

    def state(self) -> StateAndReason:
        """Return its state and the reason of it."""
        return self._connection.reading().domain_state(self.uuid)

    def xml(self, *, inactive: bool = False) -> str:
        """Return its definition as XML.

        Args:
            inactive: The definition of the next start, instead of the running one.
        """
        return self._connection.reading().domain_xml(self.uuid, inactive=inactive)

    def start(
        self, *, paused: bool = False, force_boot: bool = False, autodestroy: bool = False
    ) -> None:
        """Start it; from its managed save when there is one.

        Args:
            paused: Leave its processors paused.
            force_boot: Throw a managed save away and boot.
            autodestroy: Destroy it when this connection closes, or this process ends.
        """
        mode = StartMode.PAUSED if paused else StartMode.DEFAULT
        connection = self._connection
        driver = connection.modifying("start")
        if not autodestroy:
            driver.start(self.uuid, mode, force_boot=force_boot)
            return
        driver.start(self.uuid, mode, force_boot=force_boot, autodestroy_owner=connection)
        connection.note_owned()

    def suspend(self) -> None:
        """Pause its processors; nothing happens when they are paused."""
        self._connection.modifying("suspend").suspend(self.uuid)

    def resume(self) -> None:
        """Let it run again."""
        self._connection.modifying("resume").resume(self.uuid)

    def shutdown(self, *, timeout: float | None = None, force: bool = False) -> None:
        """Ask the guest to power off; it may take its time, or not obey.

        Args:
            timeout: Wait this many seconds for it to be off, and raise
                ``OperationTimeoutError`` if it is not. None does not wait.
            force: Destroy it when *timeout* is over, instead of raising.
        """
        seconds = shutdown_timeout(timeout, force=force)
        self._connection.modifying("shutdown").shutdown(self.uuid, timeout=seconds, force=force)

    def reboot(self) -> None:
        """Ask the guest to reboot."""
        self._connection.modifying("reboot").reboot(self.uuid)

    def reset(self) -> None:
        """Reset the machine, without asking the guest."""
        self._connection.modifying("reset").reset(self.uuid)

    def destroy(self, *, graceful: bool = False) -> None:
        """Stop it now, without asking the guest.

        Args:
            graceful: Only ask the hypervisor's process to end, never kill it: raises
                ``OperationFailedError`` if it does not.
        """
        self._connection.modifying("destroy").destroy(self.uuid, graceful=graceful)

    def undefine(self, *, managed_save: bool = False, nvram: Nvram | None = None) -> None:
        """Remove its definition; a running one goes on and is gone when it stops.

        Args:
            managed_save: Throw a managed save away; without it a domain that has one is refused.
            nvram: What becomes of its firmware's variables, "keep" or "remove"; None refuses a
                domain that has them.
        """
        fate = nvram_fate(nvram)
        driver = self._connection.modifying("undefine")
        driver.undefine(self.uuid, managed_save=managed_save, nvram=fate)

    def save(self, path: FilePath, *, paused: bool | None = None) -> None:
        """Save its running state to a file and stop it.

        Args:
            path: The file.
            paused: Whether a restore leaves it paused; None for the state that it is in.
        """
        file = absolute_path(path)
        self._connection.modifying("save").save(self.uuid, file, start_mode(paused))

    def managed_save(self, *, paused: bool | None = None) -> None:
        """Save its running state where the next start finds it, and stop it.

        Args:
            paused: Whether that start leaves it paused; None for the state that it is in.
        """
        self._connection.modifying("managed_save").managed_save(self.uuid, start_mode(paused))

    def managed_save_remove(self) -> None:
        """Throw its managed save away, so that the next start boots."""
        self._connection.modifying("managed_save_remove").managed_save_remove(self.uuid)

    def rename(self, name: str) -> None:
        """Give it another name; it must not run."""
        self._connection.modifying("rename").rename(self.uuid, name)
        self._name = name

    def core_dump(self, path: FilePath, *, mode: DumpMode = CoreDumpMode.PAUSE) -> None:
        """Write the guest's memory to a file.

        Args:
            path: The file.
            mode: What becomes of the domain: "pause" pauses its processors meanwhile, "live" does
                not, "crash" ends it there, "reset" resets the machine afterwards.
        """
        file, known = absolute_path(path), dump_mode(mode)
        self._connection.modifying("core_dump").core_dump(self.uuid, file, known)

    def set_autostart(self, *, on: bool = True) -> None:
        """Have it started when its driver is first opened after the host's boot.

        Args:
            on: False takes that back.
        """
        self._connection.modifying("set_autostart").set_autostart(self.uuid, is_on=on)

    def pm_suspend(self, mode: Sleep = SleepMode.MEMORY) -> None:
        """Ask the guest, by its agent, to go to sleep.

        Args:
            mode: Into which sleep: "memory", "disk" or "hybrid".

        Raises:
            AgentError: The agent does not answer, or refused.
        """
        known = sleep_mode(mode)
        self._connection.modifying("pm_suspend").pm_suspend(self.uuid, known)

    def pm_wakeup(self) -> None:
        """Wake the guest that sleeps."""
        self._connection.modifying("pm_wakeup").pm_wakeup(self.uuid)

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
