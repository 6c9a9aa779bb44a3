# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writing a domain's memory to a file."""

from pathlib import Path

import pytest

import virevents
from tests.cli.running import TEST_URI, run

Capsys = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "method", "asked"),
    [
        (["save", "test", "x"], "save", (Path("x"), {"paused": None})),
        (["save", "test", "x", "--paused"], "save", (Path("x"), {"paused": True})),
        (["save", "test", "x", "--running"], "save", (Path("x"), {"paused": False})),
        (["managedsave", "test"], "managed_save", ({"paused": None},)),
        (["managedsave", "test", "--paused"], "managed_save", ({"paused": True},)),
        (["managedsave-remove", "test"], "managed_save_remove", ({},)),
        (["dump", "test", "x"], "core_dump", (Path("x"), {"mode": virevents.CoreDumpMode.PAUSE})),
        (
            ["dump", "--live", "test", "x"],
            "core_dump",
            (Path("x"), {"mode": virevents.CoreDumpMode.LIVE}),
        ),
        (
            ["dump", "--reset", "test", "x"],
            "core_dump",
            (Path("x"), {"mode": virevents.CoreDumpMode.RESET}),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_are_passed_on(
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    method: str,
    asked: tuple[object, ...],
) -> None:
    met: list[object] = []

    def note(_: object, *given: object, **named: object) -> None:
        met.append((*given, named))

    monkeypatch.setattr(virevents.Domain, method, note)
    done = run(capsys, "-c", TEST_URI, *arguments)
    assert (done.status, done.err) == (0, "")
    assert met == [asked]


def test_one_fate(capsys: Capsys, tmp_path: Path) -> None:
    file = tmp_path / "core"
    done = run(capsys, "-c", TEST_URI, "dump", "test", str(file), "--crash", "--live")
    assert done.status == 2
    assert "expected one of --live, --crash and --reset, met --live and --crash" in done.err
    assert not file.exists()
