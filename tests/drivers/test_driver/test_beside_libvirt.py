# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our test driver beside libvirt's: the same operations, the same events, states and errors."""

import json
import os
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.drivers.test_driver.operations import Operation, operations
from tests.drivers.test_driver.ours import Outcome, run_all

pytestmark = pytest.mark.libvirt

_SYSTEM_PYTHON: Final = "/usr/bin/python3"
_SCRIPT: Final = Path(__file__).with_name("stock_libvirt.py")
_HAS_LIBVIRT: Final = [_SYSTEM_PYTHON, "-c", "import libvirt"]


@pytest.fixture
def stock_python() -> str:
    """The interpreter that has python3-libvirt; in CI it must be there."""
    has_it = Path(_SYSTEM_PYTHON).exists() and (
        subprocess.run(_HAS_LIBVIRT, check=False, capture_output=True).returncode == 0
    )
    if not has_it and os.environ.get("CI"):
        pytest.fail(f"{_SYSTEM_PYTHON} has no python3-libvirt, and this is CI")
    if not has_it:
        pytest.skip(f"{_SYSTEM_PYTHON} has no python3-libvirt: nothing was compared")
    return _SYSTEM_PYTHON


def _stock(python: str, wanted: list[Operation]) -> list[Outcome]:
    done = subprocess.run(
        [python, str(_SCRIPT)],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[Outcome] = json.loads(done.stdout)
    return outcomes


class Difference(NamedTuple):
    """One field in which an operation's outcome differs, and why it may."""

    operation: str
    field: str
    ours: object
    stock: object


def _of_t1(outcome: Outcome) -> dict[str, object]:
    """The outcome as JSON has it, the domains reduced to the numbers of state and reason."""
    states = {str(domain[0]): domain[2:4] for domain in outcome["domains"]}
    others = {str(domain[0]): [domain[1], *domain[4:]] for domain in outcome["domains"]}
    events = [list(event) for event in outcome["events"]]
    return {"events": events, "error": outcome["error"], "states": states, "others": others}


def _differences(wanted: list[Operation], stock: list[Outcome]) -> list[Difference]:
    found = []
    for operation, our, their in zip(wanted, run_all(wanted), stock, strict=True):
        ours, theirs = _of_t1(our), _of_t1(their)
        words = " ".join(str(word) for word in operation[:2])
        found += [
            Difference(words, field, ours[field], theirs[field])
            for field in ours
            if ours[field] != theirs[field]
        ]
    return found


# Libvirt takes a transient domain that stops off its list without clearing the id first, so the
# event has the id of a domain that no longer runs. Our events say -1 for all that do not run: on
# purpose.
_NO_ID_WHEN_STOPPED: Final = [
    Difference("shutdown t1", "events", [["t1", -1, 5, 0]], [["t1", 12, 5, 0]]),
    Difference("destroy t1", "events", [["t1", -1, 5, 1]], [["t1", 13, 5, 1]]),
]

# Text that is no XML has an error number of its own at libvirt's (VIR_ERR_XML_DETAIL); ours says
# VIR_ERR_XML_ERROR for all that is wrong with a definition, and names the place in the error.
_NO_XML: Final = [Difference("define <domain", "error", 27, 35)]


def test_as_libvirt(stock_python: str, tmp_path: Path) -> None:
    """Every operation ends as libvirt's does, but for the differences that are listed here."""
    wanted = operations(tmp_path)
    assert len(wanted) > 90
    found = _differences(wanted, _stock(stock_python, wanted))
    assert sorted(map(str, found)) == sorted(map(str, [*_NO_ID_WHEN_STOPPED, *_NO_XML]))


def test_the_default_domain(stock_python: str) -> None:
    wanted: list[Operation] = [["lookup", "test"]]
    assert _differences(wanted, _stock(stock_python, wanted)) == []
