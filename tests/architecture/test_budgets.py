# SPDX-License-Identifier: LGPL-2.1-or-later
"""Budgets, docstrings aside: a module 400 lines, the body of a function 40.

Past a budget, look for the second thing that the code is doing; an exemption needs a reason.
"""

import ast
from typing import Final

import pytest

from tests.architecture.source_tree import Function, SourceFile, functions_of, library_files

_MODULE_LINES: Final = 400
_FUNCTION_LINES: Final = 40

# "path" or "path:function" -> why it may be longer.
EXEMPT: Final[dict[str, str]] = {}


def _docstring_lines(node: ast.Module | ast.ClassDef | Function) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def module_lines(source: SourceFile) -> int:
    """The lines of a module without those of its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, documented)]
    return len(source.text.splitlines()) - sum(_docstring_lines(node) for node in nodes)


def body_lines(function: Function) -> int:
    """The lines of a function below its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def over_budget(source: SourceFile) -> list[str]:
    """What in *source* is too long and not exempt."""
    found = []
    if module_lines(source) > _MODULE_LINES and source.name not in EXEMPT:
        found.append(f"{source.name}: {module_lines(source)} lines")
    for name, function in functions_of(source.tree):
        if body_lines(function) > _FUNCTION_LINES and f"{source.name}:{name}" not in EXEMPT:
            found.append(f"{source.name}:{name}: {body_lines(function)} lines")
    return found


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_budget(source: SourceFile) -> None:
    if not source.is_generated:
        assert over_budget(source) == []


def test_every_exemption_is_still_needed() -> None:
    names = {source.name for source in library_files()}
    for exempt, reason in EXEMPT.items():
        assert exempt.partition(":")[0] in names
        assert reason
