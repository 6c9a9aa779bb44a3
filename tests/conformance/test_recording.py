# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real libvirtd of this machine still does what was recorded: a sample; more in script/long.

A version other than the recorded one may do something else: then this fails, and whoever reads it
records again and looks at the difference.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest

from tests.conformance.lifecycle.outcome import compared
from tests.conformance.lifecycle.recording import load
from tests.conformance.lifecycle.scenarios import GOLDEN, SCENARIOS
from tests.conformance.lifecycle.theirs import Theirs
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd, need_libvirtd

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu]

_RECORDING: Final = load()["scenarios"]
_SAMPLE: Final = ("rename", "shutdown_acpi", "restore", "io_error_stop", "qemu_sigkill")


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    need_libvirtd()
    with PrivateLibvirtd() as libvirtd, closing(Theirs(libvirtd)) as made:
        yield made


def _play(theirs: Theirs, name: str) -> None:
    for outcome, record in zip(theirs.play(SCENARIOS[name]), _RECORDING[name], strict=True):
        seen = [compared(one) for one in record["seen"]]
        assert compared(outcome) in seen, (record["step"], outcome["text"])


@pytest.mark.slow
@pytest.mark.parametrize("name", _SAMPLE)
def test_sample(theirs: Theirs, name: str) -> None:
    _play(theirs, name)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in GOLDEN if name not in _SAMPLE])
def test_rest_of_the_golden_sample(theirs: Theirs, name: str) -> None:
    _play(theirs, name)
