# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saving a running domain to a file, and starting from such a file.

It stands apart from starting because a saved state is a guest in the middle of its life: it
must not get lost, and must not come to life twice.

The file is opened here and its descriptor handed to QEMU, which needs no right to the path. As in
libvirt, the guest is paused first, so that what is saved is one moment; whatever goes wrong until
the file is whole, the guest goes on as before.

Locking:
    A call takes the domain's turn and waits under it for the disk and the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_saving.py``:
    golden        every operation makes libvirt's sequence of events, states and reasons
    goes_on       a save that fails leaves the guest running as before, and no file
    not_lost      a restore that fails leaves the file, and the domain off
    not_twice     a managed save that was restored is gone
    as_libvirt    what libvirt refuses is refused with its number and its words
    at_once       `destroy` ends a domain that is being saved
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from virevents.clock import monotonic
from virevents.definition import DomainDefinition, to_xml
from virevents.drivers.base import StartMode
from virevents.drivers.qemu.definitions import accept
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.estate import Estate, disk, invalid, run_of
from virevents.drivers.qemu.image import (
    ImageHeader,
    ImageWriter,
    IncompleteImageError,
    open_image,
)
from virevents.drivers.qemu.managed import ManagedSaves
from virevents.drivers.qemu.migration import SAVE, job_parameters, load_from, save_to
from virevents.drivers.qemu.placing import check_place
from virevents.drivers.qemu.run import QemuDomain, QemuRun, Startup
from virevents.drivers.qemu.starting import Starting
from virevents.drivers.qemu.transitions import Phase
from virevents.errors import (
    MonitorError,
    MonitorTimeoutError,
    OperationFailedError,
    OperationTimeoutError,
    VireventsError,
)
from virevents.model import (
    DomainIdentity,
    DomainState,
    JobCompletedEvent,
    PausedReason,
    RunningReason,
    ShutoffReason,
    SuspendedDetail,
    TypedParams,
)

__all__ = ["Saving"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# The steps within end by themselves when QEMU hangs; this only bounds the wait for the loop.
_DAY: Final = 86400.0
# How long a QEMU that was asked to end, then killed, may take to be gone.
_GONE_WITHIN: Final = 15.0
_MS: Final = 1000


class Saving:
    """The operations that save and restore.

    Args:
        estate: What they share with the others.
        starting: Starts QEMUs.
        saves: The managed saves.
    """

    def __init__(self, estate: Estate, starting: Starting, saves: ManagedSaves) -> None:
        self._estate: Final = estate
        self._starting: Final = starting
        self._saves: Final = saves

    def settle(self) -> None:
        """Settle what a crash left of managed saves; once, before the driver is used.

        Every domain that runs must have been taken up.
        """
        for domain in self._estate.domains.snapshot():
            try:
                if self._saves.is_aside(domain.identity.uuid):
                    self._settle(domain)
            except OSError as error:
                _log.error("could not settle the save of %s: %s", domain.identity.name, error)

    def _settle(self, domain: QemuDomain) -> None:
        """Keep what is aside if no QEMU had the state after it, else remove it."""
        with domain.lock:
            state = domain.state
        # A restore that never ran leaves no reason; a save that was over, its own.
        is_only_one = state.state is DomainState.SHUTOFF and state.reason in {
            ShutoffReason.UNKNOWN,
            ShutoffReason.SAVED,
        }
        settle = self._saves.put_in_place if is_only_one else self._saves.drop_aside
        settle(domain.identity.uuid)

    # Saving.

    def save(self, uuid: str, path: str, mode: StartMode) -> None:
        """See ``Driver.save``."""
        check_place(path)
        with self._estate.turn(uuid) as domain:
            self._save(domain, path, mode, lambda: None)

    def managed_save(self, uuid: str, mode: StartMode) -> None:
        """See ``Driver.managed_save``."""
        with self._estate.turn(uuid) as domain:
            self._estate.active_run(domain)
            with domain.lock:
                is_persistent = domain.is_persistent
            if not is_persistent:
                text = "cannot do managed save for transient domain"
                raise invalid(domain, text, "a persistent domain")
            aside = str(self._saves.path_aside(uuid))
            self._save(domain, aside, mode, lambda: self._saves.put_in_place(uuid))

    def managed_save_remove(self, uuid: str) -> None:
        """See ``Driver.managed_save_remove``."""
        with self._estate.turn(uuid) as domain:
            name = domain.identity.name
            with disk(f"Failed to remove managed save file of {name}"):
                if not self._saves.has(uuid):
                    raise FileNotFoundError(2, "No such file or directory")
                self._saves.remove(uuid)

    def _save(
        self, domain: QemuDomain, path: str, mode: StartMode, put_in_place: Callable[[], None]
    ) -> None:
        """Save *domain*, whose turn is held; *put_in_place* once QEMU's state counts no more."""
        run = self._estate.active_run(domain)
        with domain.lock:
            was_running = domain.state.state is DomainState.RUNNING
            definition = domain.definition
        # "pc" is another machine tomorrow; what is saved is read by this one alone.
        machine = self._estate.on_loop(lambda: _machine_of(run), "the machine's name")
        xml = to_xml(replace(definition, machine=machine or definition.machine))
        is_running = was_running if mode is StartMode.DEFAULT else mode is StartMode.RUNNING
        job = _Job(self._estate, run, was_running=was_running)
        params = job.write(path, ImageHeader(xml, is_running))
        job.end(domain, params)
        with disk(f"could not keep the saved state of {domain.identity.name}"):
            put_in_place()
        if not run.ended.wait(_GONE_WITHIN):
            raise OperationTimeoutError(f"{run.ended.name} took longer than {_GONE_WITHIN:g} s")

    # Restoring.

    def start(
        self, uuid: str, mode: StartMode, *, force_boot: bool, autodestroy_owner: object | None
    ) -> None:
        """See ``Driver.start``."""
        with self._estate.turn(uuid) as domain:
            if run_of(domain) is not None:
                raise invalid(domain, "domain is already running", "an inactive domain")
            if self._saves.has(uuid):
                if force_boot:
                    with disk(f"could not remove the managed save of {domain.identity.name}"):
                        self._saves.remove(uuid)
                elif self._start_saved(domain, mode, autodestroy_owner):
                    return
            with domain.lock:
                definition = domain.next_definition
            startup = Startup(is_paused=mode is StartMode.PAUSED)
            self._starting.bring_up(domain, definition, startup, owner=autodestroy_owner)

    def _start_saved(self, domain: QemuDomain, mode: StartMode, owner: object | None) -> bool:
        """Start from the managed save; tell whether there was one to start from."""
        uuid, saves = domain.identity.uuid, self._saves
        try:
            with open_image(str(saves.path(uuid))) as (header, descriptor):
                definition = accept(header.xml)
                if definition.uuid != uuid:
                    raise OperationFailedError(
                        f"operation failed: the managed save is that of {definition.uuid}"
                    )
                suspended = (
                    SuspendedDetail.PAUSED if mode is StartMode.PAUSED else SuspendedDetail.RESTORED
                )
                image = _Image(definition, header.is_running, descriptor)
                with disk(f"could not start {definition.name}"):
                    saves.set_aside(uuid)
                try:
                    self._bring_up(domain, image, mode, suspended, owner)
                except VireventsError:
                    with disk(f"could not keep the managed save of {definition.name}"):
                        saves.put_in_place(uuid)
                    raise
                with disk(f"could not remove the managed save of {definition.name}"):
                    saves.drop_aside(uuid)
        except IncompleteImageError as error:
            # libvirt: nothing was saved, so there is nothing to lose by booting.
            _log.warning("the managed save of %s is ignored: %s", domain.identity.name, error)
            with disk(f"could not remove the managed save of {domain.identity.name}"):
                saves.remove(uuid)
            return False
        return True

    def restore(self, path: str, mode: StartMode) -> DomainIdentity:
        """See ``Driver.restore``."""
        check_place(path)
        with open_image(path) as (header, descriptor):
            image = _Image(accept(header.xml), header.is_running, descriptor)
            with self._estate.domains.coming(image.definition, _transient) as (domain, _):
                if run_of(domain) is not None:
                    text = f"domain '{domain.identity.name}' is already active"
                    raise invalid(domain, text, "an inactive domain")
                self._bring_up(domain, image, mode, SuspendedDetail.RESTORED, None)
                return domain.identity

    def _bring_up(
        self,
        domain: QemuDomain,
        image: "_Image",
        mode: StartMode,
        suspended: SuspendedDetail,
        owner: object | None,
    ) -> None:
        is_running = image.is_running if mode is StartMode.DEFAULT else mode is StartMode.RUNNING
        startup = Startup(
            is_paused=not is_running,
            incoming=lambda run: load_from(run, image.descriptor),
            suspended=suspended,
        )
        self._starting.bring_up(domain, image.definition, startup, owner=owner)


@dataclass(frozen=True, slots=True)
class _Image:
    """A saved state that was opened and checked.

    Attributes:
        definition: What the domain ran by.
        is_running: Whether it ran.
        descriptor: Stands at the state's first byte.
    """

    definition: DomainDefinition
    is_running: bool
    descriptor: int


class _Job:
    """One save, under the domain's turn, from the pause to the end of QEMU or of the pause.

    Args:
        estate: Has the loop.
        run: What is saved.
        was_running: Whether it runs and is to go on when the save fails.
    """

    def __init__(self, estate: Estate, run: QemuRun, *, was_running: bool) -> None:
        self._estate: Final = estate
        self._run: Final = run
        self._was_running: Final = was_running
        self._begun: Final = monotonic()

    def write(self, path: str, header: ImageHeader) -> TypedParams:
        """Have the state in the file *path*, whole; return the statistics.

        Raises:
            VireventsError: It could not be written; the guest goes on as before.
        """
        run, on_loop = self._run, self._estate.on_loop
        on_loop(self._begin, "the pause before the save")
        try:
            with ImageWriter(path, header) as writer:
                statistics = on_loop(
                    lambda: save_to(run, writer.descriptor), "the save", within=_DAY
                )
                writer.finish()
        except MonitorTimeoutError:
            raise  # it hangs: nothing more to be asked of it
        except MonitorError as error:
            self._go_on()
            raise OperationFailedError(f"operation failed: the save was broken off: {error}") from (
                error
            )
        except VireventsError:
            self._go_on()
            raise
        return job_parameters(statistics, SAVE, int((monotonic() - self._begun) * _MS))

    def end(self, domain: QemuDomain, params: TypedParams) -> None:
        """Tell of the save and end QEMU, whose state is in the file."""
        time = self._estate.context.clock.time()
        completed = JobCompletedEvent(domain.identity, params, time)

        async def conclude() -> None:
            self._run.life.has_job = False
            self._run.life.publish(completed)
            self._run.conclude_as(Sign.SAVED)

        self._estate.on_loop(conclude, "the end of the saved domain")

    async def _begin(self) -> None:
        if self._was_running:
            await self._run.stop(PausedReason.SAVE)
        else:
            self._expect_wakeup(is_expected=True)
        self._run.life.has_job = True

    def _expect_wakeup(self, *, is_expected: bool) -> None:
        """QEMU wakes a guest that sleeps before it saves it, and stops it; both are the call's."""
        life = self._run.life
        is_due = is_expected and life.phase is Phase.ASLEEP
        pause = PausedReason.SAVE if is_due else None
        life.ask(replace(life.asked, wake_up=is_due, pause=pause))

    def _go_on(self) -> None:
        """Let the guest go on; a QEMU that is gone, or going, is none of ours any more."""

        async def go_on() -> None:
            self._run.life.has_job = False
            self._expect_wakeup(is_expected=False)
            if self._was_running:
                await self._run.cont(RunningReason.SAVE_CANCELED)

        try:
            self._estate.on_loop(go_on, "the end of the save")
        except MonitorError as error:
            _log.error("a guest stays paused after a save that failed: %s", error)


def _transient(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=False)


async def _machine_of(run: QemuRun) -> str | None:
    """The name of QEMU's machine, with its version; None if it does not tell."""
    answer = await run.execute("qom-get", {"path": "/machine", "property": "type"})
    return answer.removesuffix("-machine") if isinstance(answer, str) else None
