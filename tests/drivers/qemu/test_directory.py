# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from virevents.definition import DomainDefinition, DomainType
from virevents.drivers.qemu import directory as directory_module
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.errors import OpenError

DEFINITION: Final = DomainDefinition(
    name="web1",
    uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
    memory_kib=8192,
    current_memory_kib=8192,
    domain_type=DomainType.QEMU,
)
OTHER: Final = replace(DEFINITION, name="web2", uuid="00000000-f6a4-8304-79aa-97f2502e193f")

HOLDER: Final = """
import sys
from pathlib import Path
from virevents.drivers.qemu.directory import DomainDirectory
held = DomainDirectory(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_is_saved_is_there_again(tmp_path: Path) -> None:
    with closing(DomainDirectory(tmp_path / "new" / "root")) as directory:
        directory.save(DEFINITION)
        directory.save(OTHER)
        directory.save(replace(DEFINITION, vcpus=4))
    with closing(DomainDirectory(tmp_path / "new" / "root")) as directory:
        assert list(directory.definitions()) == [OTHER, replace(DEFINITION, vcpus=4)]
        directory.remove(OTHER.uuid)
        directory.remove(OTHER.uuid)
        assert list(directory.definitions()) == [replace(DEFINITION, vcpus=4)]


def test_one_owner_in_this_process(tmp_path: Path) -> None:
    expected = pytest.raises(
        OpenError, match=f"is in use by process {os.getpid()}: .* need the daemon"
    )
    with closing(DomainDirectory(tmp_path)), expected:
        DomainDirectory(tmp_path)
    with closing(DomainDirectory(tmp_path)) as directory:
        directory.close()


def test_one_owner_in_all_processes(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OpenError, match=f"is in use by process {holder.pid}: "):
            DomainDirectory(tmp_path)
        holder.kill()  # the system lets go of what a killed process held
        holder.wait(10)
        with closing(DomainDirectory(tmp_path)):
            pass


def test_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power fails between any two steps of a save: the old definition is there, or the new."""
    newer = replace(DEFINITION, vcpus=4)

    class PowerFailureError(Exception):
        pass

    def fail(*_: object) -> None:
        raise PowerFailureError

    for owner, step in ((os, "fsync"), (Path, "replace")):
        with closing(DomainDirectory(tmp_path)) as directory:
            directory.save(DEFINITION)
            with monkeypatch.context() as patched:
                patched.setattr(owner, step, fail)
                with pytest.raises(PowerFailureError):
                    directory.save(newer)
        with closing(DomainDirectory(tmp_path)) as directory:
            assert list(directory.definitions()) == [DEFINITION]
        assert [path.suffix for path in (tmp_path / "domains").iterdir()] == [".xml"]


def test_keeps_going(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(DomainDirectory(tmp_path)) as directory:
        directory.save(DEFINITION)
        domains = tmp_path / "domains"
        (domains / "broken.xml").write_text("<domain")
        (domains / "README").write_text("not one of ours")
        copy = domains / f"{OTHER.uuid}.xml"
        copy.write_bytes((domains / f"{DEFINITION.uuid}.xml").read_bytes())
        assert list(directory.definitions()) == [DEFINITION]
    assert "broken.xml is left alone" in caplog.text
    assert f"{OTHER.uuid}.xml is left alone" in caplog.text
    assert (domains / "broken.xml").exists()


def test_sockets_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o777)
    with closing(DomainDirectory(tmp_path)) as directory:
        run = directory.run_folder(1).path.parent
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        assert directory.log_path(DEFINITION.uuid).parent.is_dir()


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        DomainDirectory(tmp_path)


def test_runs_are_listed_by_their_ids(tmp_path: Path) -> None:
    with closing(DomainDirectory(tmp_path)) as directory:
        for name in ("12", "2", "007", "x", "-1"):
            (tmp_path / "run" / name).mkdir()
        assert [folder.domain_id for folder in directory.run_folders()] == [2, 12]
        assert directory.run_folder(12).path == tmp_path / "run" / "12"


def test_once_a_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_first() -> bool:
        with closing(DomainDirectory(tmp_path)) as directory:
            return directory.is_first_since_boot

    assert [is_first(), is_first()] == [True, False]
    monkeypatch.setattr(directory_module, "this_boot", lambda: "another")
    assert [is_first(), is_first()] == [True, False]
    (tmp_path / "boot").write_bytes(b"\xff")
    assert [is_first(), is_first()] == [True, False]


def test_private(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with closing(DomainDirectory(root)) as directory:
        directory.save(DEFINITION)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.iterdir()]}
    assert {modes[name] for name in ("root", "domains", "run", "log")} == {0o700}
    assert {modes[name] for name in ("lock", "boot")} == {0o600}
    definition = root / "domains" / f"{DEFINITION.uuid}.xml"
    assert stat.S_IMODE(definition.stat().st_mode) == 0o600


def test_private_or_refused(tmp_path: Path) -> None:
    """Who can rename what is in it decides what we run."""
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(OpenError, match="others cannot write to, met drwxrwxrwx"):
        DomainDirectory(root)
