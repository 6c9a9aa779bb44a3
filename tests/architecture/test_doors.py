# SPDX-License-Identifier: LGPL-2.1-or-later
"""Some names of the standard library have one door in this project.

Ruff's ``banned-api`` says the same, but has one code for all: a room that may use one of the names
could then use every one of them. Here each name has its own rooms.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.architecture.source_tree import SourceFile, all_files, library_files

_PRIMITIVES = ("Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier")
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")

# name -> the rooms that may use it
DOORS: Final[dict[str, set[str]]] = {
    **{f"threading.{name}": {"sync", "loop"} for name in _PRIMITIVES},
    **{f"time.{name}": {"clock"} for name in _CLOCKS},
    "concurrent.futures": {"sync", "loop"},
    "queue": {"sync", "loop"},
}

# Modules whose names must be written with the module's, so that a schedule explorer can replace
# them, and so that this test sees them.
_QUALIFIED: Final = frozenset({"threading", "time"})


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return "?"


def used_names(source: SourceFile) -> Iterator[tuple[int, str]]:
    """Each dotted name that *source* reads or imports, with its line."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, _dotted(node)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_names_with_one_door_stay_behind_it(source: SourceFile) -> None:
    wrong = [
        f"{source.name}:{line}: {name}"
        for line, name in used_names(source)
        if name in DOORS and source.room not in DOORS[name]
    ]
    assert wrong == []


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_threading_and_time_are_written_with_the_modules_name(source: SourceFile) -> None:
    wrong = [
        f"{source.name}:{node.lineno}: from {node.module} import ..."
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module in _QUALIFIED
    ]
    assert wrong == []


@pytest.mark.parametrize("source", all_files(), ids=lambda source: source.name)
def test_nothing_sleeps(source: SourceFile) -> None:
    wrong = [
        f"{source.name}:{node.lineno}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and _is_sleep(node)
    ]
    assert wrong == []


def _is_sleep(call: ast.Call) -> bool:
    """Whether *call* sleeps; ``asyncio.sleep(0)`` gives way and does not."""
    name = _dotted(call.func)
    if name == "asyncio.sleep":
        return not (
            call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
        )
    return name == "time.sleep"
