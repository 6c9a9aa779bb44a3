# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps ``docs/symbols.toml``: each public name with the version that introduced it.

``tools/symbols.py`` writes the names that have no entry yet, with the version of this tree.
``tools/symbols.py --check`` writes nothing and fails when a name has no entry, or an entry no name.

An entry is never taken out by this tool: who removes or moves a name says so in its entry, which
then reads ``{ since = "0.1.0", removed = "0.3.0", instead = "virevents.other.name" }``.
"""

import importlib
import json
import pkgutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import virevents

FILE: Final = Path(__file__).parent.parent / "docs" / "symbols.toml"

# Programs, not libraries: what they offer is their command line and their protocol.
_NOT_PUBLIC: Final = frozenset({"virevents.__main__", "virevents.cli", "virevents.daemon"})

# The room whose modules are public one by one: each is for another kind of user.
_OPEN_ROOM: Final = "virevents.testing"

_HEADER: Final = """\
# Written by tools/symbols.py, and by hand where a name is removed or moved (see its docstring).
# Each public name with the version that introduced it; docs/compatibility.md says what is promised.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the file says of one name; *removed* is the version that no longer has it."""

    since: str
    removed: str = ""
    instead: str = ""

    def __str__(self) -> str:
        """The entry as TOML."""
        facts = {"since": self.since, "removed": self.removed, "instead": self.instead}
        if not self.removed:
            return json.dumps(self.since)
        inside = ", ".join(f"{key} = {json.dumps(word)}" for key, word in facts.items() if word)
        return f"{{ {inside} }}"


Symbols = dict[str, dict[str, Entry]]


def public_modules() -> list[ModuleType]:
    """The modules whose ``__all__`` is public, in the order of their names."""
    modules = [virevents]
    for parent in (virevents, *_children_named(virevents, _OPEN_ROOM)):
        modules += [m for m in _children(parent) if m.__name__ not in _NOT_PUBLIC]
    return sorted(modules, key=lambda module: module.__name__)


def _children(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
    public = [n for n in names if n not in _NOT_PUBLIC and not n.rpartition(".")[2].startswith("_")]
    return [importlib.import_module(name) for name in public]


def _children_named(package: ModuleType, name: str) -> list[ModuleType]:
    return [module for module in _children(package) if module.__name__ == name]


def live_names() -> dict[str, list[str]]:
    """The public names of this tree, by module."""
    return {module.__name__: sorted(getattr(module, "__all__", [])) for module in public_modules()}


def read(path: Path = FILE) -> Symbols:
    """What the file says; nothing where there is none."""
    if not path.exists():
        return {}
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        module: {
            name: Entry(said) if isinstance(said, str) else Entry(**said)
            for name, said in entries.items()
        }
        for module, entries in tables.items()
    }


def written(symbols: Symbols) -> str:
    """The file's text."""
    lines = [_HEADER]
    for module in sorted(symbols):
        if not symbols[module]:
            continue
        lines.append(f"\n[{json.dumps(module)}]\n")
        lines += [f"{name} = {entry}\n" for name, entry in sorted(symbols[module].items())]
    return "".join(lines)


def differences(symbols: Symbols, live: dict[str, list[str]]) -> list[str]:
    """One sentence for each name that the file and the tree disagree about."""
    recorded = {
        f"{m}.{n}" for m, names in symbols.items() for n, e in names.items() if not e.removed
    }
    present = {f"{module}.{name}" for module, names in live.items() for name in names}
    return [
        *(f"{name} is public and has no entry" for name in sorted(present - recorded)),
        *(f"{name} has an entry and is gone" for name in sorted(recorded - present)),
    ]


def completed(symbols: Symbols, live: dict[str, list[str]], version: str) -> Symbols:
    """*symbols* with an entry for every name of *live*; those that stand stay as they are."""
    return {
        module: {name: Entry(version) for name in live.get(module, [])} | symbols.get(module, {})
        for module in live.keys() | symbols.keys()
    }


def main() -> int:
    """Write the missing entries, or with --check say what is wrong."""
    live = live_names()
    if "--check" not in sys.argv[1:]:
        symbols = completed(read(), live, virevents.__version__)
        FILE.write_text(written(symbols), encoding="utf-8")
    wrong = differences(read(), live)
    for sentence in wrong:
        print(f"docs/symbols.toml: {sentence}")
    if wrong:
        print("Added: run tools/symbols.py. Removed or moved: mark the entry, see its docstring.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
