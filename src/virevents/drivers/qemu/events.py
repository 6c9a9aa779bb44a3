# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QMP event means: the domain's new state, its domain events, what is to be done.

A pure function over the table of ``transitions``, so that the recorded logs of a real QEMU can be
replayed through it.

QEMU's STOP and RESUME carry no cause. The cause of a STOP is the event just before it
(BLOCK_IO_ERROR, WATCHDOG, GUEST_PANICKED or SHUTDOWN; seen in every recorded log, at most 0.4 ms
earlier), so as in libvirt the cause speaks: it changes the state, and the STOP that follows finds
the domain stopped already and says nothing. A STOP that finds it running was asked for, and who
asked noted why before.

QEMU runs with ``-no-shutdown``: a guest that powers off is paused there and waits for us. What
libvirt calls a fake reboot is made of that: the power-off is not told, the machine is reset and
continued, and all that anybody hears is the event "reboot".

Immutable: functions without state; the caller holds the domain's lock.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_events.py``:
    golden        the recorded logs of QEMU 7.2 give libvirt's recorded sequences
    robust        any message of the monitor gives an effect, never an exception
    idempotent    an event that tells what is known already makes no event
    start_first   nothing is told of a domain before its start is
    cause         what a call asked for is that call's doing, a guest's is the guest's
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from virevents.definition import LifecycleAction
from virevents.drivers.qemu.device_events import DEVICE_HANDLERS, Data
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.scene import NOTHING, Course, Effect, Reaction, Scene
from virevents.drivers.qemu.transitions import Happening, Phase
from virevents.model import (
    Cause,
    DomainEvent,
    PMSuspendDiskEvent,
    PMSuspendEvent,
    PMWakeupEvent,
    RebootEvent,
    RequestedBy,
    WatchdogAction,
    WatchdogEvent,
)

__all__ = ["after_crash", "interpret"]


def interpret(message: Mapping[str, object], scene: Scene) -> Effect:
    """What the QMP event *message* means in *scene*; events without a meaning mean nothing."""
    name = message.get("event")
    handler = _HANDLERS.get(name) if isinstance(name, str) else None
    if handler is None:
        return NOTHING
    data = message.get("data")
    effect = handler(data if isinstance(data, dict) else {}, scene)
    if scene.phase is Phase.STARTING and handler is not _on_resume:
        # Nobody has been told of the start yet: an end now is a start that failed.
        return Effect(sign=effect.sign)
    return effect


def _on_resume(_data: Data, scene: Scene) -> Effect:
    """The first RESUME is the start; later ones end a pause."""
    reason = scene.asked.run
    by = None if reason is None else scene.asked.run_by
    if scene.phase is Phase.STARTING:
        effect = scene.happen(Happening.BOOTED, by=by)
    else:
        effect = scene.happen(Happening.PROCESSORS_RUN, by=by, reason=reason)
    # A guest that a reboot let run is its own master again, and may power off at once.
    course = Course.NORMAL if scene.course is Course.REBOOTING else None
    return replace(effect, asked=replace(scene.asked, run=None), course=course)


def _on_stop(_data: Data, scene: Scene) -> Effect:
    """Silent during a reboot: who looks sees a running domain all the while."""
    if scene.course is not Course.NORMAL:
        return NOTHING
    reason = scene.asked.pause
    by = scene.asked.by_call(reason is not None)
    effect = scene.happen(Happening.PROCESSORS_STOPPED, by=by, reason=reason)
    return replace(effect, asked=replace(scene.asked, pause=None))


def _on_watchdog(data: Data, scene: Scene) -> Effect:
    word = data.get("action")
    action = _WATCHDOG_ACTIONS.get(word) if isinstance(word, str) else None
    if action is None:
        return NOTHING
    fired = WatchdogEvent(scene.domain, action, scene.time)
    if action is not WatchdogAction.PAUSE:
        # QEMU goes without a word after a power-off of the watchdog's.
        is_end = action is WatchdogAction.POWEROFF
        return Effect(events=(fired,), end_cause=_BY_GUEST if is_end else None)
    paused = scene.happen(Happening.WATCHDOG)
    reaction = Reaction.DUMP_AND_RUN if scene.policy.dumps_on_watchdog else None
    return replace(paused, events=(fired, *paused.events), reaction=reaction)


def _on_shutdown(data: Data, scene: Scene) -> Effect:
    """The guest or the host ended it; the guest's may be the beginning of a reboot."""
    if scene.phase is Phase.STARTING:
        return Effect(sign=Sign.SHUTDOWN)
    if scene.phase is Phase.ENDING or scene.course is Course.ENDING:
        return NOTHING  # it comes twice, or we are ending it
    if data.get("guest") is True:
        return _on_guest_off(data.get("reason"), scene)
    happening = Happening.OFF_UNSAID
    if data.get("guest") is False:
        is_signal = data.get("reason") == "host-signal"
        happening = Happening.SIGNALLED if is_signal else Happening.COMMANDED
    return _on_host_off(happening, scene)


def _on_guest_off(reason: object, scene: Scene) -> Effect:
    if scene.course is Course.REBOOTING:
        return NOTHING  # the same power-off again
    if _is_reboot(scene) and reason != "guest-reset":
        return Effect(course=Course.REBOOTING, reaction=Reaction.REBOOT)
    by = scene.asked.by_call(scene.asked.power_off, scene.asked.reboot)
    told = scene.happen(Happening.GUEST_OFF, by=by)
    return replace(told, sign=Sign.SHUTDOWN, reaction=Reaction.END, end_cause=told.cause)


def _is_reboot(scene: Scene) -> bool:
    return scene.asked.reboot or scene.policy.on_poweroff is LifecycleAction.RESTART


def _on_host_off(happening: Happening, scene: Scene) -> Effect:
    """By a signal or a command. libvirt tells of neither where a power-off means a reboot."""
    asked = scene.asked
    is_reset = asked.reset and happening is Happening.COMMANDED
    told = scene.happen(happening, by=asked.by_call(asked.destroy, is_reset))
    is_reboot = asked.reboot or scene.course is Course.REBOOTING
    is_always = scene.policy.on_poweroff is LifecycleAction.RESTART
    if is_always or (is_reboot and not asked.destroy):
        return Effect(end_cause=told.cause)
    return replace(told, sign=Sign.SHUTDOWN, reaction=Reaction.END, end_cause=told.cause)


def after_crash(scene: Scene) -> Effect:
    """What ``on_crash`` says is to be done about a guest that has panicked."""
    sign, reaction, course = _ON_CRASH.get(scene.policy.on_crash, (None, None, None))
    return Effect(sign=sign, reaction=reaction, course=course)


def _on_panic(_data: Data, scene: Scene) -> Effect:
    """QEMU pauses the guest whatever is to be done."""
    then = after_crash(scene)
    meant = replace(scene, course=then.course or scene.course)
    told = meant.happen(Happening.PANICKED)
    if told is NOTHING:
        return NOTHING
    end_cause = None if then.sign is None else told.cause  # a crash may be the end of nothing
    return replace(then, state=told.state, events=told.events, end_cause=end_cause)


def _on_crash_loaded(_data: Data, scene: Scene) -> Effect:
    return scene.happen(Happening.CRASH_LOADED)


def _on_reset(_data: Data, scene: Scene) -> Effect:
    """libvirt: any reset takes back what a call of reboot waits for."""
    asked = replace(scene.asked, reboot=False, power_off=False, reset=False)
    return Effect(events=(RebootEvent(scene.domain, scene.time),), asked=asked)


def _slept(scene: Scene, told: DomainEvent, happening: Happening) -> Effect:
    effect = scene.happen(happening, by=scene.asked.by_call(scene.asked.sleep))
    asked = replace(scene.asked, sleep=False)
    return replace(effect, events=(told, *effect.events), asked=asked)


def _on_suspend(_data: Data, scene: Scene) -> Effect:
    told = PMSuspendEvent(scene.domain, 0, scene.time)
    return _slept(scene, told, Happening.SLEPT_IN_MEMORY)


def _on_suspend_disk(_data: Data, scene: Scene) -> Effect:
    told = PMSuspendDiskEvent(scene.domain, 0, scene.time)
    return _slept(scene, told, Happening.SLEPT_ON_DISK)


def _on_wakeup(_data: Data, scene: Scene) -> Effect:
    told = PMWakeupEvent(scene.domain, 0, scene.time)
    woke = scene.happen(Happening.WOKE, by=scene.asked.by_call(scene.asked.wake_up))
    asked = replace(scene.asked, wake_up=False)
    return replace(woke, events=(told, *woke.events), asked=asked)


_BY_GUEST: Final = Cause(RequestedBy.GUEST, is_graceful=False)

_ON_CRASH: Final[Mapping[LifecycleAction, tuple[Sign | None, Reaction | None, Course | None]]] = {
    LifecycleAction.DESTROY: (Sign.PANICKED, Reaction.END, Course.ENDING),
    LifecycleAction.RESTART: (None, Reaction.REBOOT, Course.REBOOTING),
    LifecycleAction.COREDUMP_DESTROY: (None, Reaction.DUMP_AND_END, None),
    LifecycleAction.COREDUMP_RESTART: (None, Reaction.DUMP_AND_REBOOT, Course.REBOOTING),
}

_WATCHDOG_ACTIONS: Final[Mapping[str, WatchdogAction]] = {
    "none": WatchdogAction.NONE,
    "pause": WatchdogAction.PAUSE,
    "reset": WatchdogAction.RESET,
    "poweroff": WatchdogAction.POWEROFF,
    "shutdown": WatchdogAction.SHUTDOWN,
    "debug": WatchdogAction.DEBUG,
    "inject-nmi": WatchdogAction.INJECTNMI,
}

_HANDLERS: Final[Mapping[str, Callable[[Data, Scene], Effect]]] = {
    **DEVICE_HANDLERS,
    "GUEST_CRASHLOADED": _on_crash_loaded,
    "GUEST_PANICKED": _on_panic,
    "RESET": _on_reset,
    "RESUME": _on_resume,
    "SHUTDOWN": _on_shutdown,
    "STOP": _on_stop,
    "SUSPEND": _on_suspend,
    "SUSPEND_DISK": _on_suspend_disk,
    "WAKEUP": _on_wakeup,
    "WATCHDOG": _on_watchdog,
}
