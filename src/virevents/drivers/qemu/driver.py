# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver: a real QEMU for each running domain of one directory.

Here is what a connection sees, and nothing is done: looking is answered from the domain list,
each kind of operation is a module over one ``Estate``.

Locking:
    None of its own.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_driver.py``:
    nothing_left     after `close` there is no thread, socket or descriptor
"""

import asyncio
import logging
import os
from contextlib import suppress
from typing import ClassVar, Final

from virevents.clock import monotonic
from virevents.definition import DomainDefinition, LiveFacts, to_xml
from virevents.drivers.base import (
    Capability,
    CoreDumpMode,
    Driver,
    DriverContext,
    NvramFate,
    SleepMode,
    StartMode,
)
from virevents.drivers.qemu.autostart import Autostart
from virevents.drivers.qemu.confinement import Confinement
from virevents.drivers.qemu.controls import Controls
from virevents.drivers.qemu.definitions import Definitions
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.dumping import Dumping
from virevents.drivers.qemu.estate import Estate, run_of
from virevents.drivers.qemu.kept import KeptFiles
from virevents.drivers.qemu.managed import ManagedSaves
from virevents.drivers.qemu.places import root_of
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.drivers.qemu.saving import Saving
from virevents.drivers.qemu.sleeping import Sleeping
from virevents.drivers.qemu.starting import Starting
from virevents.drivers.qemu.taking_up import TakingUp
from virevents.drivers.uri import ConnectionUri
from virevents.errors import (
    LoopStoppedError,
    OperationTimeoutError,
    UnsupportedError,
    VireventsError,
)
from virevents.model import DomainIdentity, StateAndReason

__all__ = ["QemuDriver", "open_qemu"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_CLOSE_WITHIN: Final = 5.0


def open_qemu(uri: ConnectionUri, context: DriverContext) -> "QemuDriver":
    """Open the driver of a resolved URI.

    Raises:
        InvalidArgumentError: The user, group or control group of the URI cannot be had.
        OpenError: Another process, or another driver in this one, has the directory.
        UnsupportedError: The system has no pidfds (they came with Linux 5.3).
        OSError: The directory cannot be used.
    """
    if not hasattr(os, "pidfd_open"):
        raise UnsupportedError("the qemu driver needs Linux 5.3 or newer: os.pidfd_open is missing")
    confinement = Confinement.parse(uri.parameter("run_as"), uri.parameter("cgroup"))
    driver = QemuDriver(uri, context, DomainDirectory(root_of(uri), confinement))
    try:
        driver.begin()
    except BaseException:
        driver.close()
        raise
    return driver


class QemuDriver(Driver):
    """Runs the domains of one directory.

    Args:
        uri: The resolved URI.
        context: The loop and the clock.
        directory: The directory, locked; closed with the driver.
    """

    name: ClassVar[str] = "qemu"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.DEFINE,
            Capability.UNDEFINE,
            Capability.CREATE,
            Capability.START,
            Capability.SUSPEND,
            Capability.RESUME,
            Capability.SHUTDOWN,
            Capability.REBOOT,
            Capability.RESET,
            Capability.DESTROY,
            Capability.SAVE,
            Capability.RESTORE,
            Capability.MANAGED_SAVE,
            Capability.MANAGED_SAVE_REMOVE,
            Capability.RENAME,
            Capability.CORE_DUMP,
            Capability.SET_AUTOSTART,
            Capability.PM_SUSPEND,
            Capability.PM_WAKEUP,
        }
    )

    def __init__(
        self, uri: ConnectionUri, context: DriverContext, directory: DomainDirectory
    ) -> None:
        super().__init__(uri, context)
        self._estate: Final = Estate(uri, context, directory, self.state)
        self._saves: Final = ManagedSaves(directory.root / "save")
        self._autostarts: Final = KeptFiles(directory.root / "autostart")
        self._definitions: Final = Definitions(self._estate, self._saves, self._autostarts)
        self._starting: Final = Starting(self._estate)
        self._controls: Final = Controls(self._estate)
        self._saving: Final = Saving(self._estate, self._starting, self._saves)
        self._dumping: Final = Dumping(self._estate, directory.root / "dump")
        self._estate.auto_dump = self._dumping.dump_automatically
        self._sleeping: Final = Sleeping(self._estate)
        self._taking_up: Final = TakingUp(self._estate)
        self._autostart: Final = Autostart(self._estate, self._autostarts, self.start)

    def begin(self) -> None:
        """Load the definitions, take up what runs, begin to start what is to be autostarted.

        Before anybody else has the driver.

        Raises:
            LoopStoppedError: The loop has ended.
            OSError: The directory cannot be read.
        """
        for definition in self._estate.directory.definitions():
            self._load(definition)
        self._taking_up.take_up()
        self._estate.sweeper.watch_logs(self._estate.directory.logs)
        self._saving.settle()
        self._autostart.begin()

    async def _see_off(self) -> None:
        """Wait until nothing of the monitors is left on the loop."""
        if self._estate.leaving:
            await asyncio.wait(self._estate.leaving)

    def _load(self, definition: DomainDefinition) -> None:
        try:
            with self._estate.domains.coming(definition, _persistent):
                pass
        except VireventsError as error:
            _log.error("a definition is left alone: %s", error)

    def close(self) -> None:
        """Let every QEMU go on without us, then the directory go."""
        self._estate.close()
        deadline = monotonic() + _CLOSE_WITHIN
        runs = [run for domain in self._estate.domains.snapshot() if (run := run_of(domain))]
        try:
            self._estate.on_loop(lambda: _detach(runs), "letting QEMUs go", _CLOSE_WITHIN)
        except (LoopStoppedError, OperationTimeoutError):
            _log.exception("%s: not every QEMU was let go", self.uri)
        for run in runs:
            if not run.ended.wait(max(0.0, deadline - monotonic())):
                _log.error("gave up waiting for %s", run.ended.name)
        with suppress(LoopStoppedError, OperationTimeoutError):  # said above, if it is so
            within = max(0.1, deadline - monotonic())
            self._estate.on_loop(self._see_off, "the end of the monitors", within)
        if not self._autostart.wait(max(0.0, deadline - monotonic())):
            _log.error("%s: gave up waiting for the autostart", self.uri)
        if not self._estate.wait_for_dumps(max(0.0, deadline - monotonic())):
            _log.error("%s: gave up waiting for dumps", self.uri)
        self.state.close()
        if not self._estate.sweeper.stop(max(0.1, deadline - monotonic())):
            _log.error("%s: gave up waiting for files to be removed", self.uri)
        self._estate.directory.close()

    # Looking.

    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        """List the domains, in the order in which they came."""
        return [
            domain.identity
            for domain in self._estate.domains.snapshot()
            if active is None or domain.is_active is active
        ]

    def lookup_name(self, name: str) -> DomainIdentity:
        """Find a domain by its name."""
        return self._estate.domains.by_name(name).identity

    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        """Find a domain by its uuid."""
        return self._estate.domains.by_uuid(uuid).identity

    def lookup_id(self, domain_id: int) -> DomainIdentity:
        """Find a running domain by its id."""
        return self._estate.domains.by_id(domain_id).identity

    def domain_state(self, uuid: str) -> StateAndReason:
        """Return what QEMU last told; it is not asked."""
        domain = self._estate.domains.by_uuid(uuid)
        with domain.lock:
            return domain.state

    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return the definition that the domain runs by, or that of the next start."""
        domain = self._estate.domains.by_uuid(uuid)
        with domain.lock:
            definition = domain.next_definition if inactive else domain.definition
            domain_id, run = domain.identity.id, None if inactive else domain.run
        live = None if run is None else LiveFacts(id=domain_id, told=run.live.told)
        return to_xml(definition, live=live)

    def is_persistent(self, uuid: str) -> bool:
        """Tell whether the domain has a file."""
        domain = self._estate.domains.by_uuid(uuid)
        with domain.lock:
            return domain.is_persistent

    def has_managed_save(self, uuid: str) -> bool:
        """Tell whether the next start restores a saved state."""
        self._estate.domains.by_uuid(uuid)
        return self._saves.has(uuid)

    def is_autostarted(self, uuid: str) -> bool:
        """Tell whether the domain is started at the first opening after the host's boot."""
        return self._definitions.is_autostarted(uuid)

    # Operations, each kind in its module.

    def define(self, xml: str) -> DomainIdentity:
        """Write the definition; of a running domain it holds from the next start on."""
        return self._definitions.define(xml)

    def undefine(
        self, uuid: str, *, managed_save: bool = False, nvram: NvramFate | None = None
    ) -> None:
        """Remove the definition; a running domain goes on until it stops."""
        self._definitions.undefine(uuid, managed_save=managed_save, nvram=nvram)

    def rename(self, uuid: str, name: str) -> None:
        """Give an inactive domain another name."""
        self._definitions.rename(uuid, name)

    def set_autostart(self, uuid: str, *, is_on: bool) -> None:
        """Have a persistent domain started at the first opening after the host's boot."""
        self._definitions.set_autostart(uuid, is_on=is_on)

    def create(
        self,
        xml: str,
        mode: StartMode = StartMode.RUNNING,
        *,
        autodestroy_owner: object | None = None,
    ) -> DomainIdentity:
        """Start a domain that is gone when it stops; an inactive one of that name may be used."""
        return self._starting.create(xml, mode, autodestroy_owner=autodestroy_owner)

    def start(
        self,
        uuid: str,
        mode: StartMode = StartMode.DEFAULT,
        *,
        force_boot: bool = False,
        autodestroy_owner: object | None = None,
    ) -> None:
        """Start QEMU; returns once the guest runs, or is over already."""
        self._saving.start(uuid, mode, force_boot=force_boot, autodestroy_owner=autodestroy_owner)

    def suspend(self, uuid: str) -> None:
        """Stop the processors; the domain is paused when this returns."""
        self._controls.suspend(uuid)

    def resume(self, uuid: str) -> None:
        """Let the processors run; the domain is running when this returns."""
        self._controls.resume(uuid)

    def shutdown(self, uuid: str, *, timeout: float | None = None, force: bool = False) -> None:
        """Press the power button; an end, if any, comes by the guest's doing."""
        self._controls.shutdown(uuid, timeout=timeout, force=force)

    def reset(self, uuid: str) -> None:
        """Reset the machine; a paused domain stays paused."""
        self._controls.reset(uuid)

    def destroy(self, uuid: str, *, graceful: bool = False) -> None:
        """Stop the domain now: SIGTERM, and SIGKILL if QEMU does not obey within 5 s."""
        self._controls.destroy(uuid, graceful=graceful)

    def destroy_owned(self, owner: object) -> None:
        """Destroy what was started with this owner."""
        self._controls.destroy_owned(owner)

    def reboot(self, uuid: str) -> None:
        """Press the power button and make a reboot of the power-off that follows."""
        self._controls.reboot(uuid)

    def save(self, uuid: str, path: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Save the running state to a file and stop."""
        self._saving.save(uuid, path, mode)

    def restore(self, path: str, mode: StartMode = StartMode.DEFAULT) -> DomainIdentity:
        """Start a domain from a file that ``save`` wrote."""
        return self._saving.restore(path, mode)

    def managed_save(self, uuid: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Save the running state where the next start finds it, and stop."""
        self._saving.managed_save(uuid, mode)

    def managed_save_remove(self, uuid: str) -> None:
        """Throw the managed save away, so that the next start boots."""
        self._saving.managed_save_remove(uuid)

    def core_dump(self, uuid: str, path: str, mode: CoreDumpMode = CoreDumpMode.PAUSE) -> None:
        """Write the guest's memory to a file, as an ELF core."""
        self._dumping.core_dump(uuid, path, mode)

    def pm_suspend(self, uuid: str, mode: SleepMode) -> None:
        """Ask the guest, by its agent, to go to sleep; it sleeps when this returns."""
        self._sleeping.pm_suspend(uuid, mode)

    def pm_wakeup(self, uuid: str) -> None:
        """Wake a guest that sleeps."""
        self._controls.pm_wakeup(uuid)


async def _detach(runs: list[QemuRun]) -> None:
    await asyncio.gather(*(run.detach() for run in runs))


def _persistent(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=True)
