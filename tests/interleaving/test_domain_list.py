# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of domains that drivers share: coming and going, under every schedule."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.interleaving.conftest import Exhausts, Shows
from virevents.definition import DomainDefinition, DomainType
from virevents.drivers import DomainList, DomainObject
from virevents.errors import DomainExistsError, DomainNotFoundError
from virevents.model import DomainState, ShutoffReason, StateAndReason
from virevents.testing.schedules import Run

_OFF: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
_UUID: Final = "00000000-0000-4000-8000-000000000001"
_OTHER_UUID: Final = "00000000-0000-4000-8000-000000000002"

Domains = DomainList[DomainObject]


def definition(name: str = "web1", uuid: str = _UUID) -> DomainDefinition:
    return DomainDefinition(
        name=name,
        uuid=uuid,
        memory_kib=1024,
        current_memory_kib=1024,
        domain_type=DomainType.TEST,
    )


def make(of: DomainDefinition) -> DomainObject:
    return DomainObject(of, _OFF, is_persistent=True)


def define(domains: Domains, of: DomainDefinition) -> DomainObject:
    with domains.coming(of, make) as (domain, _), domain.lock:
        domain.set_definition_locked(of)
    return domain


def two_definers(run: Run) -> None:
    """Two threads define one domain: one makes it, the other meets it, nobody in between."""
    domains: Domains = DomainList()
    events: list[str] = []

    def define_it() -> None:
        with domains.coming(definition(), make) as (domain, is_new), domain.lock:
            events.append("added" if is_new else "updated")

    def meet_it() -> None:
        try:
            domain = domains.by_name("web1")
        except DomainNotFoundError:
            return
        with domain.turn:
            events.append("met")

    run.thread(define_it)
    run.thread(define_it)
    run.thread(meet_it)

    def check() -> None:
        assert events[0] == "added"
        assert sorted(e for e in events if e != "met") == ["added", "updated"]
        assert len(domains.snapshot()) == 1

    run.finally_(check)


def test_listed_in_turn(exhausts: Exhausts) -> None:
    exhausts(two_definers)


def test_listed_in_turn_planted_listing_before_the_turn(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_without_turn(
        domains: Domains, of: DomainDefinition, make_it: Callable[[DomainDefinition], DomainObject]
    ) -> "_Coming":
        return _Coming(domains, make_it(of))

    monkeypatch.setattr(DomainList, "coming", add_without_turn)
    shows(two_definers)


class _Coming:
    """The planted fault: listed first, its turn taken second."""

    def __init__(self, domains: Domains, fresh: DomainObject) -> None:
        present = domains._add(fresh)
        self._domain, self._is_new = present or fresh, present is None

    def __enter__(self) -> tuple[DomainObject, bool]:
        self._domain.turn.acquire()
        return self._domain, self._is_new

    def __exit__(self, *_: object) -> None:
        self._domain.turn.release()


def definer_against_leaver(run: Run) -> None:
    """One defines again what another removes: it is updated first, or made anew."""
    domains: Domains = DomainList()
    web = define(domains, definition())
    told: list[tuple[DomainObject, bool]] = []

    def define_it() -> None:
        with domains.coming(definition(), make) as found:
            told.append(found)
            assert not found[0].is_removed

    def remove_it() -> None:
        with web.turn:
            with web.lock:
                web.is_removed = True
            domains.remove(web)

    run.thread(define_it)
    run.thread(remove_it)

    def check() -> None:
        [(domain, is_new)] = told
        assert is_new == (domain is not web)
        assert domains.snapshot() == ([domain] if is_new else [])
        assert web.is_removed

    run.finally_(check)


def test_a_removed_domain_is_defined_anew(exhausts: Exhausts) -> None:
    exhausts(definer_against_leaver)


def caller_against_leaver(run: Run) -> None:
    """A call that waits for the turn of a domain that goes finds out."""
    domains: Domains = DomainList()
    web = define(domains, definition())
    log: list[str] = []

    def call() -> None:
        try:
            domain = domains.by_uuid(_UUID)
            with domain.turn:
                domains.check_present(domain)
                log.append("called")
        except DomainNotFoundError:
            log.append("gone")

    def remove_it() -> None:
        with web.turn:
            domains.leave(web)
            log.append("removed")

    run.thread(call)
    run.thread(remove_it)
    run.finally_(lambda: _check_calls(log))


def _check_calls(log: list[str]) -> None:
    assert log in (["called", "removed"], ["removed", "gone"], ["gone", "removed"])


def test_rechecked_by_who_waited_for_the_turn(exhausts: Exhausts) -> None:
    exhausts(caller_against_leaver)


def test_rechecked_planted_no_check(shows: Shows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DomainList, "check_present", lambda domains, domain: None)
    shows(caller_against_leaver)


def two_namesakes(run: Run) -> None:
    """A definer and a renamer want one name: one has it, the other is told."""
    domains: Domains = DomainList()
    old = define(domains, definition("old", _UUID))
    refused: list[str] = []

    def define_it() -> None:
        try:
            define(domains, definition("wanted", _OTHER_UUID))
        except DomainExistsError:
            refused.append("definer")

    def rename_it() -> None:
        with old.turn:
            try:
                domains.rename(old, "wanted")
            except DomainExistsError:
                refused.append("renamer")
                return
            with old.lock:
                old.set_definition_locked(definition("wanted", _UUID))
            domains.forget_name(old, "old")

    run.thread(define_it)
    run.thread(rename_it)

    def check() -> None:
        assert len(refused) == 1
        names = [domain.identity.name for domain in domains.snapshot()]
        assert sorted(names) == (["wanted"] if refused == ["definer"] else ["old", "wanted"])

    run.finally_(check)


def test_unique(exhausts: Exhausts) -> None:
    exhausts(two_namesakes)


def test_unique_planted_a_rename_that_looks_first(
    shows: Shows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(domains: Domains, domain: DomainObject, name: str) -> None:
        with domains._lock:
            other = domains._by_name.get(name)
        if other is not None:
            raise DomainExistsError(name)
        with domains._lock:
            domains._by_name[name] = domain

    monkeypatch.setattr(DomainList, "rename", rename)
    shows(two_namesakes)
