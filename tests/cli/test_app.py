# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import virevents
from tests.architecture.source_tree import ROOT
from tests.cli.running import PATIENCE, TEST_URI, program, run
from virevents.cli import main
from virevents.cli.ends import CONNECTION_FAILED, FAILED, TERMINATED, UNREAD

Capsys = pytest.CaptureFixture[str]


def test_version(capsys: Capsys) -> None:
    done = run(capsys, "--version")
    assert (done.status, done.out) == (0, f"virevents {virevents.__version__}\n")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_verb(capsys: Capsys, flag: str) -> None:
    done = run(capsys, flag)
    assert done.status == 0
    verbs = (
        "events list info domstate dumpxml define undefine create start suspend resume shutdown "
        "reboot reset destroy save restore managedsave managedsave-remove dump rename demo"
    )
    shown = {line.split()[0] for line in done.lines if line.startswith("  ")}
    assert set(verbs.split()) <= shown


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["info"], ["--nonsense"]])
def test_statuses_of_bad_usage_are_2(capsys: Capsys, arguments: list[str]) -> None:
    assert run(capsys, *arguments).status == 2


def test_one_line_for_a_failure_even_if_its_text_has_several(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> virevents.Connection:
        raise virevents.OpenError("first\nsecond")

    monkeypatch.setattr(virevents, "open", fail)
    done = run(capsys, "-c", TEST_URI, "list")
    assert done.status == 3
    assert done.err == f"virevents: failed to connect to {TEST_URI}: first second\n"


def test_off_the_main_thread_it_sets_no_signal_handler(capsys: Capsys) -> None:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(main(["-c", TEST_URI, "list"])))
    thread.start()
    thread.join(PATIENCE)
    assert statuses == [0]


def test_the_handler_of_sigterm_is_put_back(capsys: Capsys) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run(capsys, "-c", TEST_URI, "list")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("arguments", [["--version"], ["-c", TEST_URI, "dumpxml", "test"]])
def test_a_reader_that_has_gone_is_no_error(arguments: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        with program(*arguments, stdout=theirs) as process:
            _, err = process.communicate(timeout=PATIENCE)
    finally:
        os.close(theirs)
    assert (process.returncode, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_one_line() -> None:
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        program("-c", TEST_URI, "list", stdout=full.fileno()) as process,
    ):
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err.startswith("virevents: cannot write: ")
    assert len(err.splitlines()) == 1


def test_the_script_of_the_wheel_and_the_module_are_the_same_program() -> None:
    script = Path(sys.executable).parent / "virevents"
    for command in ([str(script)], [sys.executable, "-m", "virevents"]):
        done = subprocess.run(
            [*command, "-c", TEST_URI, "domstate", "test"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "running\n", "")


def _complete(words: str) -> list[str]:
    count = str(len(words.split(" ")) - 1)
    environment = {"COMP_WORDS": words, "COMP_CWORD": count}
    with program(environment={"_VIREVENTS_COMPLETE": "complete_bash", **environment}) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    return out.split()


def test_completion_knows_verbs_options_and_words() -> None:
    assert _complete("virevents even") == ["events"]
    assert _complete("virevents events --times") == ["--timestamp"]
    assert _complete("virevents events --event rtc") == ["rtc-change"]
    assert _complete("virevents events --only started,sto") == ["started,stopped"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_made(shell: str) -> None:
    with program(environment={"_VIREVENTS_COMPLETE": f"source_{shell}"}) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert "_VIREVENTS_COMPLETE" in out


def _manual() -> str:
    return (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_the_manual_has_every_verb_and_option(capsys: Capsys) -> None:
    verbs = [
        line.split()[0]
        for line in run(capsys, "--help").out.split("Commands:")[1].splitlines()
        if line.startswith("  ") and not line.startswith("   ")
    ]
    manual = _manual()
    assert len(verbs) > 20
    for verb in verbs:
        assert re.search(rf"(virevents|\||URI\]) {verb}\b", manual), verb
        for option in re.findall(r"--[a-z]+[a-z-]*", run(capsys, verb, "--help").out):
            assert option in {"--help", "--connect"} or option in manual, (verb, option)


def test_requesters_are_those_of_the_manual() -> None:
    line = next(line for line in _manual().splitlines() if line.startswith("| `cause` |"))
    assert [str(one) for one in virevents.RequestedBy if f"`{one}`" not in line] == []


def test_statuses_are_those_of_the_manual() -> None:
    shown = {int(number) for number in re.findall(r"^\| ([0-9]+) \|", _manual(), re.MULTILINE)}
    assert shown == {0, FAILED, 2, CONNECTION_FAILED, 130, UNREAD, TERMINATED}
