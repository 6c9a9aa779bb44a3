# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

import virevents
from tests.survival.processes import definition_of, marked
from virevents.drivers.qemu.confinement import UNCONFINED, Confinement, Identity
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.process import spawn
from virevents.errors import InvalidArgumentError, OperationFailedError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_known_user() -> None:
    me = pwd.getpwuid(os.geteuid())
    by_name = Confinement.parse(me.pw_name, None)
    assert by_name == Confinement.parse(str(me.pw_uid), None)
    assert by_name.identity == Identity(me.pw_uid, me.pw_gid)
    for unknown in ("nobody-of-that-name", f"{me.pw_name}:no-such-group", "", "99999999999999"):
        with pytest.raises(InvalidArgumentError, match="that the system knows"):
            Confinement.parse(unknown, None)
    assert Confinement.parse(None, None) == UNCONFINED


def test_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(InvalidArgumentError, match="only root"):
        Confinement.parse("root", None)


def test_a_control_group_is_a_folder_of_its_file_system(tmp_path: Path) -> None:
    for wrong in (str(tmp_path), "relative", ""):
        with pytest.raises(InvalidArgumentError, match=r"has a file cgroup\.procs"):
            Confinement.parse(None, wrong)
    (tmp_path / "cgroup.procs").touch()
    assert Confinement.parse(None, str(tmp_path)).group == tmp_path


def run(log: Path, script: str, confinement: Confinement) -> str:
    process = spawn(["/bin/sh", "-c", script], descriptors=(), log=log, confinement=confinement)

    async def until_its_end() -> None:
        ended = asyncio.Event()
        process.watch(lambda _status: ended.set())
        await ended.wait()

    asyncio.run(until_its_end())
    return log.read_text()


@needs_root
def test_nobodys_groups(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    script = "id -u; id -g; id -G; ulimit -c"
    printed = run(tmp_path / "log", script, Confinement.parse("nobody", None))
    assert printed.split() == [str(nobody.pw_uid), str(nobody.pw_gid), str(nobody.pw_gid), "0"]


@needs_root
def test_another_user_passes_through_to_its_own_folder(tmp_path: Path) -> None:
    nobody = Confinement.parse("nobody", None)
    tmp_path.chmod(0o755)
    directory = DomainDirectory(tmp_path / "root", nobody)
    try:
        own = tmp_path / "root" / "run" / "own"
        own.mkdir(mode=0o700)
        nobody.give(own)
        assert stat.S_IMODE((tmp_path / "root" / "run").stat().st_mode) == 0o710
        assert stat.S_IMODE((tmp_path / "root" / "domains").stat().st_mode) == 0o700
    finally:
        directory.close()


def test_each_process_joins_the_control_group(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "cgroup.procs").touch()
    printed = run(tmp_path / "log", "echo $$", Confinement.parse(None, str(group)))
    assert (group / "cgroup.procs").read_text() == printed


def test_a_control_group_that_refuses_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    gone = Confinement(group=tmp_path / "gone")
    with pytest.raises(OperationFailedError, match="could not watch QEMU"):
        spawn(["/bin/sleep", "60"], descriptors=(), log=tmp_path / "log", confinement=gone)
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


@needs_root
@pytest.mark.qemu
def test_a_real_qemu_runs_as_another_user() -> None:
    """Through its whole life: started, paused, saved, restored, taken up, destroyed."""
    with tempfile.TemporaryDirectory(prefix="virevents-run-as-") as folder:
        Path(folder).chmod(0o711)  # whoever it runs as must pass through
        root = Path(folder) / "root"
        xml = definition_of(root, "web")
        (root / "rom-idle.bin").chmod(0o644)
        uri = f"qemu:///embed?root={root}&run_as=nobody"
        with virevents.open(uri) as connection:
            domain = connection.create(xml)
            (pid,) = marked(root)
            assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
            domain.suspend()
            domain.save(str(root / "saved"))
            connection.restore(str(root / "saved"))
        with virevents.open(uri) as connection:
            connection.lookup("web").resume()
            connection.lookup("web").destroy()
        assert not marked(root)
