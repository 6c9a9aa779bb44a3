# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file that is in its place when it is whole, and not before."""

import os
from pathlib import Path

import pytest

from virevents.drivers.qemu import placing
from virevents.drivers.qemu.placing import PlacedFile
from virevents.errors import HostError, InvalidArgumentError, OperationFailedError


def refuse(_: object) -> None:
    raise OSError(28, "No space left on device")


def write(path: Path, data: bytes = b"whole") -> None:
    with PlacedFile(str(path)) as file:
        os.write(file.descriptor, data)
        file.finish()


def test_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(b"before")
    with PlacedFile(str(path)) as file:
        os.write(file.descriptor, b"..ole")
        file.write_at_start(b"wh")
        assert path.read_bytes() == b"before"
        file.finish()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_or_not_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"before")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"whole"


def test_whole_or_not_the_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e9" * 127)
    write(path)
    assert path.read_bytes() == b"whole"


def test_private(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(b"for all")
    path.chmod(0o666)
    write(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_leaves_nothing(tmp_path: Path) -> None:
    with PlacedFile(str(tmp_path / "core")) as file:
        os.write(file.descriptor, b"half")
        assert len(list(tmp_path.iterdir())) == 1
        file.give_up()
        file.give_up()
    assert list(tmp_path.iterdir()) == []


def test_leaves_nothing_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"Failed to create file '.*/no/core': No such file"):
        PlacedFile(str(tmp_path / "no" / "core"))
    with pytest.raises(HostError, match="Is a directory"):
        PlacedFile(str(tmp_path))
    for path in ("core", "", "/tmp/\0core"):
        with pytest.raises(InvalidArgumentError, match="expected an absolute path"):
            PlacedFile(path)


def test_leaves_nothing_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PlacedFile("/dev/full") as file:
        with pytest.raises(OperationFailedError, match="Unable to write /dev/full: No space"):
            file.write_at_start(b"x")
        file.finish()  # a device without a disk has nothing to sync
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch, PlacedFile(str(tmp_path / "core")) as file:
            patch.setattr(os, name, lambda *_: refuse(None))
            with pytest.raises(OperationFailedError, match="No space"):
                file.finish()
        assert list(tmp_path.iterdir()) == []


def test_leaves_nothing_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(HostError, match="expected a regular file"):
            PlacedFile(str(tmp_path / "pipe"))
        with pytest.raises(HostError, match="Failed to create"):
            PlacedFile(str(tmp_path / "pipe" / "below"))
    finally:
        os.close(reader)


def test_whole_or_not_when_only_the_folder_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "sync_folder", refuse)
    with PlacedFile(str(tmp_path / "core")) as file:
        os.write(file.descriptor, b"whole")
        with pytest.raises(OperationFailedError, match="No space"):
            file.finish()
    assert (tmp_path / "core").read_bytes() == b"whole"
