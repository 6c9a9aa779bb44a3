# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scripts: plain POSIX sh, an alias each, and a clear word where they cannot go on."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT

_SCRIPTS: Final = sorted((ROOT / "script").iterdir())
_PROGRAMS: Final = [path for path in _SCRIPTS if path.name != "bootstrap"]


def _sh(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.mark.parametrize("path", _SCRIPTS, ids=lambda path: path.name)
def test_is_plain_sh(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert _sh(f"sh -n {path}").stderr == ""


@pytest.mark.parametrize("path", _PROGRAMS, ids=lambda path: path.name)
def test_can_be_run(path: Path) -> None:
    assert os.access(path, os.X_OK)


def test_make_has_aliases_only() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [targets] = re.findall(r"^(\w[\w ]*):\n\t@script/\$@$", text, re.MULTILINE)
    assert {*targets.split()} <= {path.name for path in _PROGRAMS}


# A user who is not root, on a machine without sudo, where one program is missing.
_BARE: Final = """\
. script/bootstrap
id() { echo 1000; }
has() { [ "$1" = apt-get ]; }
"""


def test_missing_guest_is_said_and_is_no_end() -> None:
    done = _sh(_BARE + "need_qemu; echo went on")
    assert done.stdout == "went on\n"
    assert "this user may not install packages: qemu-system-x86" in done.stderr
    assert "what needs a real guest is left out" in done.stderr


def test_missing_python_is_said_and_is_the_end() -> None:
    done = _sh(_BARE + "need_python; echo went on")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs Python 3.11 or newer" in done.stderr


def test_old_python_is_not_taken(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = _sh(f". script/bootstrap; fits {old} || echo too old")
    assert done.stdout == "too old\n"


def test_environment_is_made_again_only_when_its_sources_changed(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/bin/true")
    made = f". script/bootstrap; stamp_of {folder} run > {folder}/stamp-run; is_ready {folder} run"
    assert _sh(made + " && echo ready").stdout == "ready\n"
    (folder / "stamp-run").write_text("made from something else\n", encoding="utf-8")
    again = _sh(f". script/bootstrap; is_ready {folder} run || echo not ready")
    assert again.stdout == "not ready\n"
    other = _sh(f". script/bootstrap; is_ready {folder} test || echo not ready")
    assert other.stdout == "not ready\n"
