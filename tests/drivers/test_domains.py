# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of domains: coming, going, and who meets a domain on its way."""

import threading
from collections.abc import Callable
from typing import Final

import pytest

from virevents.definition import DomainDefinition, DomainType
from virevents.drivers import DomainList, DomainObject
from virevents.errors import DomainExistsError, DomainNotFoundError
from virevents.model import DomainState, ShutoffReason, StateAndReason

PATIENCE: Final = 30.0  # seconds; only a failing test uses them
_OFF: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
_UUIDS: Final = {n: f"11111111-f6a4-8304-79aa-97f2502e193{n}" for n in range(4)}


def definition(name: str = "web1", uuid: int = 1) -> DomainDefinition:
    return DomainDefinition(
        name=name,
        uuid=_UUIDS[uuid],
        memory_kib=1024,
        current_memory_kib=1024,
        domain_type=DomainType.TEST,
    )


def make(wanted: DomainDefinition) -> DomainObject:
    return DomainObject(wanted, _OFF, is_persistent=True)


def come(domains: DomainList[DomainObject], name: str = "web1", uuid: int = 1) -> DomainObject:
    with domains.coming(definition(name, uuid), make) as (domain, is_new):
        assert is_new
    return domain


def in_thread(function: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_found_in_every_way() -> None:
    domains: DomainList[DomainObject] = DomainList()
    domain = come(domains)
    with domain.lock:
        domain.set_id_locked(7)
    assert domains.by_name("web1") is domains.by_uuid(_UUIDS[1]) is domains.by_id(7) is domain
    assert domains.snapshot() == [domain]
    looks: list[Callable[[], DomainObject]] = [
        lambda: domains.by_name("web2"),
        lambda: domains.by_uuid(_UUIDS[2]),
        lambda: domains.by_id(8),
        lambda: domains.by_id(-1),
    ]
    for look in looks:
        with pytest.raises(DomainNotFoundError):
            look()


def test_unique() -> None:
    domains: DomainList[DomainObject] = DomainList()
    domain = come(domains)
    for taken in (definition("web1", 2), definition("web2", 1)):
        with pytest.raises(DomainExistsError), domains.coming(taken, make):
            pytest.fail("two domains with one name or uuid")
    with domains.coming(definition(), make) as (met, is_new):
        assert met is domain
        assert not is_new


@pytest.mark.parametrize("taken", [definition("web1", 2), definition("web2", 1)])
def test_unique_removed_ones_aside(taken: DomainDefinition) -> None:
    domains: DomainList[DomainObject] = DomainList()
    domain = come(domains)
    with domain.lock:
        domain.is_removed = True  # and not off the list yet
    with domains.coming(taken, make) as (fresh, is_new):
        assert is_new
        assert fresh is not domain
    domains.remove(domain)
    assert domains.by_uuid(taken.uuid) is domains.by_name(taken.name) is fresh


def test_listed_in_turn() -> None:
    """Who meets a domain that is just coming waits for its turn, and so for its first event."""
    domains: DomainList[DomainObject] = DomainList()
    order: list[str] = []
    is_listed, found = threading.Event(), threading.Event()

    def meet() -> None:
        assert is_listed.wait(PATIENCE)
        domain = domains.by_name("web1")
        found.set()
        with domain.turn:
            order.append("met")

    thread = in_thread(meet)
    with domains.coming(definition(), make):
        is_listed.set()
        assert found.wait(PATIENCE)
        order.append("came")
    thread.join(PATIENCE)
    assert order == ["came", "met"]


def test_a_coming_that_fails_leaves_nothing() -> None:
    domains: DomainList[DomainObject] = DomainList()
    with pytest.raises(ValueError, match="no"), domains.coming(definition(), make) as (domain, _):
        raise ValueError("no")
    assert domain.is_removed
    assert domains.snapshot() == []
    come(domains)


def test_leaves_once() -> None:
    domains: DomainList[DomainObject] = DomainList()
    old = come(domains)
    domains.leave(old)
    new = come(domains)
    domains.remove(old)
    domains.leave(old)
    assert domains.snapshot() == [new]
    assert domains.by_name("web1") is new


def test_rechecked() -> None:
    domains: DomainList[DomainObject] = DomainList()
    domain = come(domains)
    outcome: list[str] = []
    has_found = threading.Event()

    def change() -> None:
        found = domains.by_name("web1")
        has_found.set()
        with found.turn:
            try:
                domains.check_present(found)
            except DomainNotFoundError:
                outcome.append("gone")

    with domain.turn:
        thread = in_thread(change)
        assert has_found.wait(PATIENCE)
        domains.leave(domain)
    thread.join(PATIENCE)
    assert outcome == ["gone"]


def test_who_waited_to_define_defines_anew() -> None:
    domains: DomainList[DomainObject] = DomainList()
    old = come(domains)
    is_fresh: list[bool] = []
    begins = threading.Event()

    def made(wanted: DomainDefinition) -> DomainObject:
        begins.set()
        return make(wanted)

    def define() -> None:
        with domains.coming(definition(), made) as (domain, is_new):
            is_fresh.append(is_new and domain is not old)

    with old.turn:
        thread = in_thread(define)
        assert begins.wait(PATIENCE)
        domains.leave(old)
    thread.join(PATIENCE)
    assert is_fresh == [True]


def test_rename() -> None:
    domains: DomainList[DomainObject] = DomainList()
    domain, other = come(domains), come(domains, "web2", 2)
    with pytest.raises(DomainExistsError, match="web2"):
        domains.rename(domain, "web2")
    domains.rename(domain, "web3")
    with domain.lock:
        domain.set_definition_locked(definition("web3"))
    domains.forget_name(domain, "web1")
    assert domains.by_name("web3") is domain
    assert domains.by_name("web2") is other
    with pytest.raises(DomainNotFoundError):
        domains.by_name("web1")
    domains.forget_name(domain, "web3")  # it is its name: nothing is forgotten
    assert domains.by_name("web3") is domain
