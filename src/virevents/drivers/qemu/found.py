# SPDX-License-Identifier: LGPL-2.1-or-later
"""What became of a domain while nobody listened: QEMU's state now against what was last told.

It stands apart because QEMU keeps no events for who comes later: all there is to go by is the
answer to ``query-status``. Each difference is told once, as the event that was missed would have
been, and its cause says that it was found at the start. How often a domain went back and forth
meanwhile nobody knows.

Immutable: functions without state.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_found.py``:
    no_difference   a state that was told already makes no event
    each_state      each of QEMU's states leads to the state of ours that it means
    found           every event is marked as found at start
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from virevents.drivers.qemu.events import after_crash, interpret
from virevents.drivers.qemu.scene import NOTHING, Course, Effect, Reaction, Scene
from virevents.drivers.qemu.transitions import Happening, Phase, phase_of
from virevents.model import PausedReason, RunningReason, StateAndReason

__all__ = ["find_out", "was_interrupted"]

# A save or a dump had paused it, and who would have let it go on is no more.
_INTERRUPTED: Final = frozenset({PausedReason.SAVE, PausedReason.DUMP, PausedReason.SNAPSHOT})


def was_interrupted(state: StateAndReason) -> bool:
    """Whether a domain found in *state* was paused for a work that nobody will finish."""
    return phase_of(state) is Phase.PAUSED and state.reason in _INTERRUPTED


def find_out(status: str, scene: Scene) -> Effect:
    """What QEMU's *status* means in *scene*, the state that was last told.

    Args:
        status: QMP's RunState, in words.
        scene: What was told and asked; its ``is_found_at_start`` is set.
    """
    handler = _STATUSES.get(status)
    return NOTHING if handler is None else handler(scene)


def _running(scene: Scene) -> Effect:
    if scene.phase is Phase.ASLEEP:
        return scene.happen(Happening.WOKE)
    is_reboot = scene.phase is Phase.CRASHED and scene.asked.reboot
    meant = replace(scene, course=Course.REBOOTING) if is_reboot else scene
    return meant.happen(
        Happening.PROCESSORS_RUN, reason=RunningReason.CRASHED if is_reboot else None
    )


def _paused(scene: Scene) -> Effect:
    """Also after a reset: that is where a reboot may have been broken off."""
    if scene.asked.reboot and scene.phase in {Phase.RUNNING, Phase.CRASHED}:
        return Effect(course=Course.REBOOTING, reaction=Reaction.REBOOT)
    return scene.happen(Happening.PROCESSORS_STOPPED)


def _panicked(scene: Scene) -> Effect:
    """A crash that was told already: what was to follow it may not have been done."""
    if scene.phase is Phase.CRASHED:
        return after_crash(scene)
    return interpret({"event": "GUEST_PANICKED"}, scene)


def _shut_down(scene: Scene) -> Effect:
    """Only a guest's own power-off leaves a QEMU that waits; the host's end it."""
    if scene.phase is Phase.ENDING:
        return Effect(reaction=Reaction.END)
    return interpret({"event": "SHUTDOWN", "data": {"guest": True}}, scene)


def _asleep(scene: Scene) -> Effect:
    return scene.happen(Happening.SLEPT_IN_MEMORY)


def _io_error(scene: Scene) -> Effect:
    return scene.happen(Happening.IO_ERROR)


def _watchdog(scene: Scene) -> Effect:
    return scene.happen(Happening.WATCHDOG)


_STATUSES: Final[Mapping[str, Callable[[Scene], Effect]]] = {
    "debug": _paused,
    "finish-migrate": _paused,
    "guest-panicked": _panicked,
    "internal-error": _paused,
    "io-error": _io_error,
    "paused": _paused,
    "postmigrate": _paused,
    "prelaunch": _paused,
    "running": _running,
    "save-vm": _paused,
    "shutdown": _shut_down,
    "suspended": _asleep,
    "watchdog": _watchdog,
}
