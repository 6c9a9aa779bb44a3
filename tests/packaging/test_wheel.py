# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wheel as a user gets it: its declared dependencies alone, in a clean environment."""

import shutil
import subprocess
import sys
import venv
from email.parser import HeaderParser
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest

import virevents
from tests.architecture.source_tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SOURCES: Final = ("LICENSE", "README.md", "pyproject.toml")
_NOT_INSTALLED: Final = ("uvloop", "msgspec", "pytest")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the pinned tools of this environment from a clean copy."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in _SOURCES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, checkout)
    made = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", checkout / "src", ignore=made)
    out = tmp_path_factory.mktemp("wheel")
    _run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
        *("--outdir", str(out), str(checkout)),
    )
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment in which only the wheel was asked for."""
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, with_pip=True)
    # Same versions as everywhere else, so that this tests the wheel and not today's registry.
    pins = ROOT / "requirements" / "run.txt"
    constraints = home / "constraints.txt"
    constraints.write_text(_without_hashes(pins.read_text(encoding="utf-8")), encoding="utf-8")
    _run(
        *(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"),
        *("--disable-pip-version-check", "-c", str(constraints), str(wheel)),
    )
    return home / "bin"


def _without_hashes(pins: str) -> str:
    """The pinned versions alone: a wheel just built has no pinned hash."""
    lines = [line.removesuffix("\\").rstrip() for line in pins.splitlines()]
    return "".join(f"{line}\n" for line in lines if line and not line.startswith((" ", "#")))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_wheel_runs_with_its_declared_dependencies_alone(installed: Path) -> None:
    printed = _run(str(installed / "virevents"), "--version")
    assert virevents.__version__ in printed
    for name in _NOT_INSTALLED:
        probe = (
            f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
        )
        _run(str(installed / "python"), "-c", probe)


def test_every_public_module_imports_from_the_wheel(installed: Path) -> None:
    # But what is for pytest's users: that module says that it needs it.
    script = """\
import importlib, pkgutil, virevents
for info in pkgutil.walk_packages(virevents.__path__, "virevents."):
    try:
        importlib.import_module(info.name)
    except ModuleNotFoundError as missing:
        if missing.name != "pytest" or not info.name.startswith("virevents.testing."):
            raise
"""
    _run(str(installed / "python"), "-W", "error", "-c", script)


def test_wheel_is_typed_licensed_and_has_the_code_only(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        facts = HeaderParser().parsestr(archive.read(metadata).decode())
    assert "virevents/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"virevents", metadata.partition("/")[0]}
    assert facts["License-Expression"] == "LGPL-2.1-or-later"
    assert facts["Version"] == virevents.__version__
    assert facts["Requires-Python"] == ">=3.11"
