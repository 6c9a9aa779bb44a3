# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our test driver beside libvirt's: a life chosen by hand, and some of the stories by chance.

The long form (``script/long``) plays five hundred stories; see ``__main__.py``.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.differential.chance import VERBS, memory_story
from tests.differential.memory import sides
from tests.differential.story import Story, read
from tests.differential.trial import Verdict, play, shrink
from tests.interop.libvirtd.private_libvirtd import need_libvirtd

pytestmark = pytest.mark.libvirt

_STORIES: Final = 40
_STEPS: Final = 20

# Where the stories by chance go everywhere, this goes through every operation in every state.
_LIFE: Final = """
suspend test
resume test
define web1 uuid=1
define web1 uuid=1
define web1 uuid=2
define web2 uuid=1
# while it is off
suspend web1
resume web1
shutdown web1
reboot web1
reset web1
destroy web1
managed_save web1
save web1 file=a
core_dump web1 file=core
managed_save_remove web1
# while it runs
start web1
start web1
define web1 uuid=1
create web1 uuid=1
suspend web1
suspend web1
resume web1
resume web1
reset web1
reboot web1
rename web1 to=web9
rename web1 to=a/b
suspend web1
reboot web1
suspend web1
reset web1
destroy web1
start web1
suspend web1
shutdown web1
start web1
shutdown web1
start web1 paused
start web1 autodestroy
start web1 force_boot
start web1
suspend web1
destroy web1 graceful
# dumping and saving
start web1
core_dump web1 file=core
core_dump web1 file=core live
core_dump web1 file=core reset
core_dump web1 file=missing/core
core_dump web1 file=core crash
start web1
save web1 file=a running
save web1 file=a paused
save web1 file=a
restore file=a running
restore file=a paused
restore file=a
restore file=a
suspend web1
save web1 file=a
restore file=a
restore file=missing
restore file=garbage
save web1 file=missing/a
# managed saves
managed_save web1
undefine web1
start web1
suspend web1
managed_save web1 paused
start web1
managed_save web1 running
managed_save_remove web1
managed_save_remove web1
start web1
managed_save web1
undefine web1 nvram
undefine web1 keep_nvram managed_save
undefine web1 managed_save
undefine web1
# transient
create web1 uuid=1
managed_save web1
set_autostart web1 on=yes
is_autostarted web1
suspend web1
shutdown web1
shutdown web1
create web1 uuid=1 paused
create web1 uuid=1 autodestroy
create web1 uuid=1
undefine web1
destroy web1
create web1 uuid=1
define web1 uuid=1
destroy web1
is_autostarted web1
# names
set_autostart web1 on=yes
rename web1 to=web1
rename web1 to=test
rename web1 to=a/b
rename web1 to=web3
is_autostarted web3
rename web3 to=web1
lookup test
lookup nobody
lookup_uuid uuid=1
lookup_uuid uuid=2
lookup_id id=1
lookup_id id=77
pm_suspend test target=memory
pm_wakeup test
# the domain of the beginning: undefined it goes on, transient
undefine test
undefine test
managed_save test
define test uuid=0 on_reboot=destroy on_poweroff=restart
shutdown test
undefine test
destroy test
# what the guest's own doing leads to
define web2 uuid=2 on_reboot=preserve on_poweroff=rename-restart
start web2
suspend web2
shutdown web2
reboot web2
define web2 uuid=2 garbage
"""


@pytest.fixture(autouse=True)
def libvirt_is_there() -> None:
    need_libvirtd()


def _play(folder: Path, story: Story) -> Verdict:
    folder.mkdir(parents=True)
    with sides(folder) as (ours, theirs):
        return play("memory", story, ours, theirs)


def _tell(folder: Path, failed: Verdict) -> str:
    """Tell of a story that failed, as short as it can be."""
    tries = iter(range(1000))
    story = failed.story[: len(failed.outcomes)]
    short = shrink(story, lambda one: bool(_play(folder / f"{next(tries)}", one).unexplained))
    return str(_play(folder / "shortest", short))


def test_a_life(tmp_path: Path) -> None:
    verdict = _play(tmp_path / "life", read(_LIFE))
    assert not verdict.unexplained, str(verdict)
    assert {step.verb for step in verdict.story} == set(VERBS)


def test_by_chance(tmp_path: Path) -> None:
    """The same events, states, reasons, ids, error codes and words after each step."""
    verbs: dict[str, set[bool]] = {}
    for seed in range(_STORIES):
        folder = tmp_path / str(seed)
        verdict = _play(folder / "first", memory_story(seed, _STEPS))
        if verdict.unexplained:
            pytest.fail(f"seed {seed}\n{_tell(folder, verdict)}")
        for step, code in zip(verdict.story, verdict.outcomes, strict=True):
            verbs.setdefault(step.verb, set()).add(code == 0)
    # The stories go everywhere: each verb succeeds somewhere, and is refused somewhere.
    never = {"pm_suspend", "pm_wakeup"}
    assert verbs.keys() == VERBS.keys()
    assert {verb for verb in verbs if True not in verbs[verb]} == never
    assert {verb for verb in verbs if False not in verbs[verb]} == set()
