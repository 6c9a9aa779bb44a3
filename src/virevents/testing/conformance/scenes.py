# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenes of the conformance suite: what is done, from which state, and what holds after it.

They stand apart as data, so that a reader of a failure finds the scene by its name.

Immutable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from virevents.drivers import Capability
from virevents.model import DomainState
from virevents.testing.conformance.profile import Profile

__all__ = ["REFUSALS", "SCENES", "Refusal", "Scene", "playable"]

_KILL: Final = "kill"


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
_SHUTOFF: Final = DomainState.SHUTOFF
_STARTED: Final = ("define", "start")

SCENES: Final = (
    Scene("define", (), "define", _SHUTOFF),
    Scene("define_again", ("define",), "define", _SHUTOFF),
    Scene("define_running", _STARTED, "define", _RUNNING),
    Scene("undefine", ("define",), "undefine", None),
    Scene("undefine_running", _STARTED, "undefine", _RUNNING),
    Scene("create", (), "create", _RUNNING),
    Scene("start", ("define",), "start", _RUNNING),
    Scene("start_again", (*_STARTED, "destroy"), "start", _RUNNING),
    Scene("suspend", _STARTED, "suspend", DomainState.PAUSED),
    Scene("resume", (*_STARTED, "suspend"), "resume", _RUNNING),
    Scene("shutdown", _STARTED, "shutdown", _SHUTOFF),
    Scene("reboot", _STARTED, "reboot", _RUNNING),
    Scene("reset", _STARTED, "reset", _RUNNING),
    Scene("destroy", _STARTED, "destroy", _SHUTOFF),
    Scene("destroy_paused", (*_STARTED, "suspend"), "destroy", _SHUTOFF),
    Scene("destroy_transient", ("create",), "destroy", None),
    Scene("save", _STARTED, "save", _SHUTOFF),
    Scene("restore", (*_STARTED, "save"), "restore", _RUNNING),
    Scene("managed_save", _STARTED, "managed_save", _SHUTOFF),
    Scene("start_managed_save", (*_STARTED, "managed_save"), "start", _RUNNING),
    Scene("managed_save_remove", (*_STARTED, "managed_save"), "managed_save_remove", _SHUTOFF),
    Scene("rename", ("define",), "rename", _SHUTOFF, domain="web2"),
    Scene("core_dump", _STARTED, "core_dump", _RUNNING),
    Scene("core_dump_crash", _STARTED, "core_dump_crash", _SHUTOFF),
    Scene("kill", _STARTED, _KILL, _SHUTOFF),
)
"""Every operation from the states that allow it."""

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
)

REFUSALS: Final = (
    *(Refusal(("define",), step) for step in _NEEDS_RUNNING),
    Refusal(_STARTED, "start"),
    Refusal(_STARTED, "create"),
    Refusal(_STARTED, "resume"),
    Refusal(_STARTED, "rename"),
    Refusal((*_STARTED, "suspend"), "start"),
)
"""Every operation from a state that does not allow it."""


def playable(profile: Profile, steps: Sequence[str]) -> bool:
    """Whether the driver has what *steps* need."""
    if _KILL in steps and profile.kill is None:
        return False
    needed = {step.removesuffix("_crash") for step in steps if step != _KILL}
    return {Capability(step) for step in needed} <= profile.capabilities
