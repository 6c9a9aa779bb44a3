# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of domains: alone, and under every schedule of two threads to two preemptions."""

from collections.abc import Callable
from typing import Final

import pytest

from virevents.definition import DomainDefinition, DomainType
from virevents.drivers import DomainList, DomainObject
from virevents.errors import DomainExistsError, DomainNotFoundError
from virevents.model import DomainState, ShutoffReason, StateAndReason
from virevents.sync import are_locks_checked
from virevents.testing.schedules import Run, ScheduleError, explore

_OFF: Final = StateAndReason(DomainState.SHUTOFF, ShutoffReason.UNKNOWN)
_UUIDS: Final = tuple(f"00000000-0000-4000-8000-00000000000{n}" for n in range(3))


def definition(name: str = "web1", uuid: str = _UUIDS[1], vcpus: int = 1) -> DomainDefinition:
    return DomainDefinition(
        name=name,
        uuid=uuid,
        memory_kib=1024,
        current_memory_kib=1024,
        vcpus=vcpus,
        domain_type=DomainType.TEST,
    )


def make(of: DomainDefinition) -> DomainObject:
    return DomainObject(of, _OFF, is_persistent=True)


Domains = DomainList[DomainObject]


def define(domains: Domains, of: DomainDefinition) -> DomainObject:
    with domains.coming(of, make) as (domain, _), domain.lock:
        domain.set_definition_locked(of)
    return domain


@pytest.fixture
def domains() -> Domains:
    return DomainList()


def test_a_defined_domain_is_found(domains: Domains) -> None:
    web = define(domains, definition())
    with web.lock:
        web.set_id_locked(7)
    assert domains.by_uuid(_UUIDS[1]) is web
    assert domains.by_name("web1") is web
    assert domains.by_id(7) is web
    assert domains.snapshot() == [web]
    assert web.is_active


def test_what_is_not_there_is_not_found(domains: Domains) -> None:
    define(domains, definition())
    with pytest.raises(DomainNotFoundError, match=f"no domain with matching uuid '{_UUIDS[2]}'"):
        domains.by_uuid(_UUIDS[2])
    with pytest.raises(DomainNotFoundError, match="matching name 'web2'"):
        domains.by_name("web2")
    for number in (7, -1):  # -1 is the id of all that do not run: it finds none of them
        with pytest.raises(DomainNotFoundError, match=f"matching id '{number}'"):
            domains.by_id(number)


def test_a_driver_has_its_own_words_for_it() -> None:
    def not_found(what: str, value: object) -> DomainNotFoundError:
        return DomainNotFoundError(f"no {what} {value} here")

    with pytest.raises(DomainNotFoundError, match="no name web1 here"):
        DomainList[DomainObject](not_found).by_name("web1")


def test_the_snapshot_is_in_the_order_of_coming(domains: Domains) -> None:
    made = [define(domains, definition(f"d{n}", _UUIDS[n])) for n in (2, 0, 1)]
    assert domains.snapshot() == made


def test_unique(domains: Domains) -> None:
    define(domains, definition())
    with pytest.raises(DomainExistsError, match=r"'web1' is already defined with uuid .*1$"):
        define(domains, definition("web2"))
    with pytest.raises(DomainExistsError, match=r"'web1' already exists with uuid .*1$"):
        define(domains, definition(uuid=_UUIDS[2]))
    web2 = define(domains, definition("web2", _UUIDS[2]))
    with pytest.raises(DomainExistsError, match="domain with name 'web1' already exists"):
        domains.rename(web2, "web1")
    assert len(domains.snapshot()) == 2


def test_unique_does_not_count_a_removed_one(domains: Domains) -> None:
    web = define(domains, definition())
    with web.lock:
        web.is_removed = True  # and not off the list yet
    assert domains.snapshot() == []
    for find, key in ((domains.by_uuid, _UUIDS[1]), (domains.by_name, "web1")):
        with pytest.raises(DomainNotFoundError):
            find(key)
    assert define(domains, definition()) is not web
    other = define(domains, definition("web2", _UUIDS[2]))
    with other.lock:
        other.is_removed = True
    domains.rename(domains.by_name("web1"), "web2")


def test_defining_again_gives_the_same_object(domains: Domains) -> None:
    web = define(domains, definition())
    with domains.coming(definition(vcpus=2), make) as (again, is_new):
        assert (again, is_new) == (web, False)
        assert web.turn.locked()
    assert not web.turn.locked()


def test_listed_in_turn(domains: Domains) -> None:
    with domains.coming(definition(), make) as (web, is_new):
        assert is_new
        assert domains.by_uuid(_UUIDS[1]) is web
        assert web.turn.locked()
    assert not web.turn.locked()


def test_a_definer_that_fails_leaves_nothing(domains: Domains) -> None:
    def fail() -> None:
        with domains.coming(definition(), make) as (web, _):
            made.append(web)
            raise OSError("the disk is full")

    made: list[DomainObject] = []
    with pytest.raises(OSError, match="full"):
        fail()
    assert made[0].is_removed
    assert not made[0].turn.locked()
    assert domains.snapshot() == []


def test_a_definer_of_what_is_there_that_fails_leaves_it(domains: Domains) -> None:
    web = define(domains, definition())

    def fail() -> None:
        with domains.coming(definition(), make):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert domains.snapshot() == [web]


def test_leaves_once(domains: Domains) -> None:
    web = define(domains, definition())
    domains.leave(web)
    successor = define(domains, definition())
    domains.leave(web)
    domains.remove(web)
    assert domains.by_uuid(_UUIDS[1]) is successor
    assert domains.by_name("web1") is successor


def test_rechecked(domains: Domains) -> None:
    web = define(domains, definition())
    domains.check_present(web)
    domains.leave(web)
    with pytest.raises(DomainNotFoundError, match=_UUIDS[1]):
        domains.check_present(web)


def test_rename(domains: Domains) -> None:
    web = define(domains, definition())
    domains.rename(web, "web2")
    with web.lock:
        web.set_definition_locked(definition("web2"))
    domains.forget_name(web, "web1")
    assert domains.by_name("web2") is web
    with pytest.raises(DomainNotFoundError):
        domains.by_name("web1")
    domains.forget_name(web, "web2")  # the name that it has is not an old one
    assert domains.by_name("web2") is web


def test_a_name_that_another_took_is_not_forgotten(domains: Domains) -> None:
    web = define(domains, definition())
    other = define(domains, definition("web2", _UUIDS[2]))
    domains.forget_name(web, "web2")
    assert domains.by_name("web2") is other


# -- under every schedule


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


def test_listed_in_turn_under_every_schedule() -> None:
    assert explore(two_definers).is_exhausted


def test_listed_in_turn_planted_listing_before_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def add_without_turn(
        domains: Domains, of: DomainDefinition, make_it: Callable[[DomainDefinition], DomainObject]
    ) -> "_Coming":
        return _Coming(domains, make_it(of))

    monkeypatch.setattr(DomainList, "coming", add_without_turn)
    with pytest.raises(ScheduleError):
        explore(two_definers)


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


def test_rechecked_under_every_schedule() -> None:
    assert explore(definer_against_leaver).is_exhausted


def caller_against_leaver(run: Run) -> None:
    """A call that waits for the turn of a domain that goes finds out."""
    domains: Domains = DomainList()
    web = define(domains, definition())
    log: list[str] = []

    def call() -> None:
        try:
            domain = domains.by_uuid(_UUIDS[1])
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


def test_rechecked_by_who_waited_for_the_turn() -> None:
    assert explore(caller_against_leaver).is_exhausted


def test_rechecked_planted_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DomainList, "check_present", lambda domains, domain: None)
    with pytest.raises(ScheduleError):
        explore(caller_against_leaver)


def two_namesakes(run: Run) -> None:
    """A definer and a renamer want one name: one has it, the other is told."""
    domains: Domains = DomainList()
    old = define(domains, definition("old", _UUIDS[1]))
    refused: list[str] = []

    def define_it() -> None:
        try:
            define(domains, definition("wanted", _UUIDS[2]))
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
                old.set_definition_locked(definition("wanted", _UUIDS[1]))
            domains.forget_name(old, "old")

    run.thread(define_it)
    run.thread(rename_it)

    def check() -> None:
        assert len(refused) == 1
        names = [domain.identity.name for domain in domains.snapshot()]
        assert sorted(names) == (["wanted"] if refused == ["definer"] else ["old", "wanted"])

    run.finally_(check)


def test_unique_under_every_schedule() -> None:
    assert explore(two_namesakes).is_exhausted


def test_set_under_the_lock_only() -> None:
    assert are_locks_checked()
    web = make(definition())
    with pytest.raises(Exception, match="lock"):
        web.set_id_locked(1)
    with pytest.raises(Exception, match="lock"):
        web.set_definition_locked(definition())
