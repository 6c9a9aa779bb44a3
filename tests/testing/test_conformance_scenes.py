# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conformance kit itself: that no operation is without a scene, and who plays in which."""

from pathlib import Path

import pytest

from virevents.connection import Domain, open
from virevents.drivers import Capability
from virevents.testing.conformance import LIBVIRT_EVENTS, Profile
from virevents.testing.conformance.scenes import (
    REFUSALS,
    SCENES,
    Refusal,
    Scene,
    capability_of,
    playable,
)
from virevents.testing.conformance.stage import STEPS, stage, uuid_of

_XML = "<domain type='test'><name>{}</name><uuid>{}</uuid><memory>1</memory><os><type>hvm</type></os></domain>"  # noqa: E501


def _profile(*capabilities: Capability, **more: object) -> Profile:
    return Profile(
        "it",
        lambda _: "test:///default",
        lambda _, name, uuid: _XML.format(name, uuid),
        frozenset(capabilities),
        **more,  # type: ignore[arg-type]
    )


def test_all_operations() -> None:
    assert {capability_of(scene.step) for scene in SCENES} == {*Capability, None}
    assert [scene.step for scene in SCENES if capability_of(scene.step) is None] == ["kill"]


def test_every_step_can_be_done_and_every_scene_says_what_it_tells() -> None:
    scenes: list[Scene | Refusal] = [*SCENES, *REFUSALS]
    steps = {step for scene in scenes for step in (*scene.before, scene.step)}
    assert steps <= set(STEPS)
    assert {scene.name for scene in SCENES} <= set(LIBVIRT_EVENTS)
    assert {step for scene in scenes for step in scene.before} <= set(LIBVIRT_EVENTS)
    assert len({scene.name for scene in SCENES}) == len(SCENES)


@pytest.mark.parametrize(
    ("step", "capability"),
    [
        ("managed_save_remove", Capability.MANAGED_SAVE_REMOVE),
        ("managed_save_paused", Capability.MANAGED_SAVE),
        ("save_paused", Capability.SAVE),
        ("start_force_boot", Capability.START),
        ("undefine_managed_save", Capability.UNDEFINE),
        ("kill", None),
    ],
)
def test_a_flag_belongs_to_its_operation(step: str, capability: Capability | None) -> None:
    assert capability_of(step) is capability


def test_who_lacks_an_operation_or_a_flag_does_not_play_it() -> None:
    bare = _profile(Capability.START)
    assert playable(bare, ("start", "start_paused"))
    assert not playable(bare, ("start", "destroy"))
    assert not playable(bare, ("kill",))
    assert not playable(bare, ("sleep",))
    assert not playable(_profile(Capability.START, refused={"start_paused"}), ("start_paused",))
    assert playable(_profile(Capability.PM_SUSPEND), ("sleep",))
    assert playable(_profile(cues={"sleep": print}), ("sleep",))
    assert playable(_profile(kill=print), ("kill",))
    assert not playable(_profile(*Capability), ("deaf",))
    assert playable(_profile(cues={"deaf": print}), ("deaf",))


def test_what_has_no_cue_is_known() -> None:
    assert _profile().uncued == ["deaf", "kill"]
    assert _profile(kill=print, cues={"deaf": print}).uncued == []
    mute = _profile(Capability.PM_SUSPEND, kill=print, unplayed={"pm_suspend": "no agent"})
    assert mute.uncued == ["deaf", "pm_suspend (no agent)"]
    assert not playable(mute, ("pm_suspend",))


def test_a_cue_plays_the_step_in_its_place(tmp_path: Path) -> None:
    met: list[str] = []

    def cue(domain: Domain) -> None:
        met.append(domain.name)

    profile = _profile(*Capability, cues={"pm_suspend": cue})
    with stage(profile, tmp_path) as on:
        on.do("define")
        on.play("pm_suspend")
        on.play("sleep")  # it is sent by the operation, where no cue says otherwise
    assert met == ["web1", "web1"]


def test_what_the_suite_left_running_is_destroyed(tmp_path: Path) -> None:
    with open("test:///default") as keeper:
        with stage(_profile(*Capability), tmp_path) as on:
            on.do("define", "start")
        assert keeper.lookup_uuid(uuid_of("web1")).id == -1
        assert keeper.lookup("test").is_active  # not the suite's
