# SPDX-License-Identifier: LGPL-2.1-or-later
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

import virevents
from tests.cli.running import PATIENCE, TEST_URI, busy_domain, program, run
from virevents.cli import main
from virevents.model import EventId

Capsys = pytest.CaptureFixture[str]

_NODE: Final = """\
<node>
  <domain type='test'><name>{0}</name><memory>1024</memory><os><type>hvm</type></os></domain>
  <domain type='test'><name>idle</name><memory>1024</memory><os><type>hvm</type></os></domain>
</node>
"""


@pytest.fixture
def uris(tmp_path: Path) -> list[str]:
    """Two hypervisors more, each with a running domain of its own."""
    paths = [tmp_path / f"{name}.xml" for name in ("left", "right")]
    for path in paths:
        path.write_text(_NODE.format(path.stem), encoding="utf-8")
    return [f"test://{path}" for path in paths]


def test_exactly_count_are_printed_however_fast_more_come(capsys: Capsys) -> None:
    with busy_domain():
        done = run(capsys, "events", TEST_URI, "--count", "7", "--timeout", str(PATIENCE))
    assert done.status == 0
    assert len(done.lines) == 7
    assert set(done.lines) == {
        "test: suspended (paused) by call",
        "test: resumed (unpaused) by call",
    }
    assert done.err == ""


def test_json_is_one_object_a_line_with_the_promised_keys(capsys: Capsys) -> None:
    with busy_domain() as domain:
        uuid = domain.uuid
        done = run(capsys, "events", TEST_URI, "--json", "-n", "4")
    objects = [json.loads(line) for line in done.lines]
    assert [list(one) for one in objects] == [
        ["time", "uri", "sequence", "event_id", "domain", "event", "detail", "cause"]
    ] * 4
    for one in objects:
        assert one["uri"] == TEST_URI
        assert one["event_id"] == "lifecycle"
        assert one["domain"] == {"name": "test", "uuid": uuid, "id": 1}
        assert one["cause"] == {
            "requested_by": "call",
            "is_graceful": None,
            "is_reboot": False,
            "is_found_at_start": False,
        }
        assert (one["event"], one["detail"]) in {("suspended", "paused"), ("resumed", "unpaused")}


def test_ordered_for_each_of_several_hypervisors(capsys: Capsys, uris: list[str]) -> None:
    with ExitStack() as stack:
        for uri, name in zip(uris, ("left", "right"), strict=True):
            stack.enter_context(busy_domain(uri, name))
        done = run(capsys, "events", *uris, "--json", "--count", "60")
    sequences = defaultdict(list)
    for line in done.lines:
        one = json.loads(line)
        sequences[one["uri"]].append(one["sequence"])
    assert set(sequences) == set(uris)
    for of_one in sequences.values():
        assert of_one == list(range(of_one[0], of_one[0] + len(of_one)))


def test_text_names_the_hypervisor_where_there_are_several(capsys: Capsys, uris: list[str]) -> None:
    with busy_domain(uris[0], "left"):
        done = run(capsys, "events", *uris, "--count", "1", "--timestamp")
    assert done.lines[0].split(" ", 2)[1:] == [uris[0], done.lines[0].split(" ", 2)[2]]
    assert done.lines[0].split(" ", 1)[0].endswith("Z")


def test_of_a_domain_and_of_some_events_only(capsys: Capsys, uris: list[str]) -> None:
    with busy_domain(uris[0], "left"):
        idle = run(capsys, "events", uris[0], "--domain", "idle", "-n1", "--timeout", "0.3")
        only = run(capsys, "events", uris[0], "--domain", "left", "--only", "resumed", "-n2")
        both = run(capsys, "events", uris[0], "--domain", "left", "--domain", "idle", "-n1")
    assert (idle.status, idle.out) == (1, "")
    assert only.lines == ["left: resumed (unpaused) by call"] * 2
    assert both.status == 0


def test_of_other_event_ids(capsys: Capsys) -> None:
    with busy_domain():
        other = run(capsys, "events", TEST_URI, "--event", "reboot,watchdog", "--timeout", "0.3")
        every = run(capsys, "events", TEST_URI, "--event", "all", "-n1")
    assert (other.status, other.out) == (0, "")
    assert every.status == 0


class _BlockedOutput:
    """Standard output that takes its first line only when it is opened."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.is_open = threading.Event()
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        self.has_begun.set()
        assert self.is_open.wait(PATIENCE)
        self.lines.append(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _flood(output: _BlockedOutput, pairs: int) -> None:
    """Make events until one is being printed, then more than a stream holds."""
    with virevents.open(TEST_URI) as connection:
        domain = connection.lookup("test")
        while not output.has_begun.is_set():
            with connection.expect(domain, "suspended", timeout=PATIENCE):
                domain.suspend()
            domain.resume()
        for _ in range(pairs):
            domain.suspend()
            domain.resume()
    output.is_open.set()


def test_gaps_shown_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    output = _BlockedOutput()
    flood = threading.Thread(target=_flood, args=(output, 5_200))
    flood.start()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        status = main(["events", TEST_URI, "--json", "--count", "30"])
    flood.join(PATIENCE)
    assert status == 0
    objects = [json.loads(line) for line in output.lines]
    [place] = [index for index, one in enumerate(objects) if "gap" in one]
    before, gap, after = objects[place - 1 : place + 2]
    assert list(gap) == ["uri", "gap"]
    assert gap["gap"] == {
        "first": before["sequence"] + 1,
        "last": after["sequence"] - 1,
        "count": after["sequence"] - before["sequence"] - 1,
    }
    assert len(objects) == 30 + 1


def test_fewer_than_count_in_time_is_1(capsys: Capsys) -> None:
    done = run(capsys, "events", TEST_URI, "--count", "1", "--timeout", "0.1")
    assert (done.status, done.out, done.err) == (1, "", "")


def test_timeout_alone_is_0(capsys: Capsys) -> None:
    done = run(capsys, "events", TEST_URI, "--timeout", "0.1")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_lists_the_event_ids(capsys: Capsys) -> None:
    assert run(capsys, "events", "--list").lines == [str(one) for one in EventId]


def test_verbose_says_when_it_listens(capsys: Capsys, uris: list[str]) -> None:
    done = run(capsys, "events", *uris, uris[0], "-v", "--timeout", "0")
    assert done.err.splitlines() == [f"virevents: listening to {uri}" for uri in uris]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--event", "nonsense"],
        ["--only", "started,nonsense"],
        ["--count", "0"],
        ["--count", "many"],
        ["--timeout", "-1"],
        ["--timeout", "nan"],
        ["--nonsense"],
    ],
)
def test_bad_usage_is_2_and_opens_nothing(capsys: Capsys, arguments: list[str]) -> None:
    done = run(capsys, "events", "nonsense:///", *arguments)
    assert done.status == 2
    assert done.out == ""
    assert "Error: " in done.err


@pytest.mark.parametrize("bad", ["nonsense:///default", "qemu:///elsewhere", "no uri"])
def test_a_hypervisor_that_fails_to_open_is_3_and_named(capsys: Capsys, bad: str) -> None:
    done = run(capsys, "events", TEST_URI, bad)
    assert done.status == 3
    assert done.out == ""
    [line] = done.err.splitlines()
    assert line.startswith(f"virevents: failed to connect to {bad}: ")


def test_a_domain_that_is_not_there_is_1(capsys: Capsys) -> None:
    done = run(capsys, "events", TEST_URI, "--domain", "nix")
    assert done.status == 1
    assert done.err == f"virevents: {TEST_URI} has no domain with the id, uuid or name 'nix'\n"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_it_cleanly(number: signal.Signals, status: int) -> None:
    with program("events", TEST_URI, "-v") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"virevents: listening to {TEST_URI}\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (status, "", "")


def test_a_signal_ends_it_cleanly_while_events_come() -> None:
    with program("events", TEST_URI, "--json", is_busy=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
    for line in [first, *out.splitlines()]:
        json.loads(line)


def test_each_line_is_flushed_and_a_reader_that_goes_is_no_error() -> None:
    with program("events", TEST_URI, is_busy=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() in {
            "test: suspended (paused) by call\n",
            "test: resumed (unpaused) by call\n",
        }
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) == 141


def _on_a_terminal(**environment: str) -> str:
    ours, theirs = pty.openpty()
    arguments = ("events", TEST_URI, "--count", "2")
    try:
        with program(*arguments, is_busy=True, stdout=theirs, environment=environment) as process:
            assert process.wait(PATIENCE) == 0
        return os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_colour_on_a_terminal_only() -> None:
    assert "\x1b[33msuspended\x1b[0m" in _on_a_terminal(NO_COLOR="")
    assert "\x1b" not in _on_a_terminal(NO_COLOR="1")
    with program("events", TEST_URI, "-n2", is_busy=True, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    assert "\x1b" not in out


def test_sigterm_ends_a_job_in_the_background_of_a_script() -> None:
    # There the shell has SIGINT ignored, so ours must not lean on it.
    with program("events", TEST_URI, "--json", is_busy=True, ignores_sigint=True) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (143, "")
