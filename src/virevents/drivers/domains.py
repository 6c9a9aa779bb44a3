# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of domains that every driver shares, and the object that it lists.

It stands apart because coming and going are where drivers deadlock or swap events: the order of
steps is written here once.

Locking:
    ``DomainList._lock`` (DRIVER, an owner) guards the list; ``DomainObject.lock`` (DOMAIN, an
    owner) guards one domain's state; never both at once. ``DomainObject.turn`` (TURN) is taken
    holding nothing and serialises modifying calls on the domain.

    *Coming*: a domain is listed with its turn already held by who defines it, and who pushes the
    first event before letting the turn go; so nobody else's event can come first.
    *Going*: the last event is pushed and ``is_removed`` set under the domain's lock, in this
    order: ``is_removed`` is read without the lock, and who reads it may define anew and push at
    once. *Then* it leaves the list, if the list still holds this very object. Who meets a
    removed domain counts it as absent and, defining, replaces it.

Invariants, each with a test of its name in ``tests/drivers/test_domains.py``:
    unique          no two listed domains have one uuid or one name, removed ones aside
    listed_in_turn  a domain is listed only while its definer has its turn
    leaves_once     ``remove`` takes off this object, never its successor
    rechecked       who waited for a turn finds out that the domain went meanwhile
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

from virevents.definition import DomainDefinition
from virevents.errors import DomainExistsError, DomainNotFoundError
from virevents.model import INACTIVE_ID, DomainIdentity, StateAndReason
from virevents.sync import DOMAIN, DRIVER, TURN, Lock, RankedLock, assert_held

__all__ = ["DomainList", "DomainObject"]


class DomainObject:
    """One live domain of a driver in this process; a ``LiveDomain`` for events.

    A driver subclasses it for what it knows beyond this.

    Args:
        definition: Its definition now.
        state: Its state now.
        is_persistent: Whether it stays when it stops.
    """

    def __init__(
        self, definition: DomainDefinition, state: StateAndReason, *, is_persistent: bool
    ) -> None:
        self.turn: Final[Lock] = RankedLock(TURN)
        self.lock: Final[Lock] = RankedLock(DOMAIN)
        self.definition = definition  # guarded by lock
        self.state = state  # guarded by lock
        self.is_persistent = is_persistent  # guarded by lock
        self.is_removed = False  # one way: False to True under lock, read without
        # published: replaced whole under lock, read without (events share it)
        self.identity = DomainIdentity(definition.name, definition.uuid, INACTIVE_ID)

    def set_id_locked(self, domain_id: int) -> None:
        """Give the domain its id at the start, or -1 at the stop."""
        assert_held(self.lock)
        self.identity = DomainIdentity(self.identity.name, self.identity.uuid, domain_id)

    def set_definition_locked(self, definition: DomainDefinition) -> None:
        """Replace the definition, and with it the name; the uuid stays."""
        assert_held(self.lock)
        self.definition = definition
        self.identity = DomainIdentity(definition.name, definition.uuid, self.identity.id)

    @property
    def is_active(self) -> bool:
        """Whether it runs (paused counts as running)."""
        return self.identity.id != INACTIVE_ID


D = TypeVar("D", bound=DomainObject)


class _NotFound(Protocol):
    """Makes the error of a look-up that found nothing."""

    def __call__(self, what: str, value: object) -> DomainNotFoundError: ...


def not_found(what: str, value: object) -> DomainNotFoundError:
    """Return the error of a look-up by *what* (name, uuid, id)."""
    return DomainNotFoundError(f"Domain not found: no domain with matching {what} '{value}'")


class DomainList(Generic[D]):
    """The domains of one driver; safe from any thread.

    Args:
        not_found: Makes the error of a look-up that found nothing, for a driver whose words
            clients know.
    """

    def __init__(self, not_found: _NotFound = not_found) -> None:
        self._not_found: Final = not_found
        self._lock: Final = RankedLock(DRIVER)
        self._by_uuid: dict[str, D] = {}  # guarded by _lock
        self._by_name: dict[str, D] = {}  # guarded by _lock

    def snapshot(self) -> list[D]:
        """Return the domains listed now, removed ones aside, in the order of their coming."""
        with self._lock:
            listed = list(self._by_uuid.values())
        return [domain for domain in listed if not domain.is_removed]

    def by_uuid(self, uuid: str) -> D:
        """Find by canonical uuid; raises ``DomainNotFoundError``."""
        with self._lock:
            domain = self._by_uuid.get(uuid)
        if domain is None or domain.is_removed:
            raise self._not_found("uuid", uuid)
        return domain

    def by_name(self, name: str) -> D:
        """Find by name; raises ``DomainNotFoundError``."""
        with self._lock:
            domain = self._by_name.get(name)
        if domain is None or domain.is_removed:
            raise self._not_found("name", name)
        return domain

    def by_id(self, domain_id: int) -> D:
        """Find a running domain by id; raises ``DomainNotFoundError``."""
        for domain in self.snapshot():
            if domain_id != INACTIVE_ID and domain.identity.id == domain_id:
                return domain
        raise self._not_found("id", domain_id)

    def check_present(self, domain: D) -> None:
        """Refuse to go on with a domain that went; right after its turn was taken.

        Raises:
            DomainNotFoundError: It went while this thread waited for the turn.
        """
        if domain.is_removed:
            raise self._not_found("uuid", domain.identity.uuid)

    @contextmanager
    def coming(
        self, definition: DomainDefinition, make: Callable[[DomainDefinition], D]
    ) -> Iterator[tuple[D, bool]]:
        """Take the turn of the domain that *definition* names; list a new one if there is none.

        The block does the change and pushes its event. If it raises and the domain was new,
        the domain leaves the list again.

        Args:
            definition: Its uuid and name say which domain.
            make: Makes the object of a new one.

        Yields:
            The domain, its turn held, and whether it is new.

        Raises:
            DomainExistsError: Another domain has the name, or the uuid goes with another name.
        """
        while True:
            fresh = make(definition)
            with fresh.turn:
                present = self._add(fresh)
                if present is None:
                    try:
                        yield fresh, True
                    except BaseException:
                        self.leave(fresh)
                        raise
                    return
            with present.turn:
                if not present.is_removed:
                    yield present, False
                    return

    def leave(self, domain: D) -> None:
        """Set ``is_removed`` under its lock, then take *domain* off the list."""
        with domain.lock:
            domain.is_removed = True
        self.remove(domain)

    def remove(self, domain: D) -> None:
        """Take off *domain*, which is removed and has pushed its last event. Idempotent."""
        with self._lock:
            uuid, name = domain.identity.uuid, domain.identity.name
            if self._by_uuid.get(uuid) is domain:
                del self._by_uuid[uuid]
            if self._by_name.get(name) is domain:
                del self._by_name[name]

    def rename(self, domain: D, name: str) -> None:
        """List *domain* under *name* as well, before its definition is replaced.

        Holding its turn. ``forget_name`` takes the old one off afterwards.

        Raises:
            DomainExistsError: Another domain has the name.
        """
        with self._lock:
            other = self._by_name.get(name)
            if other is not None and other is not domain and not other.is_removed:
                raise DomainExistsError(
                    f"operation failed: domain with name '{name}' already exists"
                )
            self._by_name[name] = domain

    def forget_name(self, domain: D, name: str) -> None:
        """Take off a name that *domain* had before."""
        with self._lock:
            if self._by_name.get(name) is domain and domain.identity.name != name:
                del self._by_name[name]

    def _add(self, fresh: D) -> D | None:
        """List *fresh*, or return the domain that is there already."""
        uuid, name = fresh.identity.uuid, fresh.identity.name
        with self._lock:
            present = self._by_uuid.get(uuid)
            namesake = self._by_name.get(name)
            if present is not None and not present.is_removed:
                if present.identity.name != name:
                    raise DomainExistsError(
                        f"operation failed: domain '{present.identity.name}' is already defined "
                        f"with uuid {uuid}"
                    )
                return present
            if namesake is not None and not namesake.is_removed:
                raise DomainExistsError(
                    f"operation failed: domain '{name}' already exists with uuid "
                    f"{namesake.identity.uuid}"
                )
            self._by_uuid[uuid] = fresh
            self._by_name[name] = fresh
        return None
