# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starting: from a definition to a QEMU whose guest runs.

It stands apart because a start has the most ways to fail, and each must leave the domain off and
nothing behind.

Locking:
    A call takes the domain's turn and waits under it for the disk, the new process and the loop
    thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_starting.py``:
    nothing_behind  a start that fails leaves neither process, socket nor descriptor
    says_why        its error carries what QEMU printed
"""

from contextlib import ExitStack
from typing import Final

from virevents.definition import DomainDefinition
from virevents.drivers.base import StartMode
from virevents.drivers.qemu.arguments import Prepared, prepared
from virevents.drivers.qemu.definitions import accept
from virevents.drivers.qemu.estate import Estate, disk, invalid, run_of
from virevents.drivers.qemu.launching import Launched, Plan, launch
from virevents.drivers.qemu.process import describe_exit, log_tail
from virevents.drivers.qemu.run import QemuDomain, QemuRun, Startup
from virevents.drivers.qemu.status import RunFolder
from virevents.errors import (
    ClosedError,
    LoopStoppedError,
    MonitorError,
    StartError,
    VireventsError,
)
from virevents.model import DomainIdentity, DomainState, ShutoffReason, StateAndReason

__all__ = ["Starting"]

# How long a killed QEMU may take to be gone.
_GONE_WITHIN: Final = 15.0
_STATE_READ_WITHIN: Final = 86400.0


class Starting:
    """The operations that start a domain.

    Args:
        estate: What they share with the others.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def create(
        self, xml: str, mode: StartMode, *, autodestroy_owner: object | None
    ) -> DomainIdentity:
        """See ``Driver.create``."""
        definition = accept(xml)
        startup = Startup(is_paused=mode is StartMode.PAUSED)
        with self._estate.coming(definition, _transient) as (domain, _):
            self.bring_up(domain, definition, startup, owner=autodestroy_owner)
            return domain.identity

    def bring_up(
        self,
        domain: QemuDomain,
        definition: DomainDefinition,
        startup: Startup,
        *,
        owner: object | None = None,
    ) -> None:
        """Start *domain*, whose turn is held, and see it as *startup* wants it, or over.

        Args:
            domain: What is to run.
            definition: What it is to run by.
            startup: How it begins.
            owner: Whose end destroys it.

        Raises:
            StateError: It runs already.
            StartError: QEMU did not come so far; nothing is left of it.
            HostError: The disk or the system refused.
            VireventsError: What ``startup.incoming`` raises.
        """
        if run_of(domain) is not None:
            raise invalid(domain, "domain is already running", "an inactive domain")
        try:
            self._launch_and_boot(domain, definition, startup, owner)
        except VireventsError:
            _note_failure(domain)
            raise

    def _launch_and_boot(
        self,
        domain: QemuDomain,
        definition: DomainDefinition,
        startup: Startup,
        owner: object | None,
    ) -> None:
        estate = self._estate
        domain_id = estate.next_id()
        with ExitStack() as held:
            with disk(f"could not start {definition.name}"):
                # Its taps and ports are ours until QEMU has them, so to the end of its boot.
                ready = held.enter_context(
                    prepared(
                        definition,
                        variables=estate.directory.variables,
                        confinement=estate.directory.confinement,
                    )
                )
                launched = launch(
                    estate.directory,
                    domain_id,
                    ready.definition,
                    lambda *given: _plan(ready, startup, *given),
                    is_autodestroyed=owner is not None,
                )
            with ExitStack() as undo:
                undo.callback(launched.undo)
                run = QemuRun(domain, launched, estate)
                run.live.add(ready.told)
                undo.pop_all()
            try:
                estate.begin_run(
                    domain, lambda: domain.begin_locked(run, launched.definition, domain_id, owner)
                )
            except ClosedError:
                launched.undo()
                raise
            self._boot(run, launched, startup)

    def _boot(self, run: QemuRun, launched: Launched, startup: Startup) -> None:
        name = launched.definition.name
        try:
            self._estate.on_loop(
                lambda: run.boot(launched.monitor, startup),
                f"the start of domain {name}",
                # A state takes as long as it is large; a QEMU that hangs ends the wait for it.
                within=None if startup.incoming is None else _STATE_READ_WITHIN,
            )
        except LoopStoppedError:
            launched.process.abandon()
            raise
        except MonitorError as error:
            run.ended.wait(_GONE_WITHIN)
            raise self._start_failure(run, launched.definition, error) from error
        except VireventsError:
            run.ended.wait(_GONE_WITHIN)
            raise

    def _start_failure(
        self, run: QemuRun, definition: DomainDefinition, error: VireventsError
    ) -> StartError:
        printed = log_tail(self._estate.directory.log_path(definition.uuid))
        ended = describe_exit(run.exit_status) if run.ended.is_open else "it has not ended yet"
        words = f"could not start domain {definition.name}: {error}; QEMU: {ended}"
        return StartError(f"{words}: {printed}" if printed else words)


def _note_failure(domain: QemuDomain) -> None:
    """libvirt: a start that failed is why the domain is off, however far it came."""
    with domain.lock:
        if domain.run is None:
            domain.state = StateAndReason(DomainState.SHUTOFF, ShutoffReason.FAILED)


def _plan(ready: Prepared, startup: Startup, folder: RunFolder, monitor_descriptor: int) -> Plan:
    arguments, descriptors = ready.command_line(
        monitor_descriptor=monitor_descriptor,
        channels=folder.channels,
        is_incoming=startup.incoming is not None,
    )
    return Plan(arguments=arguments, descriptors=descriptors, definition=ready.definition)


def _transient(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=False)
