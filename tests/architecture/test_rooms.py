# SPDX-License-Identifier: LGPL-2.1-or-later
"""The map of the rooms: what import-linter cannot say by itself."""

import ast
import tomllib

import pytest

from tests.architecture.source_tree import ROOT, SourceFile, all_files, functions_of, library_files
from tools.symbols import public_modules

# Each codec is a room in the room of the wire: who needs one does not load the others.
_CODECS = {
    f"virevents.wire.{folder.parent.name}"
    for folder in (ROOT / "src/virevents/wire").glob("*/__init__.py")
}
# What other rooms may import: the surfaces, and the one module that is only there under a
# shorter name.
_PUBLIC = {*_CODECS, *(module.__name__ for module in public_modules())}
_FACES = {"src/virevents/aio.py": "virevents.connection.aio"}


def test_each_driver_is_in_the_contract_of_independence() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    [declared] = [contract["modules"] for contract in contracts if contract["id"] == "drivers"]
    folders = sorted((ROOT / "src/virevents/drivers").glob("*/__init__.py"))
    assert declared == [f"virevents.drivers.{folder.parent.name}" for folder in folders]


def test_what_the_contract_of_cycles_leaves_out_is_for_types_only() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    [ignored] = [c["ignore_imports"] for c in contracts if c["id"] == "acyclic"]
    for line in ignored:
        importer, imported = line.split(" -> ")
        path = ROOT / "src" / (importer.replace(".", "/") + ".py")
        at_run_time = ast.parse(path.read_text(encoding="utf-8")).body
        names = {node.module for node in at_run_time if isinstance(node, ast.ImportFrom)}
        assert imported not in names, line


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_across_rooms_the_surface_is_imported(source: SourceFile) -> None:
    wrong = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            is_inner = parts[0] == "virevents" and len(parts) > 2 and parts[1] != source.room
            if is_inner and node.module not in {*_PUBLIC, _FACES.get(source.name)}:
                wrong.append(f"{source.name}:{node.lineno}: {node.module}")
    assert wrong == []


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_nothing_is_imported_inside_a_function(source: SourceFile) -> None:
    wrong = [
        f"{source.name}:{node.lineno}"
        for _, function in functions_of(source.tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert wrong == []


def test_no_room_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "common", "manager", "misc"}
    assert [s.name for s in library_files() if drawers & {*s.path.parts, s.path.stem}] == []


@pytest.mark.parametrize("source", all_files(), ids=lambda source: source.name)
def test_no_path_of_one_machine(source: SourceFile) -> None:
    # Written in two parts, so that this file does not name what it looks for.
    for word in ("/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/"):
        assert word not in source.text
