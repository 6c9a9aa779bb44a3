# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenes of the conformance suite: what is done, from which state, and what holds after it.

They stand apart as data, so that a reader of a failure finds the scene by its name.

Immutable.

Invariants, each with a test of its name in ``tests/testing/test_conformance_scenes.py``:
    all_operations   every ``Capability`` is the step of a scene
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from virevents.drivers import Capability
from virevents.model import DomainState
from virevents.testing.conformance.profile import Profile

__all__ = ["REFUSALS", "SCENES", "Refusal", "Scene", "capability_of", "playable"]

# Steps that are no operation of the driver's: something happens to it.
_KILL: Final = "kill"
_SLEEP: Final = "sleep"
_DEAF: Final = "deaf"


@dataclass(frozen=True, slots=True)
class Scene:
    """Steps that lead to a state, one more step, and the state that it ends in.

    Attributes:
        name: Its name, under which profiles say what it tells.
        before: The steps before (see ``stage.STEPS``).
        step: The step that the scene is about.
        after: The state of the domain then; None when it has gone.
        domain: The name of that domain.
    """

    name: str
    before: tuple[str, ...]
    step: str
    after: DomainState | None
    domain: str = "web1"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A step that the state of the domain does not allow."""

    before: tuple[str, ...]
    step: str

    @property
    def name(self) -> str:
        """For the test's id."""
        return f"{self.step} after {' '.join(self.before)}"


_RUNNING: Final = DomainState.RUNNING
_PAUSED: Final = DomainState.PAUSED
_SHUTOFF: Final = DomainState.SHUTOFF
_ASLEEP: Final = DomainState.PMSUSPENDED
_STARTED: Final = ("define", "start")

SCENES: Final = (
    Scene("define", (), "define", _SHUTOFF),
    Scene("define_again", ("define",), "define", _SHUTOFF),
    Scene("define_running", _STARTED, "define", _RUNNING),
    Scene("undefine", ("define",), "undefine", None),
    Scene("undefine_running", _STARTED, "undefine", _RUNNING),
    Scene("undefine_nvram", ("define",), "undefine_nvram", None),
    Scene("undefine_managed_save", (*_STARTED, "managed_save"), "undefine_managed_save", None),
    Scene("create", (), "create", _RUNNING),
    Scene("create_paused", (), "create_paused", _PAUSED),
    Scene("create_autodestroy", (), "create_autodestroy", None),
    Scene("start", ("define",), "start", _RUNNING),
    Scene("start_again", (*_STARTED, "destroy"), "start", _RUNNING),
    Scene("start_paused", ("define",), "start_paused", _PAUSED),
    Scene("start_autodestroy", ("define",), "start_autodestroy", _SHUTOFF),
    Scene("start_force_boot", (*_STARTED, "managed_save"), "start_force_boot", _RUNNING),
    Scene("suspend", _STARTED, "suspend", _PAUSED),
    Scene("resume", (*_STARTED, "suspend"), "resume", _RUNNING),
    Scene("resume_first", ("define", "start_paused"), "resume", _RUNNING),
    Scene("shutdown", _STARTED, "shutdown", _SHUTOFF),
    Scene("shutdown_wait", _STARTED, "shutdown_wait", _SHUTOFF),
    Scene("shutdown_force", (*_STARTED, _DEAF), "shutdown_force", _SHUTOFF),
    Scene("reboot", _STARTED, "reboot", _RUNNING),
    Scene("reset", _STARTED, "reset", _RUNNING),
    Scene("destroy", _STARTED, "destroy", _SHUTOFF),
    Scene("destroy_paused", (*_STARTED, "suspend"), "destroy", _SHUTOFF),
    Scene("destroy_graceful", _STARTED, "destroy_graceful", _SHUTOFF),
    Scene("destroy_transient", ("create",), "destroy", None),
    Scene("save", _STARTED, "save", _SHUTOFF),
    Scene("save_paused", _STARTED, "save_paused", _SHUTOFF),
    Scene("save_a_paused", (*_STARTED, "suspend"), "save", _SHUTOFF),
    Scene("restore", (*_STARTED, "save"), "restore", _RUNNING),
    Scene("restore_paused", (*_STARTED, "save"), "restore_paused", _PAUSED),
    Scene("restore_saved_paused", (*_STARTED, "save_paused"), "restore", _PAUSED),
    Scene("restore_running", (*_STARTED, "save_paused"), "restore_running", _RUNNING),
    Scene("managed_save", _STARTED, "managed_save", _SHUTOFF),
    Scene("managed_save_paused", _STARTED, "managed_save_paused", _SHUTOFF),
    Scene("start_managed_save", (*_STARTED, "managed_save"), "start", _RUNNING),
    Scene("start_saved_paused", (*_STARTED, "managed_save_paused"), "start", _PAUSED),
    Scene("managed_save_remove", (*_STARTED, "managed_save"), "managed_save_remove", _SHUTOFF),
    Scene("rename", ("define",), "rename", _SHUTOFF, domain="web2"),
    Scene("core_dump", _STARTED, "core_dump", _RUNNING),
    Scene("core_dump_live", _STARTED, "core_dump_live", _RUNNING),
    Scene("core_dump_crash", _STARTED, "core_dump_crash", _SHUTOFF),
    Scene("core_dump_reset", _STARTED, "core_dump_reset", _RUNNING),
    Scene("set_autostart", ("define",), "set_autostart", _SHUTOFF),
    Scene("pm_suspend", _STARTED, "pm_suspend", _ASLEEP),
    Scene("pm_wakeup", (*_STARTED, _SLEEP), "pm_wakeup", _RUNNING),
    Scene("destroy_asleep", (*_STARTED, _SLEEP), "destroy", _SHUTOFF),
    Scene(_KILL, _STARTED, _KILL, _SHUTOFF),
)
"""Every operation from the states that allow it, and with each of its flags."""

_NEEDS_RUNNING: Final = (
    "suspend",
    "resume",
    "shutdown",
    "reboot",
    "reset",
    "destroy",
    "save",
    "managed_save",
    "core_dump",
    "pm_suspend",
    "pm_wakeup",
)

REFUSALS: Final = (
    *(Refusal(("define",), step) for step in _NEEDS_RUNNING),
    Refusal(_STARTED, "start"),
    Refusal(_STARTED, "create"),
    Refusal(_STARTED, "resume"),
    Refusal(_STARTED, "rename"),
    Refusal((*_STARTED, "suspend"), "start"),
    Refusal((*_STARTED, "managed_save"), "undefine"),
    Refusal(("create",), "managed_save"),
)
"""Every operation from a state that does not allow it."""

# Longest first, so that "managed_save_remove" is not taken for a flag of "managed_save".
_BY_LENGTH: Final = sorted(Capability, key=lambda one: -len(one.value))


def capability_of(step: str) -> Capability | None:
    """The operation that *step* is, or is with a flag; None when it is none of the driver's."""
    return next((one for one in _BY_LENGTH if step.startswith(one.value)), None)


def playable(profile: Profile, steps: Sequence[str]) -> bool:
    """Whether the driver has what *steps* need."""
    return all(_has(profile, step) for step in steps)


def _has(profile: Profile, step: str) -> bool:
    if step == _KILL:
        return profile.kill is not None
    if step == _DEAF or (step == _SLEEP and step in profile.cues):
        return step in profile.cues
    needed = Capability.PM_SUSPEND if step == _SLEEP else capability_of(step)
    is_left_out = step in profile.refused or step in profile.unplayed
    return needed in profile.capabilities and not is_left_out
