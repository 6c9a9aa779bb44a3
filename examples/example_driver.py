# SPDX-License-Identifier: LGPL-2.1-or-later
"""A complete driver: domains that are defined, started, suspended, resumed, destroyed, undefined.

``docs/drivers.md`` walks through it, by the numbers in its comments. Its hypervisor does
nothing; where a real one would be spoken to stands ``self._hypervisor_does(...)``. It passes the
conformance kit (``tests/examples/test_example_driver.py``).

Run it to see a domain's life: ``python examples/example_driver.py``.

Locking:
    As every driver: turn, then the domain's lock; the event is pushed under it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final, cast

import virevents
from virevents.definition import DomainDefinition, parse_definition, to_xml
from virevents.drivers import (
    DRIVERS,
    Capability,
    ConnectionUri,
    DomainList,
    DomainObject,
    Driver,
    DriverContext,
    DriverFactory,
    NvramFate,
    StartMode,
)
from virevents.errors import StateError, UnsupportedArgumentError
from virevents.model import (
    INACTIVE_ID,
    Cause,
    DefinedDetail,
    Detail,
    DomainIdentity,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    PausedReason,
    RequestedBy,
    ResumedDetail,
    RunningReason,
    ShutoffReason,
    StartedDetail,
    StateAndReason,
    StoppedDetail,
    SuspendedDetail,
    UndefinedDetail,
)
from virevents.sync import assert_held

__all__ = ["EXAMPLE", "ExampleDriver"]

_BY_CALL: Final = Cause(RequestedBy.CALL)  # this hypervisor does nothing unasked
_OFF: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
_BOOTED: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
_UNPAUSED: Final = StateAndReason(DomainState.RUNNING, RunningReason.UNPAUSED)
_PAUSED: Final = StateAndReason(DomainState.PAUSED, PausedReason.USER)
_DESTROYED: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.DESTROYED)


def _new(definition: DomainDefinition) -> DomainObject:
    return DomainObject(definition, _OFF, is_persistent=True)


class ExampleDriver(Driver):
    """Domains without a hypervisor."""

    name = "example"
    capabilities = frozenset(  # (1) what is not here is refused by the base class
        {
            Capability.DEFINE,
            Capability.UNDEFINE,
            Capability.START,
            Capability.SUSPEND,
            Capability.RESUME,
            Capability.DESTROY,
        }
    )

    def __init__(self, uri: ConnectionUri, context: DriverContext) -> None:
        super().__init__(uri, context)  # (2) makes self.state: queue, callbacks, flush
        self._domains: Final[DomainList[DomainObject]] = DomainList()
        self._ids: Final = count(1)

    # (3) look-ups: no turn; a loop thread may call them

    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        """List the domains."""
        listed = [domain.identity for domain in self._domains.snapshot()]
        return [one for one in listed if active is None or (one.id != INACTIVE_ID) is active]

    def lookup_name(self, name: str) -> DomainIdentity:
        """Find a domain by its name."""
        return self._domains.by_name(name).identity

    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        """Find a domain by its uuid."""
        return self._domains.by_uuid(uuid).identity

    def lookup_id(self, domain_id: int) -> DomainIdentity:
        """Find a running domain by its id."""
        return self._domains.by_id(domain_id).identity

    def domain_state(self, uuid: str) -> StateAndReason:
        """Return its state and reason."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.state

    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return its definition; this driver has one for both."""
        del inactive
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return to_xml(domain.definition)

    def is_persistent(self, uuid: str) -> bool:
        """Tell whether it stays when it stops."""
        domain = self._domains.by_uuid(uuid)
        with domain.lock:
            return domain.is_persistent

    def has_managed_save(self, uuid: str) -> bool:
        """Tell that it never has one."""
        self._domains.by_uuid(uuid)
        return False

    # (4) coming: the list gives the domain with its turn held, new or present

    def define(self, xml: str) -> DomainIdentity:
        """Define a domain, or update its definition."""
        self.state.make_room()  # (5) waits here, before anything is changed
        definition = parse_definition(xml)
        with self._domains.coming(definition, _new) as (domain, is_new), domain.lock:
            domain.set_definition_locked(definition)
            was_defined = domain.is_persistent and not is_new
            domain.is_persistent = True
            detail = DefinedDetail.UPDATED if was_defined else DefinedDetail.ADDED
            self._push_locked(domain, Lifecycle.DEFINED, detail)
            return domain.identity

    # (6) going: the last event, then is_removed, under the lock; then off the list

    def undefine(
        self, uuid: str, *, managed_save: bool = False, nvram: NvramFate | None = None
    ) -> None:
        """Remove the definition; a running domain goes on until it stops."""
        del managed_save, nvram  # it has neither, so there is nothing to throw away
        with self._in_turn(uuid) as domain:
            with domain.lock:
                domain.is_persistent = False
                self._push_locked(domain, Lifecycle.UNDEFINED, UndefinedDetail.REMOVED)
                domain.is_removed = not domain.is_active
            self._leave_if_removed(domain)

    # (7) changing: check, ask the hypervisor holding the turn alone, then change and push

    def start(
        self,
        uuid: str,
        mode: StartMode = StartMode.DEFAULT,
        *,
        force_boot: bool = False,
        autodestroy_owner: object | None = None,
    ) -> None:
        """Start a domain."""
        del force_boot  # it always boots
        if mode is StartMode.PAUSED or autodestroy_owner is not None:
            raise UnsupportedArgumentError("the example driver only starts a domain, no more")
        with self._in_turn(uuid) as domain:
            self._check(domain, DomainState.SHUTOFF)
            self._hypervisor_does("start", domain)
            with domain.lock:
                domain.set_id_locked(next(self._ids))
                domain.state = _BOOTED
                self._push_locked(domain, Lifecycle.STARTED, StartedDetail.BOOTED)

    def suspend(self, uuid: str) -> None:
        """Pause a running domain."""
        with self._in_turn(uuid) as domain:
            self._check(domain, DomainState.RUNNING)
            self._hypervisor_does("suspend", domain)
            with domain.lock:
                domain.state = _PAUSED
                self._push_locked(domain, Lifecycle.SUSPENDED, SuspendedDetail.PAUSED)

    def resume(self, uuid: str) -> None:
        """Let a paused domain run."""
        with self._in_turn(uuid) as domain:
            self._check(domain, DomainState.PAUSED)
            self._hypervisor_does("resume", domain)
            with domain.lock:
                domain.state = _UNPAUSED
                self._push_locked(domain, Lifecycle.RESUMED, ResumedDetail.UNPAUSED)

    def destroy(self, uuid: str, *, graceful: bool = False) -> None:
        """Stop a domain."""
        del graceful  # there is no process that could be killed
        with self._in_turn(uuid) as domain:
            self._check(domain, DomainState.RUNNING, DomainState.PAUSED)
            self._hypervisor_does("destroy", domain)
            with domain.lock:
                domain.set_id_locked(INACTIVE_ID)
                domain.state = _DESTROYED
                self._push_locked(domain, Lifecycle.STOPPED, StoppedDetail.DESTROYED)
                domain.is_removed = not domain.is_persistent
            self._leave_if_removed(domain)

    def close(self) -> None:
        """Let the hypervisor go; ``state`` last."""
        self.state.close()

    # what the operations have in common

    @contextmanager
    def _in_turn(self, uuid: str) -> Iterator[DomainObject]:
        self.state.make_room()
        domain = self._domains.by_uuid(uuid)
        with domain.turn:
            self._domains.check_present(domain)  # (8) it may have gone while we waited
            yield domain

    def _check(self, domain: DomainObject, *allowed: DomainState) -> None:
        with domain.lock:
            state = domain.state.state
        if state not in allowed:
            required = " or ".join(map(str, allowed))
            text = f"Requested operation is not valid: domain is {state}, not {required}"
            raise StateError(text, state=str(state), required=required)

    def _hypervisor_does(self, what: str, domain: DomainObject) -> None:
        """Stand in for a call that may take its time: the turn is held, no lock is."""

    def _push_locked(self, domain: DomainObject, event: Lifecycle, detail: Detail) -> None:
        assert_held(domain.lock)
        time = self.context.clock.time()
        self.state.push(LifecycleEvent.from_object(domain, event, detail, time, _BY_CALL))

    def _leave_if_removed(self, domain: DomainObject) -> None:
        if domain.is_removed:
            self._domains.remove(domain)


# (9) how it is opened; a driver of this project has its line in DRIVERS
EXAMPLE: Final = DriverFactory("example", resolve=lambda uri: uri, open=ExampleDriver)

_XML: Final = """
<domain type='test'><name>web1</name><uuid>7d5a3d2e-0c1f-4b6a-9a51-000077656231</uuid>
<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>
"""


def main() -> None:
    """Show a domain's life on this driver."""
    # A driver of this project has its line there; from outside, the table is for reading.
    cast("dict[str, DriverFactory]", DRIVERS)["example"] = EXAMPLE
    with (
        virevents.open("example:///here") as conn,
        conn.subscribe(lambda event: print(event.sequence, event.event, event.detail)),
    ):
        domain = conn.define(_XML)
        domain.start()
        domain.suspend()
        domain.destroy()
        domain.undefine()


if __name__ == "__main__":
    main()
