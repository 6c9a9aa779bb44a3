# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our QEMU driver beside a real libvirtd, with real guests: some of the stories by chance.

The long form (``script/long``) plays a hundred stories; see ``__main__.py``.
"""

from typing import Final

import pytest

from tests.differential.running import libvirt_for, play_alone, play_side_by_side, table
from tests.differential.story import read
from tests.interop.libvirtd.private_libvirtd import need_libvirtd

pytestmark = [pytest.mark.libvirt, pytest.mark.qemu, pytest.mark.slow]

_STORIES: Final = 6
_STEPS: Final = 20

# Where the stories by chance go everywhere, this goes through what a guest does by itself.
_LIFE: Final = """
define web1 uuid=1
start web1
guest web1 letter=r
guest web1 letter=k
guest web1 letter=t
guest web1 letter=l
guest web1 letter=s
pm_wakeup web1
reboot web1
guest web1 letter=p
start web1 paused
guest web1 letter=p  # it reads it when it is let go
resume web1
start web1
suspend web1
shutdown web1
resume web1
shutdown web1
define web1 uuid=1 on_poweroff=restart
start web1
shutdown web1
guest web1 letter=p
signal web1 number=kill
define web1 uuid=1 on_crash=preserve
start web1
guest web1 letter=c
destroy web1
define web1 uuid=1 on_crash=restart
start web1
guest web1 letter=c
signal web1 number=term
define web1 uuid=1 on_crash=destroy on_reboot=destroy
start web1 autodestroy
hang_up
start web1
guest web1 letter=c
start web1
guest web1 letter=r
"""


@pytest.fixture(autouse=True)
def libvirtd_is_there() -> None:
    need_libvirtd()


def test_a_life() -> None:
    with libvirt_for("guests") as uri:
        verdict = play_alone("guests", uri, read(_LIFE))
    assert not verdict.unexplained, str(verdict)


def test_by_chance() -> None:
    """The same events of every id, states, reasons and error codes after each step."""
    reports = list(play_side_by_side("guests", range(_STORIES), _STEPS, workers=2))
    failed = "\n".join(report.failed for report in reports if report.failed)
    assert not failed, f"{failed}\n{table(reports)}"
    assert len(reports) == _STORIES
