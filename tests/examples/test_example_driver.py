# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example driver passes the conformance kit, and shows what its documentation says."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import uvloop

from examples.example_driver import EXAMPLE, ExampleDriver
from virevents.drivers import DRIVERS
from virevents.testing.conformance import Profile
from virevents.testing.conformance.suite import ConformanceSuite

_ROOT: Final = Path(__file__).parents[2]
_EXAMPLE: Final = _ROOT / "examples" / "example_driver.py"


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def example_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `virevents.open` find it, as a line in DRIVERS would."""
    monkeypatch.setitem(DRIVERS, "example", EXAMPLE)


class TestExampleDriver(ConformanceSuite):
    profile = Profile(
        "example",
        uri=lambda _: "example:///here",
        xml=lambda _, name, uuid: (
            f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
            "<vcpu>1</vcpu><os><type>hvm</type></os></domain>"
        ),
        capabilities=ExampleDriver.capabilities,
        refused=frozenset({"start_paused", "start_autodestroy"}),
    )


def test_it_shows_a_life() -> None:
    done = subprocess.run(
        [sys.executable, str(_EXAMPLE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1 defined added",
        "2 started booted",
        "3 suspended paused",
        "4 stopped destroyed",
        "5 undefined removed",
    ]


def test_every_number_of_the_walk_is_in_the_page() -> None:
    numbers = set(re.findall(r"# \((\d+)\)", _EXAMPLE.read_text()))
    page = (_ROOT / "docs" / "drivers.md").read_text()
    assert numbers
    assert numbers == set(re.findall(r"^\| \((\d+)\) \|", page, re.MULTILINE))
