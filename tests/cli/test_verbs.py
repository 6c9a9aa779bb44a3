# SPDX-License-Identifier: LGPL-2.1-or-later
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import virevents
from tests.cli.running import PATIENCE, TEST_URI, XML, Done, run

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


@pytest.mark.parametrize("verb", ["start", "resume"])
def test_a_refused_call_is_1_in_the_librarys_words(capsys: Capsys, verb: str) -> None:
    done = _verb(capsys, verb, "test")
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "method", "asked"),
    [
        (["shutdown", "test"], "shutdown", ({},)),
        (["shutdown", "test", "--timeout", "3"], "shutdown", ({"timeout": 3.0, "force": False},)),
        (
            ["shutdown", "test", "--timeout", "0.5", "--force"],
            "shutdown",
            ({"timeout": 0.5, "force": True},),
        ),
        (["destroy", "test"], "destroy", ({"graceful": False},)),
        (["destroy", "test", "--graceful"], "destroy", ({"graceful": True},)),
        (["undefine", "test"], "undefine", ({"managed_save": False, "nvram": None},)),
        (
            ["undefine", "test", "--managed-save", "--nvram", "keep"],
            "undefine",
            ({"managed_save": True, "nvram": virevents.NvramFate.KEEP},),
        ),
        (["pmsuspend", "test"], "pm_suspend", (virevents.SleepMode.MEMORY, {})),
        (["pmsuspend", "test", "disk"], "pm_suspend", (virevents.SleepMode.DISK, {})),
        (["dompmsuspend", "test", "mem"], "pm_suspend", (virevents.SleepMode.MEMORY, {})),
        (["domrename", "test", "shop"], "rename", ("shop", {})),
        (["autostart", "test"], "set_autostart", ({"on": True},)),
        (["autostart", "test", "--disable"], "set_autostart", ({"on": False},)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_verb(
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    method: str,
    asked: tuple[object, ...],
) -> None:
    met: list[object] = []

    def note(self: virevents.Domain, *given: object, **named: object) -> None:
        met.append((self.uuid, *given, named))

    monkeypatch.setattr(virevents.Domain, method, note)
    done = _verb(capsys, *arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("domain test ")
    assert met == [("6695eb01-f6a4-8304-79aa-97f2502e193f", *asked)]


@pytest.mark.parametrize("verb", ["pmwakeup", "dompmwakeup"])
def test_a_wakeup_is_asked_for(capsys: Capsys, verb: str) -> None:
    # The test driver has none, as libvirt's has none: so it was asked for.
    assert "not supported by the connection driver: pm_wakeup" in _verb(capsys, verb, "test").err


def test_a_shutdown_that_is_waited_for_says_what_came_of_it(
    capsys: Capsys, connection: virevents.Connection
) -> None:
    done = _verb(capsys, "shutdown", "test", "--timeout", "5")
    assert done.out == "domain test is off\n"
    assert not connection.lookup("test").is_active


def test_force_alone_is_bad_usage(capsys: Capsys, connection: virevents.Connection) -> None:
    done = _verb(capsys, "shutdown", "test", "--force")
    assert done.status == 2
    assert "expected --timeout beside it" in done.err
    assert connection.lookup("test").is_active


def test_autostart_is_turned_on_and_off(capsys: Capsys, connection: virevents.Connection) -> None:
    assert _verb(capsys, "autostart", "test").out == "domain test is autostarted\n"
    assert connection.lookup("test").is_autostarted
    done = _verb(capsys, "autostart", "test", "--disable")
    assert done.out == "domain test is not autostarted\n"
    assert not connection.lookup("test").is_autostarted


@pytest.mark.parametrize(
    "arguments", [["undefine", "x", "--nvram", "burn"], ["pmsuspend", "x", "bed"]]
)
def test_a_word_that_is_not_known_is_bad_usage(capsys: Capsys, arguments: list[str]) -> None:
    assert _verb(capsys, *arguments).status == 2
