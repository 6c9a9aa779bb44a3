# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files beside the definitions: there when they are said to be, and for good."""

from pathlib import Path

import pytest

from virevents.drivers.qemu.image import ImageHeader, ImageWriter
from virevents.drivers.qemu.kept import KeptFiles

WEB1 = "6695eb01-f6a4-8304-79aa-97f2502e1930"
WEB2 = "6695eb01-f6a4-8304-79aa-97f2502e1931"


def test_durable(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path / "marks")
    for _ in range(2):
        kept.mark(WEB1)
    kept.mark(WEB2)
    assert kept.uuids() == KeptFiles(tmp_path / "marks").uuids() == {WEB1, WEB2}
    for _ in range(2):
        kept.remove(WEB1)
    assert not kept.has(WEB1)
    assert kept.uuids() == KeptFiles(tmp_path / "marks").uuids() == {WEB2}


def test_durable_a_file_that_somebody_else_wrote(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path / "saves")
    kept.path(WEB1).write_bytes(b"saved")
    kept.note(WEB1)
    assert kept.has(WEB1)
    assert KeptFiles(tmp_path / "saves").has(WEB1)


def test_durable_for_the_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir(mode=0o755)
    KeptFiles(tmp_path / "marks").mark(WEB1)
    assert (tmp_path / "marks").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "marks" / WEB1).stat().st_mode & 0o777 == 0o600


def test_no_leftover(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptFiles(tmp_path / "saves")
    writer = ImageWriter(str(kept.path(WEB1)), ImageHeader("<domain/>", is_running=True))
    (half,) = (tmp_path / "saves").iterdir()
    assert KeptFiles(tmp_path / "saves").uuids() == frozenset()
    assert not half.exists()
    assert "never finished" in caplog.text
    writer.give_up()


def test_foreign(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "saves").mkdir()
    for name in ("README", WEB1.upper(), ".hidden"):
        (tmp_path / "saves" / name).write_bytes(b"mine")
    assert KeptFiles(tmp_path / "saves").uuids() == frozenset()
    assert len(list((tmp_path / "saves").iterdir())) == 3
    assert "README is left alone" in caplog.text
