# SPDX-License-Identifier: LGPL-2.1-or-later
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from virevents.drivers.qemu.status import RunFolder
from virevents.drivers.qemu.sweeping import Sweeper
from virevents.loop import LoopThread

PATIENCE: Final = 30.0


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    made.start()
    yield made
    assert made.stop(PATIENCE)


def folders(root: Path) -> list[RunFolder]:
    made = [root / str(number) for number in range(5)]
    for path in made:
        path.mkdir()
        (path / "status").touch()
    return [RunFolder(path) for path in made]


def test_all_swept(loop: LoopThread, tmp_path: Path) -> None:
    sweeper = Sweeper(loop.loop)
    for folder in folders(tmp_path):
        sweeper.remove(folder)
    assert sweeper.stop(PATIENCE)
    assert list(tmp_path.iterdir()) == []
    assert sweeper.stop(PATIENCE)


def test_never_here(loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a removal that takes long keeps nobody but `stop`, and that until its deadline."""
    may_go = threading.Event()
    threads = set()

    def remove(_folder: RunFolder) -> None:
        assert may_go.wait(PATIENCE)
        threads.add(threading.current_thread())

    monkeypatch.setattr(RunFolder, "remove", remove)
    sweeper = Sweeper(loop.loop)
    for folder in folders(tmp_path):
        sweeper.remove(folder)
    assert not sweeper.stop(0.0)
    may_go.set()
    assert sweeper.stop(PATIENCE)
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_what_cannot_be_removed_is_logged(
    loop: LoopThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_folder: RunFolder) -> None:
        raise OSError("a broken disk")

    monkeypatch.setattr(RunFolder, "remove", fail)
    sweeper = Sweeper(loop.loop)
    sweeper.remove(folders(tmp_path)[0])
    assert sweeper.stop(PATIENCE)
    assert "a broken disk" in caplog.text
