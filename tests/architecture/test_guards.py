# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every mutable attribute of the library says on its line what protects it, or is Final.

An unguarded shared attribute is a fault even where today's interpreter forgives it. Whoever adds
one has to answer the question; this test sees to it that it is asked.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT, SourceFile, library_files

# A module that one thread has to itself, or whose objects never change, says so once, at its top.
_WHOLE_MODULE: Final = re.compile(r"\b(Confined to|Immutable)\b")

# Programs of one thread, and values that errors carry to whoever catches them.
_ROOMS_ASIDE: Final = frozenset({"cli", "errors"})


def _is_final(annotation: ast.expr | None) -> bool:
    return (
        annotation is not None
        and re.match(r"(typing\.)?Final\b", ast.unparse(annotation)) is not None
    )


def _attributes(body: ast.AST) -> Iterator[tuple[ast.stmt, str, ast.expr | None]]:
    """Each ``self.name = ...`` below *body*, with its annotation."""
    for node in ast.walk(body):
        targets: list[ast.expr]
        annotation = None
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets, annotation = [node.target], node.annotation
        else:
            continue
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if (
                    isinstance(part, ast.Attribute)
                    and isinstance(part.value, ast.Name)
                    and part.value.id == "self"
                ):
                    yield node, part.attr, annotation


def _has_comment(source: SourceFile, node: ast.stmt) -> bool:
    lines = source.text.splitlines()
    above = lines[node.lineno - 2].strip()
    own = lines[node.lineno - 1 : node.end_lineno]
    return above.startswith("#") or any("  # " in line for line in own)


def unanswered(source: SourceFile) -> list[str]:
    """The attributes made in a constructor that are neither Final nor say what protects them."""
    if _WHOLE_MODULE.search(ast.get_docstring(source.tree) or ""):
        return []
    found = []
    for owner in ast.walk(source.tree):
        if not (isinstance(owner, ast.FunctionDef) and owner.name == "__init__"):
            continue
        answered: set[str] = set()  # a later assignment repeats what the first one says
        for node, name, annotation in _attributes(owner):
            if _is_final(annotation) or _has_comment(source, node):
                answered.add(name)
            elif name not in answered:
                found.append(f"{source.name}:{node.lineno}: self.{name}")
    return found


@pytest.mark.parametrize("source", library_files(), ids=lambda source: source.name)
def test_every_mutable_attribute_says_what_protects_it(source: SourceFile) -> None:
    if source.room not in _ROOMS_ASIDE:
        assert unanswered(source) == []


def _planted(line: str) -> SourceFile:
    source = SourceFile(ROOT / "src" / "virevents" / "planted" / "planted.py")
    text = f'"""Planted."""\n\n\nclass Planted:\n    def __init__(self) -> None:\n        {line}\n'
    vars(source)["text"] = text  # in the place of the cached property
    return source


@pytest.mark.parametrize("line", ["self._count = 0", "self._a, self._b = 0, 0"])
def test_notices_an_attribute_without_an_answer(line: str) -> None:
    assert unanswered(_planted(line))


@pytest.mark.parametrize("line", ["self._count = 0  # guarded by _lock", "self._a: Final = 0"])
def test_takes_an_answer(line: str) -> None:
    assert unanswered(_planted(line)) == []
