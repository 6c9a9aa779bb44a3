# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds each module to its coverage, line and branch, as script/test measured it.

In the rooms that everything stands on, every line and branch is reached, and by the module's own
test file: what another test happens to pass through is not tested. Elsewhere it is 90 %.
"""

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import coverage

ROOT: Final = Path(__file__).parent.parent
LIBRARY: Final = ROOT / "src" / "virevents"

_FULL_ROOMS: Final = frozenset({"dispatch", "loop", "model", "sync", "wire"})
_ELSEWHERE_PERCENT: Final = 90.0
_FULL_PERCENT: Final = 100.0

# Module -> the test file that is its own, where that is not tests/<room>/test_<module>.py, and why.
_TESTED_IN: Final[dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of one module was reached."""

    percent: float
    missing: str


def own_test_file(module: Path) -> Path:
    """The test file that answers for *module*."""
    name = module.relative_to(LIBRARY)
    special = _TESTED_IN.get(name.as_posix())
    return ROOT / "tests" / (special or name.with_name(f"test_{name.name}"))


def reaches(
    measured: coverage.Coverage, files: list[Path], contexts: list[str]
) -> dict[str, Reach]:
    """What the tests of *contexts* (all, if empty) reached of each file that was measured."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured.json_report(
            outfile=str(report), include=[str(file) for file in files], contexts=contexts or None
        )
        tables = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {name: _reach(table) for name, table in tables.items()}


def _reach(table: dict[str, dict[str, float] | list[int] | list[list[int]]]) -> Reach:
    summary = table["summary"]
    percent = summary["percent_covered"] if isinstance(summary, dict) else 0.0
    lines = ",".join(str(line) for line in table["missing_lines"])
    branches = ",".join(f"{b[0]}->{b[1]}" for b in table["missing_branches"] if isinstance(b, list))
    return Reach(percent, " ".join(filter(None, (lines, branches))))


def complaints(tests: coverage.Coverage, everything: coverage.Coverage) -> list[str]:
    """One sentence for each module that is not reached as it must be.

    *tests* is what ran in the tests' own process, where each line knows its test file.
    """
    modules = [module for module in sorted(LIBRARY.rglob("*.py")) if module.name != "__init__.py"]
    full = [module for module in modules if module.relative_to(LIBRARY).parts[0] in _FULL_ROOMS]
    found = [_own_complaint(tests, module) for module in full]
    whole = reaches(everything, [module for module in modules if module not in full], [])
    for name, reach in whole.items():
        if reach.percent < _ELSEWHERE_PERCENT:
            found.append(f"{name}: {reach.percent:.1f} %, not 90: {reach.missing}")
    return [sentence for sentence in found if sentence]


def _own_complaint(measured: coverage.Coverage, module: Path) -> str:
    name = module.relative_to(ROOT).as_posix()
    tests = own_test_file(module)
    test_name = tests.relative_to(ROOT).as_posix()
    if not tests.exists():
        return f"{name}: its own test file {test_name} is not there"
    # Lines that run at import have no context.
    reach = reaches(measured, [module], ["^$", f"^{re.escape(test_name)}$"]).get(name)
    if reach is None:
        return f"{name}: never imported"
    if reach.percent < _FULL_PERCENT:
        return f"{name}: {reach.percent:.1f} % by {test_name}, not 100: {reach.missing}"
    return ""


def _is_of_tests(path: Path) -> bool:
    """Whether *path* was written by pytest itself, and not by a program that a test started."""
    data = coverage.CoverageData(str(path))
    data.read()
    return any(context.startswith("tests/") for context in data.measured_contexts())


def _combined(paths: list[Path], into: Path) -> coverage.Coverage:
    measured = coverage.Coverage(data_file=str(into))
    measured.combine([str(path) for path in paths], keep=True)
    return measured


def main() -> int:
    """Print every complaint; the status is 1 if there is one."""
    written = sorted(ROOT.glob(".coverage.*"))
    of_tests = [path for path in written if _is_of_tests(path)]
    if not of_tests:
        print("coverage: nothing was measured")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        tests = _combined(of_tests, Path(folder) / "tests")
        found = complaints(tests, _combined(written, Path(folder) / "everything"))
    for sentence in found:
        print(sentence)
    print(f"coverage: {len(found)} modules below their mark")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
