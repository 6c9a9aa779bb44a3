# SPDX-License-Identifier: LGPL-2.1-or-later
import io
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import virevents
from tests.cli.running import PATIENCE, TEST_URI, Done, program, run

Capsys = pytest.CaptureFixture[str]
XML = "<domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os></domain>"


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


def test_every_verb_of_a_life(
    capsys: Capsys, connection: virevents.Connection, xml: str, tmp_path: Path
) -> None:
    state = str(tmp_path / "state")
    steps = [
        (["define", xml], "domain web defined", "defined (added)"),
        (["start", "web"], "domain web started", "started (booted)"),
        (["suspend", "web"], "domain web suspended", "suspended (paused)"),
        (["resume", "web"], "domain web resumed", "resumed (unpaused)"),
        (["reset", "web"], "domain web reset", None),
        (["save", "web", state], f"domain web saved to {state}", "stopped (saved)"),
        (["restore", state], f"domain web restored from {state}", "started (restored)"),
        (["managedsave", "web"], "domain web saved for its next start", "stopped (saved)"),
        (["managedsave-remove", "web"], "domain web has no managed save any more", None),
        (["start", "web"], "domain web started", "started (booted)"),
        (["shutdown", "web"], "domain web is being shut down", "stopped (shutdown)"),
        (["start", "web"], "domain web started", "started (booted)"),
        (["dump", "--crash", "web", state], f"domain web dumped to {state}", "stopped (crashed)"),
        (["start", "web"], "domain web started", "started (booted)"),
        (["destroy", "web"], "domain web destroyed", "stopped (destroyed)"),
        (["undefine", "web"], "domain web undefined", "undefined (removed)"),
        (["create", xml], "domain web created", "started (booted)"),
        (["destroy", "web"], "domain web destroyed", "stopped (destroyed)"),
    ]
    with connection.events() as stream:
        for arguments, said, event in steps:
            done = _verb(capsys, *arguments)
            assert (done.status, done.out, done.err) == (0, f"{said}\n", ""), arguments
            if event is not None:
                item = stream.get(PATIENCE)
                assert isinstance(item, virevents.LifecycleEvent)
                assert f"{item.event} ({item.detail})" == event
        assert stream.get(0) is None


def test_reboot_asks_the_guest(capsys: Capsys, connection: virevents.Connection) -> None:
    assert _verb(capsys, "reboot", "test").out == "domain test is being rebooted\n"


def test_rename(capsys: Capsys, connection: virevents.Connection) -> None:
    connection.define(XML)
    assert _verb(capsys, "rename", "web", "shop").out == "domain web renamed to shop\n"
    assert connection.lookup("shop").name == "shop"


def test_paused_is_asked_for(
    capsys: Capsys, connection: virevents.Connection, xml: str, tmp_path: Path
) -> None:
    # The test driver refuses it, as libvirt's does: so it was asked for.
    refusal = "virevents: unsupported flags (0x1)"
    assert _verb(capsys, "create", xml, "--paused").err.startswith(refusal)
    web = connection.define(XML)
    assert _verb(capsys, "start", "web", "--paused").err.startswith(refusal)
    web.start()
    web.save(str(tmp_path / "state"))
    done = _verb(capsys, "restore", str(tmp_path / "state"), "--paused")
    assert done.err.startswith(refusal)


def test_a_definition_from_standard_input(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(XML))
    assert _verb(capsys, "define", "-").out == "domain web defined\n"


@pytest.mark.parametrize("verb", ["define", "create"])
def test_what_is_wrong_with_a_definition_is_said_with_its_line(
    capsys: Capsys, tmp_path: Path, verb: str
) -> None:
    file = tmp_path / "bad.xml"
    file.write_text("<domain type='test'>\n<nonsense/></domain>", encoding="utf-8")
    done = _verb(capsys, verb, str(file))
    assert done.status == 1
    assert done.err.startswith("virevents: line 2: ")
    assert "nonsense" in done.err


def test_a_file_that_cannot_be_read_is_named(capsys: Capsys, tmp_path: Path) -> None:
    done = _verb(capsys, "define", str(tmp_path / "nix"))
    assert done.status == 1
    assert done.err.startswith(f"virevents: cannot read {tmp_path / 'nix'}: ")
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert _verb(capsys, "create", str(tmp_path / "bytes")).status == 1


@pytest.mark.parametrize("verb", ["start", "resume"])
def test_a_refused_call_is_1_in_the_librarys_words(capsys: Capsys, verb: str) -> None:
    done = _verb(capsys, verb, "test")
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1


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
def test_watched_until_it_stops(
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
    assert done.lines == [f"web: started ({how})", "web: stopped (destroyed)"]


def test_a_watched_domain_is_let_go_by_a_signal(xml: str) -> None:
    with program("-c", TEST_URI, "create", xml, "--watch") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "web: started (booted)\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
