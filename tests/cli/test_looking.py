# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import pytest

import virevents
from tests.cli.running import TEST_URI, run

Capsys = pytest.CaptureFixture[str]
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
OFF = "<domain type='test'><name>{}</name><memory>1</memory><os><type>hvm</type></os></domain>"


@pytest.fixture
def connection() -> virevents.Connection:
    """Kept open, the state of the test driver outlasts a command."""
    return virevents.open(TEST_URI)


def test_list_what_runs_what_does_not_and_all(
    capsys: Capsys, connection: virevents.Connection
) -> None:
    with connection:
        off = connection.define(OFF.format("off"))
        every = run(capsys, "list", "--all", "-c", TEST_URI)
        assert every.lines == ["Id  Name  State", "1   test  running", "-   off   shutoff"]
        assert run(capsys, "list", "-c", TEST_URI).lines == every.lines[:2]
        assert run(capsys, "list", "--inactive", "-c", TEST_URI).lines[1:] == every.lines[2:]
        assert run(capsys, "list", "--all", "--name", "-c", TEST_URI).lines == ["test", "off"]
        assert run(capsys, "list", "--all", "--uuid", "-c", TEST_URI).lines == [UUID, off.uuid]
    assert run(capsys, "list", "--name", "--uuid", "-c", TEST_URI).status == 2


def test_list_leaves_out_what_goes_meanwhile(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: virevents.Domain) -> None:
        raise virevents.DomainNotFoundError("gone")

    monkeypatch.setattr(virevents.Domain, "state", gone)
    assert run(capsys, "list", "-c", TEST_URI).lines == ["Id  Name  State"]


def test_info_and_domstate(capsys: Capsys, connection: virevents.Connection) -> None:
    with connection:
        connection.lookup("test").suspend()
        assert run(capsys, "info", "1", "-c", TEST_URI).lines == [
            "Id:             1",
            "Name:           test",
            f"UUID:           {UUID}",
            "State:          paused (user)",
            "Persistent:     yes",
            "Autostart:      no",
            "Managed save:   no",
        ]
        assert run(capsys, "domstate", UUID, "-c", TEST_URI).out == "paused\n"
        assert run(capsys, "domstate", UUID, "--reason", "-c", TEST_URI).out == "paused (user)\n"
        connection.lookup("test").destroy()
        assert run(capsys, "info", "test", "-c", TEST_URI).lines[0] == "Id:             -"


def test_dumpxml_is_what_define_takes(capsys: Capsys, tmp_path: Path) -> None:
    file = tmp_path / "test.xml"
    shown = run(capsys, "dumpxml", "--inactive", "test", "-c", TEST_URI)
    file.write_text(shown.out, encoding="utf-8")
    assert run(capsys, "define", str(file), "-c", TEST_URI).out == "domain test defined\n"


@pytest.mark.parametrize("verb", ["info", "domstate", "dumpxml"])
def test_a_domain_that_is_not_there_is_1(capsys: Capsys, verb: str) -> None:
    done = run(capsys, verb, "nix", "-c", TEST_URI)
    assert done.status == 1
    assert done.err == f"virevents: {TEST_URI} has no domain with the id, uuid or name 'nix'\n"


def test_where_nobody_starts_domains_autostart_is_not_known(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: virevents.Domain) -> bool:
        raise virevents.UnsupportedError("not here")

    monkeypatch.setattr(virevents.Domain, "is_autostarted", property(refuse))
    assert "Autostart:      -" in run(capsys, "info", "test", "-c", TEST_URI).lines
