# SPDX-License-Identifier: LGPL-2.1-or-later
"""The public surface: ``__all__`` is complete, every public name is documented and on record."""

import ast
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.source_tree import SourceFile, library_files
from tools import symbols

_PUBLIC = symbols.public_modules()


def _bound_names(source: SourceFile) -> set[str]:
    """The public names that a module defines, and a room's __init__ also those it passes on.

    What an __init__ imports and then uses itself is not passed on.
    """
    bound: set[str] = set()
    used = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        if isinstance(node, ast.ImportFrom) and source.path.name == "__init__.py":
            is_ours = (node.module or "").startswith("virevents")
            bound |= {alias.asname or alias.name for alias in node.names if is_ours} - used
    return {name for name in bound if not name.startswith("_")}


def _declared_names(source: SourceFile) -> list[str]:
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert isinstance(node, ast.Assign)
            names: list[str] = ast.literal_eval(node.value)
            return names
    pytest.fail(f"{source.name} has no __all__")


def _is_surface(source: SourceFile) -> bool:
    """Whether other rooms import from *source*: a room's __init__, or a room of one module."""
    is_room = source.path.name == "__init__.py" or source.path.stem == source.room
    return is_room and source.path.name != "__main__.py"


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_all_names_what_is_there_once(source: SourceFile) -> None:
    if source.path.name == "__main__.py":
        return  # a program
    declared = _declared_names(source)
    assert len(declared) == len(set(declared))


@pytest.mark.parametrize(
    "source", [s for s in library_files() if _is_surface(s)], ids=lambda source: source.name
)
def test_all_is_complete(source: SourceFile) -> None:
    assert _bound_names(source) <= set(_declared_names(source))


def _members(owner: type[object]) -> list[tuple[str, object]]:
    own = {name: member for name, member in vars(owner).items() if not name.startswith("_")}
    return [
        (name, member)
        for name, member in own.items()
        if inspect.isroutine(member) or isinstance(member, property | classmethod | staticmethod)
    ]


def _undocumented(module: ModuleType) -> list[str]:
    missing = []
    for name in module.__all__:
        member = getattr(module, name)
        if not (inspect.isclass(member) or inspect.isroutine(member)):
            continue  # a constant or an alias: its text is a comment
        if not member.__doc__:
            missing.append(name)
        if inspect.isclass(member):
            # inspect.getdoc also takes what the method overrides: that contract is inherited.
            inside = [n for n, _ in _members(member) if not inspect.getdoc(getattr(member, n))]
            missing += [f"{name}.{n}" for n in inside]
    return missing


@pytest.mark.parametrize("module", _PUBLIC, ids=lambda module: module.__name__)
def test_every_public_name_is_documented(module: ModuleType) -> None:
    assert _undocumented(module) == []


def test_every_public_name_is_on_record() -> None:
    assert symbols.differences(symbols.read(), symbols.live_names()) == []


LIVE = {"virevents": ["Connection", "open"]}
RECORDED = {"virevents": {"Connection": symbols.Entry("0.1.0"), "open": symbols.Entry("0.1.0")}}


def test_record_notices_an_added_name() -> None:
    live = {"virevents": ["Connection", "events", "open"]}
    assert symbols.differences(RECORDED, live) == ["virevents.events is public and has no entry"]


def test_record_notices_a_removed_name() -> None:
    live = {"virevents": ["Connection"]}
    assert symbols.differences(RECORDED, live) == ["virevents.open has an entry and is gone"]


def test_record_notices_a_moved_name() -> None:
    live = {"virevents": ["Connection"], "virevents.connection": ["open"]}
    assert symbols.differences(RECORDED, live) == [
        "virevents.connection.open is public and has no entry",
        "virevents.open has an entry and is gone",
    ]


def test_record_of_a_removed_name_is_kept() -> None:
    gone = symbols.Entry("0.1.0", removed="0.3.0", instead="virevents.connect")
    recorded = {"virevents": RECORDED["virevents"] | {"old": gone}}
    assert symbols.differences(recorded, LIVE) == []
    assert symbols.completed(recorded, LIVE, "0.9.0") == recorded


def test_completing_leaves_what_stands(tmp_path: Path) -> None:
    live = {"virevents": ["Connection", "events", "open"]}
    completed = symbols.completed(RECORDED, live, "0.2.0")
    assert completed["virevents"]["events"] == symbols.Entry("0.2.0")
    assert completed["virevents"]["open"] == symbols.Entry("0.1.0")
    path = tmp_path / "symbols.toml"
    path.write_text(symbols.written(completed), encoding="utf-8")
    assert symbols.read(path) == completed
