# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from virevents.drivers.qemu import sweeping
from virevents.drivers.qemu.status import RunFolder
from virevents.drivers.qemu.sweeping import Sweeper, cut_logs
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


def test_bounded(tmp_path: Path) -> None:
    """Its writer, which appends, goes on at its new beginning."""
    log, other = tmp_path / "long.log", tmp_path / "short.log"
    other.write_bytes(b"short")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    writer = os.open(log, flags, 0o600)
    os.write(writer, b"begin" + bytes(5 << 20) + b"end")
    cut_logs(tmp_path)
    os.write(writer, b"more")
    os.close(writer)
    assert log.read_bytes() == b"more"
    kept = (tmp_path / "long.log.old").read_bytes()
    assert len(kept) == 1 << 20
    assert kept.endswith(b"end")
    assert other.read_bytes() == b"short"


def test_bounded_whenever_it_is_looked_at(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_LOOK_EVERY", 0.001)
    looked = threading.Semaphore(0)

    def look(_folder: Path) -> None:
        looked.release()
        raise OSError("a broken disk")

    monkeypatch.setattr(sweeping, "cut_logs", look)
    sweeper = Sweeper(loop.loop)
    sweeper.watch_logs(tmp_path)
    for _ in range(3):
        assert looked.acquire(timeout=PATIENCE)
    assert sweeper.stop(PATIENCE)
    sweeper.watch_logs(tmp_path)


def test_a_loop_that_stopped_looks_no_more(tmp_path: Path) -> None:
    loop = LoopThread()
    loop.start()
    sweeper = Sweeper(loop.loop)
    assert loop.stop(PATIENCE)
    sweeper.watch_logs(tmp_path)
    assert sweeper.stop(PATIENCE)
