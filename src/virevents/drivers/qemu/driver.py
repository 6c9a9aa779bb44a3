# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver, first form: ``qemu:///embed?root=DIR``, domains run by this very process.

Each running domain is a real QEMU, a child of this process. The definitions are on disk and
outlast the driver. In this form running domains do not: `QemuDriver.close` ends them.

Here is what a call does, step by step; what QEMU does is in ``run``.

Locking:
    ``_lock`` (DRIVER, an owner) guards the next id. A modifying call takes the domain's turn,
    then waits under it for the disk and the loop thread only. `destroy` takes no turn: it notes
    its cause and kills, so it never waits behind a call that hangs.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_driver.py``:
    golden           every operation makes libvirt's sequence of events
    durable          a definition is there when the directory is opened again
    nothing_left     after `close` there is no process, zombie, socket or descriptor
    destroy_at_once  `destroy` ends a domain whose QEMU hangs in another call
    absent_is_absent a domain that went while a call waited for its turn is not found
"""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import ClassVar, Final

from virevents.clock import monotonic
from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.drivers.base import Capability, Driver, DriverContext, StartMode
from virevents.drivers.domains import DomainList
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.command_line import (
    check_supported,
    find_emulator,
    make_command_line,
)
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.embed import root_of
from virevents.drivers.qemu.process import QemuProcess, describe_exit, log_tail, spawn
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.drivers.uri import ConnectionUri
from virevents.errors import (
    ClosedError,
    LoopStoppedError,
    OperationFailedError,
    OperationTimeoutError,
    StateError,
    UnsupportedError,
    VireventsError,
)
from virevents.model import (
    DefinedDetail,
    DomainIdentity,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    StateAndReason,
    StoppedDetail,
    UndefinedDetail,
)
from virevents.sync import DRIVER, RankedLock

__all__ = ["QemuDriver", "open_embedded"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# Longer than the deadlines of the steps within, which tell better what was waited for.
_CALL_WITHIN: Final = 75.0
# How long QEMU may take to obey SIGTERM before it is killed: in `destroy`, and in `close`.
_DESTROY_PATIENCE: Final = 5.0
_CLOSE_PATIENCE: Final = 2.0
# How long a killed QEMU may take to be gone.
_GONE_WITHIN: Final = 15.0
_CLOSE_WITHIN: Final = 5.0


def open_embedded(uri: ConnectionUri, context: DriverContext) -> "QemuDriver":
    """Open the driver of a resolved ``qemu:///embed`` URI.

    Raises:
        OpenError: Another process, or another driver in this one, has the directory.
        UnsupportedError: The system has no pidfds (they came with Linux 5.3).
        OSError: The directory cannot be used.
    """
    if not hasattr(os, "pidfd_open"):
        raise UnsupportedError("the qemu driver needs Linux 5.3 or newer: os.pidfd_open is missing")
    return QemuDriver(uri, context, DomainDirectory(root_of(uri)))


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
            Capability.RESET,
            Capability.DESTROY,
        }
    )

    def __init__(
        self, uri: ConnectionUri, context: DriverContext, directory: DomainDirectory
    ) -> None:
        super().__init__(uri, context)
        self._directory: Final = directory
        self._domains: Final[DomainList[QemuDomain]] = DomainList()
        self._lock: Final = RankedLock(DRIVER)
        self._last_id = 0  # guarded by _lock
        self._is_closed = False  # one way: False to True, read without
        for definition in directory.definitions():
            self._load(definition)

    def _load(self, definition: DomainDefinition) -> None:
        try:
            with self._domains.coming(definition, _persistent):
                pass
        except VireventsError as error:
            _log.error("a definition is left alone: %s", error)

    def close(self) -> None:
        """End every QEMU (SIGTERM, then SIGKILL), then let the directory go."""
        self._is_closed = True
        deadline = monotonic() + _CLOSE_WITHIN
        runs = [run for domain in self._domains.snapshot() if (run := _run_of(domain))]
        try:
            for run in runs:
                self._begin_destroy(run, _CLOSE_PATIENCE)
        except LoopStoppedError:
            _log.exception("%s: the loop stopped before its driver was closed", self.uri)
        for run in runs:
            if not run.ended.wait(max(0.0, deadline - monotonic())):
                _log.error("gave up waiting for %s", run.ended.name)
        self.state.close()
        self._directory.close()

    # Looking.

    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        """List the domains, in the order in which they came."""
        return [
            domain.identity
            for domain in self._domains.snapshot()
            if active is None or domain.is_active is active
        ]

    def lookup_name(self, name: str) -> DomainIdentity:
        """Find a domain by its name."""
        return self._domains.by_name(name).identity

    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        """Find a domain by its uuid."""
        return self._domains.by_uuid(uuid).identity

    def lookup_id(self, domain_id: int) -> DomainIdentity:
        """Find a running domain by its id; ids are given anew each time the driver is opened."""
        return self._domains.by_id(domain_id).identity

    def domain_state(self, uuid: str) -> StateAndReason:
        """Return what QEMU last told; it is not asked."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.state

    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return the definition that the domain runs by, or that of the next start."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            definition = domain.next_definition if inactive else domain.definition
            domain_id = domain.identity.id if domain.is_active and not inactive else None
        return to_xml(definition, id=domain_id)

    def is_persistent(self, uuid: str) -> bool:
        """Tell whether the domain has a file."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.is_persistent

    def has_managed_save(self, uuid: str) -> bool:
        """Tell that there is none: this form cannot save."""
        self._domains.by_uuid(uuid)
        return False

    # Coming and going.

    def define(self, xml: str) -> DomainIdentity:
        """Write the definition; of a running domain it holds from the next start on."""
        definition = self._accept(xml)
        with self._domains.coming(definition, _persistent) as (domain, is_new):
            self.state.make_room()
            with _disk(f"could not write the definition of {definition.name}"):
                self._directory.save(definition)
            with domain.lock:
                is_update = domain.is_persistent and not is_new
                domain.is_persistent = True
                domain.next_definition = definition
                if not domain.is_active:
                    domain.set_definition_locked(definition)
                detail = DefinedDetail.UPDATED if is_update else DefinedDetail.ADDED
                self._push_locked(domain, Lifecycle.DEFINED, detail)
                return domain.identity

    def undefine(self, uuid: str) -> None:
        """Remove the definition; a running domain goes on until it stops."""
        with self._turn(uuid) as domain:
            if not self.is_persistent(uuid):
                raise _invalid(domain, "cannot undefine transient domain", "a persistent domain")
            with _disk(f"could not remove the definition of {domain.identity.name}"):
                self._directory.remove(uuid)
            with domain.lock:
                domain.is_persistent = False
                self._push_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED)
                domain.is_removed = not domain.is_active
            if domain.is_removed:
                self._domains.remove(domain)

    def create(self, xml: str, mode: StartMode = StartMode.RUNNING) -> DomainIdentity:
        """Start a domain that is gone when it stops; an inactive one of that name may be used."""
        definition = self._accept(xml)
        with self._domains.coming(definition, _transient) as (domain, _):
            self._start(domain, definition, mode)
            return domain.identity

    def start(self, uuid: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Start QEMU; returns once the guest runs, or is over already."""
        with self._turn(uuid) as domain:
            with domain.lock:
                definition = domain.next_definition
            self._start(domain, definition, mode)

    # A running domain.

    def suspend(self, uuid: str) -> None:
        """Stop the processors; the domain is paused when this returns."""
        with self._turn(uuid) as domain:
            run, state = self._active_run(domain), _state_of(domain)
            if state is DomainState.PAUSED:
                return
            if state is not DomainState.RUNNING:
                raise _invalid(domain, f"domain is {state}", "a running domain")
            self._execute(run, "stop")

    def resume(self, uuid: str) -> None:
        """Let the processors run; the domain is running when this returns."""
        with self._turn(uuid) as domain:
            run, state = self._active_run(domain), _state_of(domain)
            if state is not DomainState.PAUSED:
                already = "already " if state is DomainState.RUNNING else ""
                raise _invalid(domain, f"domain is {already}{state}", "a paused domain")
            self._execute(run, "cont")

    def shutdown(self, uuid: str) -> None:
        """Press the power button; an end, if any, comes by the guest's doing."""
        with self._turn(uuid) as domain:
            self._execute(self._active_run(domain), "system_powerdown")

    def reset(self, uuid: str) -> None:
        """Reset the machine; a paused domain stays paused."""
        with self._turn(uuid) as domain:
            self._execute(self._active_run(domain), "system_reset")

    def destroy(self, uuid: str) -> None:
        """Stop the domain now: SIGTERM, and SIGKILL if QEMU does not obey within 5 s."""
        self.state.make_room()
        domain = self._domains.by_uuid(uuid)
        run = self._active_run(domain)
        self._begin_destroy(run, _DESTROY_PATIENCE)
        if not run.ended.wait(_GONE_WITHIN):
            raise OperationTimeoutError(f"{run.ended.name} took longer than {_GONE_WITHIN:g} s")
        if run.verdict is not None and run.verdict.detail is not StoppedDetail.DESTROYED:
            # It ended by itself before; whoever comes second has done nothing.
            raise _invalid(domain, "domain is not running", "a running domain")

    # How it is done.

    def _accept(self, xml: str) -> DomainDefinition:
        definition = parse_definition(xml)
        check_supported(definition)
        find_emulator(definition)
        return definition

    @contextmanager
    def _turn(self, uuid: str) -> Iterator[QemuDomain]:
        domain = self._domains.by_uuid(uuid)
        with domain.turn:
            self._domains.check_present(domain)
            self.state.make_room()
            yield domain

    def _active_run(self, domain: QemuDomain) -> QemuRun:
        run = _run_of(domain)
        if run is None:
            raise _invalid(domain, "domain is not running", "a running domain")
        return run

    def _push_locked(
        self, domain: QemuDomain, event: Lifecycle, detail: DefinedDetail | UndefinedDetail
    ) -> None:
        now = self.context.clock.time()
        self.state.push(LifecycleEvent.from_object(domain, event, detail, now))

    def _start(self, domain: QemuDomain, definition: DomainDefinition, mode: StartMode) -> None:
        """Start *domain*, whose turn is held, and see it running or gone."""
        if _run_of(domain) is not None:
            raise _invalid(domain, "domain is already running", "an inactive domain")
        with _disk(f"could not start {definition.name}"):
            process, monitor = self._spawn(definition)
        run = QemuRun(domain, process, self._domains, self.state, self.context)
        try:
            self._begin(domain, run, definition)
        except ClosedError:
            monitor.close()
            process.abandon()
            raise
        try:
            self.context.loop.run(
                lambda: run.boot(monitor, paused=mode is StartMode.PAUSED),
                timeout=_CALL_WITHIN,
                what=f"the start of domain {definition.name}",
            )
        except LoopStoppedError:
            process.abandon()
            raise
        except VireventsError as error:
            run.ended.wait(_GONE_WITHIN)
            raise self._start_failure(run, definition, error) from error

    def _spawn(self, definition: DomainDefinition) -> tuple[QemuProcess, socket.socket]:
        """Start QEMU and return it with our end of its monitor, whose socket's name is gone."""
        path = self._directory.socket_path(definition.uuid)
        emulator = find_emulator(definition)
        with closing(sockets.listen(path)) as listener:
            try:
                monitor = sockets.connect(path)
            finally:
                path.unlink()
            number = listener.fileno()
            arguments = make_command_line(definition, emulator=emulator, monitor_descriptor=number)
            log = self._directory.log_path(definition.uuid)
            try:
                return spawn(arguments, descriptors=[number], log=log), monitor
            except (OSError, VireventsError):
                monitor.close()
                raise

    def _begin(self, domain: QemuDomain, run: QemuRun, definition: DomainDefinition) -> None:
        with self._lock:
            self._last_id += 1
            domain_id = self._last_id
        with domain.lock:
            # `close` sets the flag, then looks for runs: either it sees this one or we see it.
            if self._is_closed:
                raise ClosedError(f"{self.uri} is closed")
            domain.begin_locked(run, definition, domain_id)

    def _start_failure(
        self, run: QemuRun, definition: DomainDefinition, error: VireventsError
    ) -> OperationFailedError:
        printed = log_tail(self._directory.log_path(definition.uuid))
        ended = describe_exit(run.exit_status) if run.ended.is_open else "it has not ended yet"
        words = f"could not start domain {definition.name}: {error}; QEMU: {ended}"
        return OperationFailedError(f"{words}: {printed}" if printed else words)

    def _execute(self, run: QemuRun, command: str) -> None:
        self.context.loop.run(
            lambda: run.execute(command),
            timeout=_CALL_WITHIN,
            what=f"the monitor command {command}",
        )

    def _begin_destroy(self, run: QemuRun, patience: float) -> None:
        self.context.loop.call(lambda: run.destroy(patience))


def _persistent(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=True)


def _transient(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=False)


def _run_of(domain: QemuDomain) -> QemuRun | None:
    with domain.lock:
        return domain.run


def _state_of(domain: QemuDomain) -> DomainState:
    with domain.lock:
        return domain.state.state


def _invalid(domain: QemuDomain, what: str, required: str) -> StateError:
    return StateError(
        f"Requested operation is not valid: {what}",
        state=str(_state_of(domain)),
        required=required,
    )


@contextmanager
def _disk(what: str) -> Iterator[None]:
    """Tell an error of the disk as the failure of *what*."""
    try:
        yield
    except OSError as error:
        raise OperationFailedError(f"{what}: {error}") from error
