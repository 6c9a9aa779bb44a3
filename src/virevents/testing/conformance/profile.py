# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the conformance kit must know of a driver: how to open it, what it can do, what it tells.

It stands apart from the suite so that a profile can be written, and read, without pytest.

Immutable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from virevents.connection import Domain
from virevents.drivers import Capability
from virevents.model import DomainState

__all__ = ["LIBVIRT_EVENTS", "Profile", "Words"]

Words = tuple[str, ...]
"""Lifecycle events in their order, each as "event detail": ``("started booted",)``."""

LIBVIRT_EVENTS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "define": ("defined added",),
        "define_again": ("defined updated",),
        "define_running": ("defined updated",),
        "undefine": ("undefined removed",),
        "undefine_running": ("undefined removed",),
        "undefine_nvram": ("undefined removed",),
        "undefine_managed_save": ("undefined removed",),
        "create": ("started booted",),
        "create_paused": ("started booted", "suspended paused"),
        "create_autodestroy": ("started booted", "stopped destroyed"),
        "start": ("started booted",),
        "start_again": ("started booted",),
        "start_paused": ("started booted", "suspended paused"),
        "start_autodestroy": ("started booted", "stopped destroyed"),
        "start_force_boot": ("started booted",),
        "suspend": ("suspended paused",),
        "resume": ("resumed unpaused",),
        "resume_first": ("resumed unpaused",),
        "shutdown": ("stopped shutdown",),
        "shutdown_wait": ("stopped shutdown",),
        "shutdown_force": ("stopped destroyed",),
        "deaf": (),
        "reboot": (),
        "reset": (),
        "destroy": ("stopped destroyed",),
        "destroy_paused": ("stopped destroyed",),
        "destroy_graceful": ("stopped destroyed",),
        "destroy_transient": ("stopped destroyed",),
        "destroy_asleep": ("stopped destroyed",),
        "save": ("stopped saved",),
        "save_paused": ("stopped saved",),
        "save_a_paused": ("stopped saved",),
        "restore": ("started restored",),
        "restore_paused": ("started restored", "suspended restored"),
        "restore_saved_paused": ("started restored", "suspended restored"),
        "restore_running": ("started restored",),
        "managed_save": ("stopped saved",),
        "managed_save_paused": ("stopped saved",),
        "start_managed_save": ("started restored",),
        "start_saved_paused": ("started restored", "suspended restored"),
        "managed_save_remove": (),
        "rename": ("undefined renamed", "defined renamed"),
        "core_dump": (),
        "core_dump_live": (),
        "core_dump_crash": ("stopped crashed",),
        "core_dump_reset": (),
        "set_autostart": (),
        "sleep": ("pmsuspended memory",),
        "pm_suspend": ("pmsuspended memory",),
        "pm_wakeup": ("started wakeup",),
        "kill": ("stopped failed",),
    }
)
"""What each scene of the suite tells, unless a profile says otherwise."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One driver, for the conformance suite.

    Attributes:
        name: For the report.
        uri: Makes the URI to open; given a folder of the test's own.
        xml: Makes the definition of a domain that can run, from the folder, a name and a uuid.
            Its guest powers off when it is asked to, if the driver has ``SHUTDOWN``.
        capabilities: What the driver declares. The suite tests each, checks that the others are
            refused, and lists them at the end of the run.
        events: What a scene tells where it differs from ``LIBVIRT_EVENTS``.
        states: The state in which a scene leaves the domain where it is another than
            ``scenes.SCENES`` says.
        ready_event: The event id that the guest tells once it can be asked to power off; "" when
            it can from the start.
        kill: Kills the hypervisor's process of a running domain; None when there is none.
        refused: Steps of the suite (``stage.STEPS``) that are a flag which the driver does not
            have, though it has the operation: "start_paused". The suite sees that each is refused
            as unsupported, or as a bad argument, and lists them at the end of the run.
        cues: How a step is made where the guest must have a part in it, in the step's place:
            "pm_suspend" may answer as the guest's agent while it calls the operation, "sleep"
            makes the guest go to sleep by itself (without it, it is sent by the operation),
            "ready" waits until a guest that was just started can be asked for something, "deaf"
            makes it hear its power button no more (without it, what becomes of a shutdown that
            is not obeyed is not played).
        unplayed: Steps in which the profile's guest cannot take its part, and why; they are
            listed at the end of the run, and tested elsewhere.
    """

    name: str
    uri: Callable[[Path], str]
    xml: Callable[[Path, str, str], str]
    capabilities: frozenset[Capability]
    events: Mapping[str, Words] = field(default_factory=dict)
    states: Mapping[str, DomainState] = field(default_factory=dict)
    ready_event: str = ""
    kill: Callable[[Domain], None] | None = None
    refused: frozenset[str] = frozenset()
    cues: Mapping[str, Callable[[Domain], object]] = field(default_factory=dict)
    unplayed: Mapping[str, str] = field(default_factory=dict)

    def told(self, scene: str) -> Words:
        """The events that *scene* tells, in their order."""
        return self.events[scene] if scene in self.events else LIBVIRT_EVENTS[scene]

    @property
    def uncued(self) -> list[str]:
        """What is not played: it happens to a guest only by a cue, and has none here."""
        cues = {"deaf", *(["kill"] if self.kill is None else [])}
        told = [f"{step} ({why})" for step, why in self.unplayed.items()]
        return sorted([*(cues - set(self.cues)), *told])

    @property
    def undeclared(self) -> list[Capability]:
        """What the driver does not have, in the order of ``Capability``."""
        return [one for one in Capability if one not in self.capabilities]
