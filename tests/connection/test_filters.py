# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user writes for a filter, and the errors that wrong words deserve."""

import pytest

import virevents
from virevents.connection.filters import EventIds, Only, make_filter
from virevents.dispatch import Filter
from virevents.errors import InvalidArgumentError
from virevents.model import EventId, Lifecycle


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("lifecycle", {EventId.LIFECYCLE}),
        (EventId.REBOOT, {EventId.REBOOT}),
        ({"reboot", EventId.LIFECYCLE}, {EventId.REBOOT, EventId.LIFECYCLE}),
        (["reboot", "reboot"], {EventId.REBOOT}),
        ("all", None),
    ],
)
def test_event_ids_are_members_words_several_or_all(
    given: EventIds, expected: set[EventId] | None
) -> None:
    assert make_filter(given) == Filter(None if expected is None else frozenset(expected))


@pytest.mark.parametrize("only", [{"started", "stopped"}, [Lifecycle.STARTED, "stopped"]])
def test_only_takes_members_and_words(only: Only) -> None:
    assert make_filter(only=only) == Filter(only=frozenset({Lifecycle.STARTED, Lifecycle.STOPPED}))


def test_a_domain_is_named_by_its_handle_or_its_uuid(
    domain: virevents.Domain,
) -> None:
    assert make_filter(domain=domain).domain_uuid == domain.uuid
    assert make_filter(domain=domain.uuid) == make_filter(domain=domain)
    assert make_filter().domain_uuid is None


def test_equal_filters_are_one_object() -> None:
    assert make_filter(only={"started"}) is make_filter(only=[Lifecycle.STARTED])


@pytest.mark.parametrize("given", ["exploded", ["lifecycle", "exploded"], [7]])
def test_an_unknown_event_id_is_refused_by_a_text_that_lists_the_known(given: EventIds) -> None:
    with pytest.raises(InvalidArgumentError, match="reboot"):
        make_filter(given)


def test_no_event_id_at_all_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="at least one event id"):
        make_filter([])


@pytest.mark.parametrize("only", [["exploded"], [7]])
def test_an_unknown_lifecycle_event_is_refused_by_a_text_that_lists_the_known(only: Only) -> None:
    with pytest.raises(InvalidArgumentError, match=r"only: .*started"):
        make_filter(only=only)


def test_a_word_where_a_set_is_expected_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"only: expected a set .*'started'"):
        make_filter(only="started")
