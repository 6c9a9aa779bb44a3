# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver: domains in memory, with the behaviour of libvirt's test driver.

It stands apart from the real drivers as the one that needs nothing: for trying things out, for
tests of what is built on virevents, and for measuring the way of an event alone.

Locking:
    As ``docs/concurrency.md`` says for every driver; see ``DomainList``.

Invariants, each with a test of its name in ``tests/drivers/test_driver/test_driver.py``:
    as_libvirt     the same calls give the same events, states, reasons and errors as libvirt's
    on_whose_wish  every event says that a call wanted it, and whether the guest could end in order
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar, Final

from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.drivers.base import (
    Capability,
    CoreDumpMode,
    Driver,
    DriverContext,
    NvramFate,
    StartMode,
)
from virevents.drivers.domains import DomainList
from virevents.drivers.test.domain import (
    PAUSED_BY_USER,
    RUNNING_BOOTED,
    RUNNING_RESTORED,
    RUNNING_UNPAUSED,
    SHUTOFF_CRASHED,
    SHUTOFF_DESTROYED,
    SHUTOFF_SAVED,
    TestDomain,
)
from virevents.drivers.test.images import read_image, write_dump, write_image
from virevents.drivers.test.life import BY_CALL, HARD, Life
from virevents.drivers.test.refusals import (
    check_active_locked,
    check_new_name,
    invalid,
    not_in_that_state,
    refuse_dump_mode,
    refuse_nvram,
    refuse_restore_mode,
    refuse_save_mode,
    refuse_start_flags,
)
from virevents.drivers.uri import ConnectionUri
from virevents.errors import DomainExistsError, DomainNotFoundError
from virevents.model import (
    INACTIVE_ID,
    DefinedDetail,
    DomainEvent,
    DomainIdentity,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    ResumedDetail,
    StartedDetail,
    StateAndReason,
    StoppedDetail,
    SuspendedDetail,
    UndefinedDetail,
)

__all__ = ["TestDriver"]

# Looked up once: these are on the path of every suspend and resume.
_SUSPENDED: Final = Lifecycle.SUSPENDED
_PAUSED: Final = SuspendedDetail.PAUSED
_RESUMED: Final = Lifecycle.RESUMED
_UNPAUSED: Final = ResumedDetail.UNPAUSED
_IS_RUNNING: Final = DomainState.RUNNING
_IS_PAUSED: Final = DomainState.PAUSED

_NOT_IN_LIBVIRTS: Final = frozenset({Capability.PM_SUSPEND, Capability.PM_WAKEUP})


def _not_found(what: str, value: object) -> DomainNotFoundError:
    del what, value  # libvirt's test driver says no more
    return DomainNotFoundError("Domain not found")


def _persistent(definition: DomainDefinition) -> TestDomain:
    return TestDomain(definition, is_persistent=True)


def _transient(definition: DomainDefinition) -> TestDomain:
    return TestDomain(definition, is_persistent=False)


class TestDriver(Driver):
    """Domains in memory; see ``virevents.drivers.Driver`` for the operations."""

    __test__ = False  # its name makes pytest look for tests in it

    name: ClassVar[str] = "test"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - _NOT_IN_LIBVIRTS

    def __init__(self, uri: ConnectionUri, context: DriverContext) -> None:
        super().__init__(uri, context)
        self._domains: Final[DomainList[TestDomain]] = DomainList(_not_found)
        self._time: Final = context.clock.time
        self._life: Final = Life(self.state, context.clock.time)

    def populate(self, definition: DomainDefinition, state: StateAndReason) -> None:
        """List a domain without an event; before anybody has the driver."""
        with self._domains.coming(definition, _persistent) as (domain, _), domain.lock:
            if state.state is DomainState.SHUTOFF:
                domain.state = state
            else:
                self._life.run_locked(domain, state)

    def inject(self, event: DomainEvent) -> int:
        """Push *event*, of any kind, as if a hypervisor had told it; for tests of what listens.

        A test that has a connection finds its driver so::

            driver = connection.reading()
            assert isinstance(driver, TestDriver)
            driver.inject(RebootEvent(DomainIdentity("web1", uuid, 7), time))

        No domain changes, and none need be there. Holding nothing.

        Args:
            event: An event that was not pushed before.

        Returns:
            Its sequence number.

        Raises:
            ClosedError: The driver is closed.
            LocalProtocolError: The event was pushed before.
        """
        self.state.make_room()
        return self.state.push(event)

    # -- looking

    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        """List the domains."""
        identities = [domain.identity for domain in self._domains.snapshot()]
        if active is None:
            return identities
        return [one for one in identities if (one.id != INACTIVE_ID) is active]

    def lookup_name(self, name: str) -> DomainIdentity:
        """Find a domain by its name."""
        return self._domains.by_name(name).identity

    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        """Find a domain by its canonical uuid."""
        return self._domains.by_uuid(uuid).identity

    def lookup_id(self, domain_id: int) -> DomainIdentity:
        """Find a running domain by its id."""
        return self._domains.by_id(domain_id).identity

    def domain_state(self, uuid: str) -> StateAndReason:
        """Return the state of a domain and how it came to it."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.state

    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return the definition as XML."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            is_live = domain.is_active and not inactive
            definition = domain.definition
            if not is_live and domain.next_definition is not None:
                definition = domain.next_definition
            domain_id = domain.identity.id if is_live else None
        return to_xml(definition, id=domain_id)

    def is_persistent(self, uuid: str) -> bool:
        """Tell whether the domain stays when it stops."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.is_persistent

    def has_managed_save(self, uuid: str) -> bool:
        """Tell whether the next start restores a saved state."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.has_managed_save

    def is_autostarted(self, uuid: str) -> bool:
        """Tell what `set_autostart` has said last."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.is_autostarted

    # -- the path of every event: written out, nothing that is not needed

    def suspend(self, uuid: str) -> None:
        """Pause the domain's processors; as libvirt's test driver, an error when it is paused."""
        self.state.make_room()
        domain = self._domains.by_uuid(uuid)
        with domain.turn:
            if domain.is_removed:
                self._domains.check_present(domain)
            with domain.lock:
                if domain.state[0] is not _IS_RUNNING:
                    raise not_in_that_state(
                        domain, f"domain '{domain.identity.name}' not running", "running"
                    )
                domain.state = PAUSED_BY_USER
                self.state.push(
                    LifecycleEvent(domain.identity, _SUSPENDED, _PAUSED, self._time(), 0, BY_CALL)
                )

    def resume(self, uuid: str) -> None:
        """Let a paused domain run."""
        self.state.make_room()
        domain = self._domains.by_uuid(uuid)
        with domain.turn:
            if domain.is_removed:
                self._domains.check_present(domain)
            with domain.lock:
                if domain.state[0] is not _IS_PAUSED:
                    raise not_in_that_state(
                        domain, f"domain '{domain.identity.name}' not paused", "paused"
                    )
                domain.state = RUNNING_UNPAUSED
                self.state.push(
                    LifecycleEvent(domain.identity, _RESUMED, _UNPAUSED, self._time(), 0, BY_CALL)
                )

    # -- coming and going

    def define(self, xml: str) -> DomainIdentity:
        """Define a domain; a running one takes the definition at its next start."""
        self.state.make_room()
        definition = parse_definition(xml)
        with self._domains.coming(definition, _persistent) as (domain, is_new), domain.lock:
            # As libvirt: what runs and was never defined has no definition to update yet.
            is_added = is_new or (domain.is_active and domain.next_definition is None)
            domain.is_persistent = True
            if domain.is_active:
                domain.next_definition = definition
            else:
                domain.set_definition_locked(definition)
            detail = DefinedDetail.ADDED if is_added else DefinedDetail.UPDATED
            self._life.tell_locked(domain, Lifecycle.DEFINED, detail)
            return domain.identity

    def undefine(
        self, uuid: str, *, managed_save: bool = False, nvram: NvramFate | None = None
    ) -> None:
        """Remove the definition; a running domain goes on and is transient from now on."""
        refuse_nvram(nvram)
        with self._in_turn(uuid) as domain:
            with domain.lock:
                if domain.has_managed_save and not managed_save:
                    text = "Refusing to undefine while domain managed save image exists"
                    raise invalid(domain, text, "no managed save")
                domain.is_persistent = False  # a transient one is no error, as libvirt has it
                self._life.tell_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED)
                domain.is_removed = not domain.is_active
            self._leave_if_removed(domain)

    def create(
        self,
        xml: str,
        mode: StartMode = StartMode.RUNNING,
        *,
        autodestroy_owner: object | None = None,
    ) -> DomainIdentity:
        """Start a domain that is gone when it stops; it has no flags, as libvirt's has none."""
        self.state.make_room()
        is_owned = autodestroy_owner is not None
        refuse_start_flags("testDomainCreateXML", mode, is_owned=is_owned)
        definition = parse_definition(xml)
        return self._start_from(definition, RUNNING_BOOTED, StartedDetail.BOOTED)

    def rename(self, uuid: str, name: str) -> None:
        """Give an inactive domain another name."""
        with self._in_turn(uuid) as domain:
            old = domain.identity
            with domain.lock:
                if domain.is_active:
                    raise invalid(domain, "cannot rename active domain", "shutoff")
                check_new_name(name)
                if old.name == name:
                    raise invalid(domain, "Can't rename domain to itself", "another name")
            try:
                self._domains.rename(domain, name)
            except DomainExistsError as error:
                text = f"domain with name '{name}' already exists"
                raise invalid(domain, text, "a name that is free") from error
            with domain.lock:
                self._life.tell_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.RENAMED)
                domain.set_definition_locked(replace(domain.definition, name=name))
                self._life.tell_locked(domain, Lifecycle.DEFINED, DefinedDetail.RENAMED)
            self._domains.forget_name(domain, old.name)

    # -- running and stopping

    def start(
        self,
        uuid: str,
        mode: StartMode = StartMode.DEFAULT,
        *,
        force_boot: bool = False,
        autodestroy_owner: object | None = None,
    ) -> None:
        """Start a defined domain; it has no flags, as libvirt's has none."""
        is_owned = autodestroy_owner is not None
        refuse_start_flags(
            "testDomainCreateWithFlags", mode, is_owned=is_owned, is_boot_forced=force_boot
        )
        with self._in_turn(uuid) as domain, domain.lock:
            if domain.is_active:
                text = f"Domain '{domain.identity.name}' is already running"
                raise not_in_that_state(domain, text, "shutoff")
            self._life.start_locked(domain, RUNNING_BOOTED, StartedDetail.BOOTED)

    def shutdown(self, uuid: str, *, timeout: float | None = None, force: bool = False) -> None:
        """Ask the guest to power off; it obeys at once, and ``<on_poweroff>`` says what follows."""
        del timeout, force  # it was off before this returns: there is nothing to wait for
        with self._in_turn(uuid) as domain:
            with domain.lock:
                if not domain.is_active:
                    text = f"domain '{domain.identity.name}' not running"
                    raise not_in_that_state(domain, text, "running")
                self._life.follow_locked(domain, domain.definition.on_poweroff)
            self._leave_if_removed(domain)

    def reboot(self, uuid: str) -> None:
        """Ask the guest to reboot; ``<on_reboot>`` says what follows, by default no event."""
        with self._in_turn(uuid) as domain:
            with domain.lock:
                check_active_locked(domain)
                self._life.follow_locked(domain, domain.definition.on_reboot)
            self._leave_if_removed(domain)

    def reset(self, uuid: str) -> None:
        """Reset the machine; no event and no other state, as in libvirt's test driver."""
        with self._in_turn(uuid) as domain, domain.lock:
            check_active_locked(domain)

    def destroy(self, uuid: str, *, graceful: bool = False) -> None:
        """Stop the domain now."""
        del graceful  # there is no process to ask or to kill
        with self._in_turn(uuid) as domain:
            with domain.lock:
                check_active_locked(domain)
                self._life.stop_locked(domain, SHUTOFF_DESTROYED, StoppedDetail.DESTROYED, HARD)
            self._leave_if_removed(domain)

    def core_dump(self, uuid: str, path: str, mode: CoreDumpMode = CoreDumpMode.PAUSE) -> None:
        """Write a file in the place of the guest's memory; it can crash the domain, no more."""
        refuse_dump_mode(mode)
        with self._in_turn(uuid) as domain:
            with domain.lock:
                check_active_locked(domain)
                definition = domain.definition
            write_dump(path, definition)
            if mode is CoreDumpMode.CRASH:
                with domain.lock:
                    self._life.stop_locked(domain, SHUTOFF_CRASHED, StoppedDetail.CRASHED, HARD)
                self._leave_if_removed(domain)

    # -- saving and restoring

    def save(self, uuid: str, path: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Save the definition to a file and stop."""
        refuse_save_mode(mode)
        with self._in_turn(uuid) as domain:
            with domain.lock:
                check_active_locked(domain)
                definition, domain_id = domain.definition, domain.identity.id
            write_image(path, definition, domain_id)
            with domain.lock:
                self._life.stop_locked(domain, SHUTOFF_SAVED, StoppedDetail.SAVED)
            self._leave_if_removed(domain)

    def restore(self, path: str, mode: StartMode = StartMode.DEFAULT) -> DomainIdentity:
        """Start a domain from a file that ``save`` wrote; it runs, also when it was paused."""
        self.state.make_room()
        refuse_restore_mode(mode)
        definition = read_image(path)
        return self._start_from(definition, RUNNING_RESTORED, StartedDetail.RESTORED)

    def managed_save(self, uuid: str, mode: StartMode = StartMode.DEFAULT) -> None:
        """Remember that there is a save, and stop; the next start boots and forgets it."""
        del mode  # accepted, and without effect, as libvirt's has it
        with self._in_turn(uuid) as domain, domain.lock:
            check_active_locked(domain)
            if not domain.is_persistent:
                text = "cannot do managed save for transient domain"
                raise invalid(domain, text, "persistent")
            domain.has_managed_save = True
            self._life.stop_locked(domain, SHUTOFF_SAVED, StoppedDetail.SAVED)

    def managed_save_remove(self, uuid: str) -> None:
        """Throw the managed save away; nothing happens when there is none."""
        with self._in_turn(uuid) as domain, domain.lock:
            domain.has_managed_save = False

    def set_autostart(self, uuid: str, *, is_on: bool) -> None:
        """Remember whether it is to be started with the host; a transient one is no error."""
        with self._in_turn(uuid) as domain, domain.lock:
            domain.is_autostarted = is_on

    def close(self) -> None:
        """Let all domains go; no event tells of it."""
        self.state.close()

    # -- what the operations have in common

    @contextmanager
    def _in_turn(self, uuid: str) -> Iterator[TestDomain]:
        self.state.make_room()
        domain = self._domains.by_uuid(uuid)
        with domain.turn:
            self._domains.check_present(domain)
            yield domain

    def _start_from(
        self, definition: DomainDefinition, state: StateAndReason, detail: StartedDetail
    ) -> DomainIdentity:
        with self._domains.coming(definition, _transient) as (domain, is_new), domain.lock:
            if not is_new and domain.is_active:
                text = f"domain '{domain.identity.name}' is already active"
                raise invalid(domain, text, "shutoff")
            if not is_new:  # it comes back to its own definition when it stops
                domain.next_definition = domain.definition
                domain.set_definition_locked(definition)
            self._life.start_locked(domain, state, detail)
            return domain.identity

    def _leave_if_removed(self, domain: TestDomain) -> None:
        if domain.is_removed:
            self._domains.remove(domain)
