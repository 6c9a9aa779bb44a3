# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bringing domains up, and staying with them."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import virevents
from tests.cli.running import PATIENCE, TEST_URI, XML, Done, program, run

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def connection() -> Iterator[virevents.Connection]:
    """Kept open, the state of the test driver outlasts a command."""
    with virevents.open(TEST_URI) as opened:
        yield opened


@pytest.fixture
def xml(tmp_path: Path) -> str:
    """A file with a definition."""
    file = tmp_path / "web.xml"
    file.write_text(XML, encoding="utf-8")
    return str(file)


def _verb(capsys: Capsys, *arguments: str) -> Done:
    return run(capsys, "-c", TEST_URI, *arguments)


@pytest.mark.parametrize(
    "case",
    [
        (["start", "test"], "Domain.start", {}),
        (["start", "test", "--paused"], "Domain.start", {"paused": True}),
        (["start", "test", "--force-boot"], "Domain.start", {"force_boot": True}),
        (["restore", "/x"], "Connection.restore", {"paused": None}),
        (["restore", "/x", "--paused"], "Connection.restore", {"paused": True}),
        (["restore", "/x", "--running"], "Connection.restore", {"paused": False}),
        (["create", "FILE"], "Connection.create", {}),
        (["create", "FILE", "--paused"], "Connection.create", {"paused": True}),
    ],
    ids=lambda case: " ".join(case[0]),
)
def test_flags_are_passed_on(
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    connection: virevents.Connection,
    xml: str,
    case: tuple[list[str], str, dict[str, object]],
) -> None:
    arguments, method, asked = case
    met: list[dict[str, object]] = []

    def note(_: object, *given: object, **named: object) -> virevents.Domain:
        met.append(named)
        return connection.lookup("test")

    kind, _, name = method.partition(".")
    monkeypatch.setattr(getattr(virevents, kind), name, note)
    done = _verb(capsys, *(xml if one == "FILE" else one for one in arguments))
    assert (done.status, done.err) == (0, "")
    without = {"paused": False, "force_boot": False, "autodestroy": False}
    defaults = {key: without[key] for key in met[0] if key in without}
    assert met == [{**defaults, **asked}]


@pytest.mark.parametrize("verb", ["start", "create"])
def test_autodestroy_without_watch_is_bad_usage(capsys: Capsys, xml: str, verb: str) -> None:
    done = _verb(capsys, verb, xml, "--autodestroy")
    assert done.status == 2
    assert "expected --watch beside it" in done.err


@pytest.mark.parametrize("verb", ["start", "create"])
def test_dies_with_it(
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    connection: virevents.Connection,
    xml: str,
    verb: str,
) -> None:
    met: list[object] = []

    def act(_: object, *given: object, autodestroy: bool, **named: object) -> virevents.Domain:
        met.append(autodestroy)
        domain = connection.lookup("test")
        domain.shutdown()
        return domain

    monkeypatch.setattr(virevents.Domain, "start", act)
    monkeypatch.setattr(virevents.Connection, "create", act)
    word = {"start": "test", "create": xml}[verb]
    done = _verb(capsys, verb, word, "--watch", "--autodestroy")
    assert done.lines == ["test: stopped (shutdown) by call"]
    assert met == [True]


def _stop_when_it_runs(name: str) -> None:
    with virevents.open(TEST_URI) as connection:
        stream = connection.events(only={"started", "stopped"})
        ready.set()
        for item in stream:
            if not isinstance(item, virevents.Gap) and item.domain.name == name:
                connection.lookup(name).destroy()
                return


ready = threading.Event()


@pytest.mark.parametrize("verb", ["start", "create", "restore"])
def test_watched(
    capsys: Capsys, connection: virevents.Connection, xml: str, tmp_path: Path, verb: str
) -> None:
    state = str(tmp_path / "state")
    arguments = {"start": "web", "create": xml, "restore": state}
    if verb != "create":
        connection.define(XML)
    if verb == "restore":
        connection.lookup("web").start()
        connection.lookup("web").save(state)
    ready.clear()
    thread = threading.Thread(target=_stop_when_it_runs, args=("web",))
    thread.start()
    assert ready.wait(PATIENCE)
    done = _verb(capsys, verb, arguments[verb], "--watch")
    thread.join(PATIENCE)
    how = "restored" if verb == "restore" else "booted"
    assert done.lines == [f"web: started ({how}) by call", "web: stopped (destroyed) by call"]


def test_a_watched_domain_is_let_go_by_a_signal(xml: str) -> None:
    with program("-c", TEST_URI, "create", xml, "--watch") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "web: started (booted) by call\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
