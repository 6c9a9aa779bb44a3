# SPDX-License-Identifier: LGPL-2.1-or-later
"""One domain's life by the command line, each command a process of its own, on one directory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.survival.processes import definition_of, kill, marked

pytestmark = pytest.mark.qemu

# Opens, listens, and says what was told before its own definition of a domain.
LISTENER = """
import sys, virevents
with virevents.open(sys.argv[1]) as connection:
    events = connection.events()
    connection.define(sys.argv[2])
    for event in events:
        if event.domain.name == "end":
            break
        print(event.event, event.detail, event.cause.is_found_at_start)
"""


class Commands:
    """Runs commands on one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = f"qemu:///embed?root={root}"

    def do(self, *words: str) -> str:
        """Run one command in a process; return what it printed."""
        arguments = [sys.executable, "-m", "virevents", "-c", self.uri, *words]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self) -> str:
        return self.do("domstate", "web").strip()

    def heard(self) -> list[str]:
        """What a process that listens is told as soon as it does."""
        arguments = [sys.executable, "-c", LISTENER, self.uri, definition_of(self.root, "end")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path / "root")
    xml = tmp_path / "web.xml"
    xml.write_text(definition_of(made.root, "web"))
    made.do("define", str(xml))
    return made


def test_a_life_in_six_processes(commands: Commands) -> None:
    commands.do("start", "web")
    (pid,) = marked(commands.root)
    commands.do("suspend", "web")
    assert commands.state() == "paused"
    commands.do("resume", "web")
    assert commands.state() == "running"
    assert list(marked(commands.root)) == [pid]
    commands.do("destroy", "web")
    assert not marked(commands.root)
    assert commands.heard() == []
    commands.do("undefine", "web")
    assert commands.do("list", "--all", "--name").split() == ["end"]
    assert list((commands.root / "run").iterdir()) == []


def test_a_qemu_that_is_killed_between_two_of_them(commands: Commands) -> None:
    commands.do("start", "web")
    commands.do("suspend", "web")
    (pid,) = marked(commands.root)
    kill(pid)
    assert commands.state() == "shutoff"
    assert commands.heard() == ["stopped failed True"]
    assert commands.heard() == []
    commands.do("start", "web")
    assert commands.state() == "running"
    commands.do("destroy", "web")
    commands.do("undefine", "web")


def test_events_shows_what_was_found(commands: Commands) -> None:
    commands.do("start", "web")
    (pid,) = marked(commands.root)
    kill(pid)
    shown = commands.do("events", "--json", "--count", "1")
    (event,) = (json.loads(line) for line in shown.splitlines())
    assert event["event"] == "stopped"
    assert event["detail"] == "failed"
