# SPDX-License-Identifier: LGPL-2.1-or-later
"""One run of mypy over what users write and what they must not."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
RIGHT: Final = HERE / "what_users_write.py"
WRONG: Final = HERE / "what_is_refused.py.txt"

# Users' settings, not ours: strict, and nothing of this project's file.
_SETTINGS: Final = f"""
[mypy]
strict = true
mypy_path = {ROOT / "src"}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """The errors that mypy finds: file, line, code."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "mypy.ini").write_text(_SETTINGS, encoding="utf-8")
    (folder / "right.py").write_bytes(RIGHT.read_bytes())
    (folder / "wrong.py").write_bytes(WRONG.read_bytes())
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "users"),
         "--no-error-summary", "right.py", "wrong.py"],
        cwd=folder, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    errors: dict[str, dict[int, str]] = {"right.py": {}, "wrong.py": {}}
    for line in run.stdout.splitlines():
        met = re.fullmatch(r"(.+?):(\d+): error: .*\[([a-z-]+)\]", line)
        if met:
            errors.setdefault(met[1], {})[int(met[2])] = met[3]
    return errors


def test_what_users_write_infers(found: dict[str, dict[int, str]]) -> None:
    assert found["right.py"] == {}


def test_mistakes_are_found_where_they_are_and_nowhere_else(
    found: dict[str, dict[int, str]],
) -> None:
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    expected = {
        number: line.partition("# E: ")[2]
        for number, line in enumerate(lines, 1)
        if "# E: " in line
    }
    assert len(expected) > 25
    assert found["wrong.py"] == expected


def test_the_library_itself_is_clean_for_its_users(found: dict[str, dict[int, str]]) -> None:
    assert set(found) == {"right.py", "wrong.py"}
