# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a driver is: the operations that a connection calls, and what a driver is given.

It stands apart because it is the whole contract between a hypervisor and the rest of the
library. A new driver is one folder: subclass ``Driver``, declare what it can do, pass the
conformance kit (``virevents.testing.conformance``); ``docs/drivers.md`` leads through it.

Locking:
    A driver is called by any thread, with nothing held. A modifying call (see ``Capability``)
    is never made on a loop thread. The rules of ``docs/concurrency.md`` hold inside a driver:
    take the domain's turn, then its lock; change the state, make the event and push it under
    the domain's lock; wait for nothing under it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, NoReturn

from virevents.clock import Clock
from virevents.dispatch import EventState
from virevents.drivers.uri import ConnectionUri
from virevents.errors import UnsupportedError
from virevents.loop import AsyncioLoop
from virevents.model import DomainIdentity, StateAndReason

__all__ = [
    "Capability",
    "CoreDumpMode",
    "Driver",
    "DriverContext",
    "DriverFactory",
    "NvramFate",
    "SleepMode",
    "StartMode",
]


class Capability(Enum):
    """An operation that a driver may have; each is a method of ``Driver`` of the same name."""

    DEFINE = "define"
    UNDEFINE = "undefine"
    CREATE = "create"
    START = "start"
    SUSPEND = "suspend"
    RESUME = "resume"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    RESET = "reset"
    DESTROY = "destroy"
    SAVE = "save"
    RESTORE = "restore"
    MANAGED_SAVE = "managed_save"
    MANAGED_SAVE_REMOVE = "managed_save_remove"
    RENAME = "rename"
    CORE_DUMP = "core_dump"
    SET_AUTOSTART = "set_autostart"
    PM_SUSPEND = "pm_suspend"
    PM_WAKEUP = "pm_wakeup"


class StartMode(Enum):
    """In which state a domain is to be once it was started, created or restored."""

    RUNNING = "running"
    PAUSED = "paused"
    DEFAULT = "default"  # as it was saved; running when it was not


class CoreDumpMode(Enum):
    """What becomes of a domain whose memory is written to a file."""

    PAUSE = "pause"  # its processors are paused meanwhile
    LIVE = "live"  # it runs on meanwhile
    CRASH = "crash"  # it ends there
    RESET = "reset"  # the machine is reset afterwards


class SleepMode(Enum):
    """Into which sleep a guest is sent (libvirt: virNodeSuspendTarget)."""

    MEMORY = "memory"
    DISK = "disk"
    HYBRID = "hybrid"


class NvramFate(Enum):
    """What becomes of the firmware's variables when the domain is undefined."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What a driver is given to live on.

    Attributes:
        loop: The loop that runs its flush, its monitors and timers; not the driver's to stop.
        clock: Where the times in its events come from.
    """

    loop: AsyncioLoop
    clock: Clock


class Driver(ABC):
    """One hypervisor, opened once per resolved URI and process and shared by its connections.

    A domain is named by its uuid (canonical text). Every method that names one raises
    ``DomainNotFoundError`` when there is none, or when it goes meanwhile; an operation that the
    state does not allow raises ``StateError``; one that is not declared in ``capabilities``
    raises ``UnsupportedError``.

    Args:
        uri: The resolved URI.
        context: What it lives on.
    """

    name: ClassVar[str]
    """The driver's name, as in URIs."""
    capabilities: ClassVar[frozenset[Capability]]
    """The operations it has; the conformance kit tests each and lists the others."""

    def __init__(self, uri: ConnectionUri, context: DriverContext) -> None:
        self.uri: Final = uri
        self.context: Final = context
        self.state: Final = EventState(context.loop)

    @abstractmethod
    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        """List the domains; with *active*, only the running or only the inactive ones."""

    @abstractmethod
    def lookup_name(self, name: str) -> DomainIdentity:
        """Find a domain by its name."""

    @abstractmethod
    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        """Find a domain by its canonical uuid."""

    @abstractmethod
    def lookup_id(self, domain_id: int) -> DomainIdentity:
        """Find a running domain by its id."""

    @abstractmethod
    def domain_state(self, uuid: str) -> StateAndReason:
        """Return the state of a domain and how it came to it."""

    @abstractmethod
    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return the definition as XML: the live one, or that of the next start."""

    @abstractmethod
    def is_persistent(self, uuid: str) -> bool:
        """Tell whether the domain stays when it stops."""

    @abstractmethod
    def has_managed_save(self, uuid: str) -> bool:
        """Tell whether the next start restores a saved state."""

    @abstractmethod
    def close(self) -> None:
        """Let the hypervisor go: end waits with an error, then monitors, files, ``state``.

        Called once, by the process record, on a thread that may wait, with nothing held; no
        operation begins afterwards, one may be in flight. Deadline: 5 s.
        """

    def define(self, xml: str) -> DomainIdentity:
        """Define a domain, or update the definition of the one with that uuid."""
        self._unsupported(Capability.DEFINE, xml)

    def undefine(
        self, uuid: str, *, managed_save: bool = False, nvram: NvramFate | None = None
    ) -> None:
        """Remove the definition; a running domain goes on and is transient from now on.

        Args:
            uuid: The domain.
            managed_save: Throw a managed save away; without it a domain that has one is refused.
            nvram: What becomes of its firmware's variables; None refuses a domain that has them.
        """
        self._unsupported(Capability.UNDEFINE, uuid, managed_save, nvram)

    def create(
        self,
        xml: str,
        mode: StartMode = StartMode.RUNNING,
        *,
        autodestroy_owner: object | None = None,
    ) -> DomainIdentity:
        """Start a domain that is gone when it stops.

        Args:
            xml: Its definition.
            mode: In which state it is to be.
            autodestroy_owner: Whose end destroys it (`destroy_owned`), compared by identity.
        """
        self._unsupported(Capability.CREATE, xml, mode, autodestroy_owner)

    def start(
        self,
        uuid: str,
        mode: StartMode = StartMode.DEFAULT,
        *,
        force_boot: bool = False,
        autodestroy_owner: object | None = None,
    ) -> None:
        """Start a defined domain, from its managed save when there is one.

        Args:
            uuid: The domain.
            mode: In which state it is to be.
            force_boot: Throw a managed save away and boot.
            autodestroy_owner: Whose end destroys it (`destroy_owned`), compared by identity.
        """
        self._unsupported(Capability.START, uuid, mode, force_boot, autodestroy_owner)

    def destroy_owned(self, owner: object) -> None:
        """Destroy what was started with this *autodestroy_owner*; called when it ends."""
        del owner  # a driver that cannot start such domains has none

    def suspend(self, uuid: str) -> None:
        """Pause the domain's processors; nothing happens when they are paused."""
        self._unsupported(Capability.SUSPEND, uuid)

    def resume(self, uuid: str) -> None:
        """Let a paused domain run."""
        self._unsupported(Capability.RESUME, uuid)

    def shutdown(self, uuid: str, *, timeout: float | None = None, force: bool = False) -> None:
        """Ask the guest to power off; it may take its time, or not obey.

        Args:
            uuid: The domain.
            timeout: Wait this many seconds, holding nothing, for it to be off, and raise
                ``OperationTimeoutError`` if it is not; None does not wait.
            force: Destroy it when *timeout* is over, instead of raising.
        """
        self._unsupported(Capability.SHUTDOWN, uuid, timeout, force)

    def reboot(self, uuid: str) -> None:
        """Ask the guest to reboot."""
        self._unsupported(Capability.REBOOT, uuid)

    def reset(self, uuid: str) -> None:
        """Reset the machine, without asking the guest."""
        self._unsupported(Capability.RESET, uuid)

    def destroy(self, uuid: str, *, graceful: bool = False) -> None:
        """Stop the domain now, without asking the guest.

        Args:
            uuid: The domain.
            graceful: Only ask the hypervisor's process, never kill it: raises
                ``OperationFailedError`` if it does not end.
        """
        self._unsupported(Capability.DESTROY, uuid, graceful)

    def save(self, uuid: str, path: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Save the running state to a file and stop.

        Args:
            uuid: The domain.
            path: The file, absolute.
            mode: In which state a restore leaves it; the default is the state that it is in.
        """
        self._unsupported(Capability.SAVE, uuid, path, mode)

    def restore(self, path: str, mode: StartMode = StartMode.DEFAULT) -> DomainIdentity:
        """Start a domain from a file that ``save`` wrote."""
        self._unsupported(Capability.RESTORE, path, mode)

    def managed_save(self, uuid: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Save the running state where the next start finds it, and stop. *mode*: as `save`."""
        self._unsupported(Capability.MANAGED_SAVE, uuid, mode)

    def managed_save_remove(self, uuid: str) -> None:
        """Throw the managed save away, so that the next start boots."""
        self._unsupported(Capability.MANAGED_SAVE_REMOVE, uuid)

    def rename(self, uuid: str, name: str) -> None:
        """Give an inactive domain another name."""
        self._unsupported(Capability.RENAME, uuid, name)

    def core_dump(self, uuid: str, path: str, mode: CoreDumpMode = CoreDumpMode.PAUSE) -> None:
        """Write the guest's memory to a file; *mode* says what becomes of the domain."""
        self._unsupported(Capability.CORE_DUMP, uuid, path, mode)

    def is_autostarted(self, uuid: str) -> bool:
        """Tell whether the domain is started when its driver is first opened after a boot."""
        self._unsupported(Capability.SET_AUTOSTART, uuid)

    def set_autostart(self, uuid: str, *, is_on: bool) -> None:
        """Have a persistent domain started when its driver is first opened after a boot."""
        self._unsupported(Capability.SET_AUTOSTART, uuid, is_on)

    def pm_suspend(self, uuid: str, mode: SleepMode) -> None:
        """Ask the guest, by its agent, to go to sleep."""
        self._unsupported(Capability.PM_SUSPEND, uuid, mode)

    def pm_wakeup(self, uuid: str) -> None:
        """Wake a guest that sleeps."""
        self._unsupported(Capability.PM_WAKEUP, uuid)

    def _unsupported(self, operation: Capability, *_: object) -> NoReturn:
        raise UnsupportedError(
            f"this function is not supported by the connection driver: {operation.value} "
            f"(the {self.name} driver has: {', '.join(sorted(c.value for c in self.capabilities))})"
        )


@dataclass(frozen=True, slots=True)
class DriverFactory:
    """How a driver is opened.

    Attributes:
        name: The driver's name, as in URIs.
        resolve: Gives the one spelling of a URI by which its connections share a driver.
            Raises ``OpenError`` or ``InvalidArgumentError`` for one that it does not accept.
        open: Opens the hypervisor of a resolved URI. May block; called with nothing held.
            Raises ``OpenError``.
    """

    name: str
    resolve: Callable[[ConnectionUri], ConnectionUri]
    open: Callable[[ConnectionUri, DriverContext], Driver]
