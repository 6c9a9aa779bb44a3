# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each entry of the table of explanations: its story shows it, and nothing but it."""

from typing import Final

import pytest

from tests.differential.explanations import EXPLANATIONS, Explanation, explain
from tests.differential.outcome import Difference
from tests.differential.running import libvirt_for, play_alone
from tests.differential.story import Step, read
from tests.interop.libvirtd.private_libvirtd import need_libvirtd

_SHOWN: Final = [entry for entry in EXPLANATIONS if entry.shown_by]


@pytest.fixture
def libvirt_is_there() -> None:
    need_libvirtd()


def test_the_names_are_unique() -> None:
    assert len({entry.name for entry in EXPLANATIONS}) == len(EXPLANATIONS)


@pytest.mark.qemu
@pytest.mark.libvirt
@pytest.mark.usefixtures("libvirt_is_there")
@pytest.mark.parametrize("entry", _SHOWN, ids=[entry.name for entry in _SHOWN])
def test_we_differ_so(entry: Explanation) -> None:
    with libvirt_for(entry.arm) as uri:
        verdict = play_alone(entry.arm, uri, read(entry.shown_by))
    assert verdict.unexplained == ()
    assert entry.name in verdict.explained  # beside it, libvirt may race with itself


_STOPPED: Final = ("lifecycle", "web1", -1, (5, 2))
_CRASHED: Final = ("lifecycle", "web1", 1, (8, 0))
_PAUSED: Final = ("lifecycle", "web1", 1, (3, 0))
_REBOOT: Final = ("reboot", "web1", 1, ())
_PASS: Final = ("migrationiteration", "web1", 1, (2,))
_WAKEUP: Final = ("pmwakeup", "web1", 1, (0,))
_CUT_OFF: Final = ("controlerror", "web1", 1, ())

# What two plays of one story on libvirt itself told after the same step.
_SEEN: Final[dict[str, tuple[tuple[object, ...], tuple[object, ...]]]] = {
    "pause-before-panic": ((_PAUSED, _CRASHED, _STOPPED), (_CRASHED, _STOPPED)),
    "last-words": ((_STOPPED,), (_CUT_OFF, _STOPPED)),
    "reboots-counted": ((_REBOOT,), (_REBOOT, _REBOOT)),
    "reason-left-over": (("UUID1", 1, 1, 5, True, False), ("UUID1", 1, 1, 1, True, False)),
    "passes-of-a-sleeper": ((_PASS, _PASS, _WAKEUP), (_PASS, _WAKEUP, _PASS)),
}


def test_libvirts_races_are_explained_either_way_round() -> None:
    step = Step.parse("core_dump web1 file=a live")
    assert _SEEN.keys() == {entry.name for entry in EXPLANATIONS if not entry.shown_by}
    for name, (one, other) in _SEEN.items():
        what = "domain web1" if name == "reason-left-over" else "events"
        for told in (Difference(what, one, other), Difference(what, other, one)):
            assert [entry.name for entry in explain("guests", step, told)] == [name]


def test_several_may_be_at_work_in_one_step() -> None:
    told = Difference("events", (_REBOOT, _REBOOT, _PAUSED, _CRASHED), (_REBOOT, _CRASHED))
    names = [entry.name for entry in explain("guests", Step.parse("guest web1 letter=c"), told)]
    assert names == ["pause-before-panic", "reboots-counted"]


@pytest.mark.parametrize("arm", ["memory", "guests"])
@pytest.mark.parametrize(
    "difference",
    [
        Difference("code", (0, ""), (55, "not running")),
        Difference("text", "one", "other"),
        Difference("events", (("lifecycle", "web1", -1, (5, 1)),), ()),
        Difference(
            "events", (("lifecycle", "web1", 2, (2, 0)),), (("lifecycle", "web1", 3, (2, 0)),)
        ),
        Difference("events", (_PAUSED,), ()),
        Difference("events", (_REBOOT,), ()),
        Difference("events", (_CUT_OFF,), ()),
        Difference("events", (_PAUSED, _STOPPED), (_STOPPED,)),
        Difference("domain web1", ("uuid", -1, 5, 2, True, False), None),
    ],
    ids=str,
)
def test_what_is_not_meant_is_not_explained(arm: str, difference: Difference) -> None:
    for step in ("start web1", "destroy web1", "restore file=a", "pm_suspend web1 target=memory"):
        assert explain(arm, Step.parse(step), difference) == []
