# SPDX-License-Identifier: LGPL-2.1-or-later
import json
import sys

import pytest

from tests.model.samples import DOMAIN, SAMPLES, TIME
from virevents.cli.printing import as_json, as_text, has_colour, print_table, printable
from virevents.model import (
    Cause,
    DomainEvent,
    DomainIdentity,
    Gap,
    Json,
    Lifecycle,
    LifecycleEvent,
    RequestedBy,
)
from virevents.model.lifecycle import StartedDetail, StoppedDetail

URI = "test:///default"
HOSTILE = "a\x1b[2J\nvirevents: b\u202e\u00e9"


@pytest.mark.parametrize(("event", "own"), SAMPLES, ids=lambda one: type(one).__name__)
def test_one_object_with_the_fields_of_its_kind(event: DomainEvent, own: dict[str, Json]) -> None:
    shown = json.loads(as_json(URI, event))
    assert list(shown)[:5] == ["time", "uri", "sequence", "event_id", "domain"]
    assert shown["uri"] == URI
    assert {name: shown[name] for name in list(shown)[5:]} == own
    assert as_text(event).startswith("web1: ")


def test_one_object_in_ascii_whatever_a_domain_is_called() -> None:
    domain = DomainIdentity(HOSTILE, DOMAIN.uuid, 1)
    event = LifecycleEvent(domain, Lifecycle.STARTED, StartedDetail.BOOTED, TIME)
    shown = as_json(URI, event)
    assert shown.isascii()
    assert "\n" not in shown
    assert json.loads(shown)["domain"]["name"] == HOSTILE


def test_no_control_character_reaches_a_terminal() -> None:
    domain = DomainIdentity(HOSTILE, DOMAIN.uuid, 1)
    event = LifecycleEvent(domain, Lifecycle.STARTED, StartedDetail.BOOTED, TIME)
    expected = "a\\x1b[2J\\nvirevents: b\\u202e\u00e9: started (booted)"
    assert as_text(event) == expected
    assert (
        as_text(event, prefix="uri ", with_time=True)
        == f"2026-11-23T09:31:00.250000Z uri {expected}"
    )
    assert printable(HOSTILE).isprintable()


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (Gap(3, 9, 7), "gap: 7 events lost (3 to 9)"),
        (Gap(3, 9, None), "gap: an unknown number of events lost (3 to 9)"),
    ],
)
def test_gaps(gap: Gap, text: str) -> None:
    assert as_text(gap) == text
    expected = {"first": gap.first, "last": gap.last, "count": gap.count}
    assert json.loads(as_json(URI, gap)) == {"uri": URI, "gap": expected}


def test_colour_needs_a_terminal_and_no_objection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not has_colour()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert has_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour()


def test_tables_are_as_wide_as_their_texts(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("Id", "Name", "State"), ("1", "x" * 200, "running"), ("-", "b\n", "shutoff")])
    assert capsys.readouterr().out.splitlines() == [
        "Id  Name" + " " * 196 + "  State",
        "1   " + "x" * 200 + "  running",
        "-   b\\n" + " " * 197 + "  shutoff",
    ]


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause(), "web1: stopped (shutdown)"),
        (Cause(RequestedBy.CALL, is_graceful=True), "web1: stopped (shutdown) by call"),
        (
            Cause(RequestedBy.GUEST, is_reboot=True),
            "web1: stopped (shutdown) by guest, part of a reboot",
        ),
        (Cause(RequestedBy.HOST_SIGNAL), "web1: stopped (shutdown) by host signal"),
        (Cause(is_found_at_start=True), "web1: stopped (shutdown) found at start"),
        (
            Cause(RequestedBy.GUEST, is_found_at_start=True),
            "web1: stopped (shutdown) by guest, found at start",
        ),
    ],
)
def test_the_cause_is_said_where_it_is_known(cause: Cause, words: str) -> None:
    detail = StoppedDetail.SHUTDOWN
    event = LifecycleEvent(DOMAIN, Lifecycle.STOPPED, detail, TIME, 1, cause)
    assert as_text(event) == words
