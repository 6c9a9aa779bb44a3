# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QMP event means: the domain's new state, its domain events, a sign of its end.

A pure function, so that the recorded logs of a real QEMU can be replayed through it.

QEMU's STOP and RESUME carry no cause. The cause of a STOP is the event just before it
(BLOCK_IO_ERROR, WATCHDOG, GUEST_PANICKED or SHUTDOWN; seen in every recorded log, at most 0.4 ms
earlier), so as in libvirt the cause speaks: it changes the state, and the STOP that follows finds
the domain stopped already and says nothing. A STOP that finds it running was asked for.

The table follows ``qemu_process.c`` of libvirt: which event and detail, and in which order.

Immutable: functions without state; the caller holds the domain's lock.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_events.py``:
    golden        the recorded logs of QEMU 7.2 give libvirt's recorded sequences
    robust        any message of the monitor gives an effect, never an exception
    idempotent    an event that tells what is known already makes no event
    start_first   nothing is told of a domain before its start is
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from virevents.drivers.qemu.ending import Sign
from virevents.model import (
    BalloonChangeEvent,
    CrashedDetail,
    CrashedReason,
    Detail,
    DomainEvent,
    DomainIdentity,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    PausedReason,
    PMSuspendDiskEvent,
    PMSuspendedDetail,
    PMSuspendedReason,
    PMSuspendEvent,
    PMWakeupEvent,
    RebootEvent,
    ResumedDetail,
    RTCChangeEvent,
    RunningReason,
    ShutdownDetail,
    ShutdownReason,
    StartedDetail,
    StateAndReason,
    SuspendedDetail,
    WatchdogAction,
    WatchdogEvent,
)

__all__ = ["STARTING_UP", "Effect", "Scene", "interpret"]

STARTING_UP: Final = StateAndReason(DomainState.PAUSED, PausedReason.STARTING_UP)
"""The state of a domain from its QEMU's start to the first RESUME."""

_BYTES_IN_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Scene:
    """What an event meets.

    Attributes:
        domain: The domain.
        state: The state it is in.
        time: The wall clock's time, for the domain events.
    """

    domain: DomainIdentity
    state: StateAndReason
    time: float

    def lifecycle(self, event: Lifecycle, detail: Detail) -> LifecycleEvent:
        """Make a lifecycle event of this domain, now."""
        return LifecycleEvent(self.domain, event, detail, self.time)

    @property
    def is_running(self) -> bool:
        """Whether the domain runs."""
        return self.state.state is DomainState.RUNNING


@dataclass(frozen=True, slots=True)
class Effect:
    """What the driver has to do about an event, under the domain's lock.

    Attributes:
        state: The new state, or None if it stays.
        events: The domain events to push, in order.
        sign: What it tells about the end of QEMU.
    """

    state: StateAndReason | None = None
    events: tuple[DomainEvent, ...] = ()
    sign: Sign | None = None


_NOTHING: Final = Effect()
_Data = Mapping[str, object]


def interpret(message: Mapping[str, object], scene: Scene) -> Effect:
    """What the QMP event *message* means in *scene*; events without a meaning mean nothing."""
    name = message.get("event")
    handler = _HANDLERS.get(name) if isinstance(name, str) else None
    if handler is None:
        return _NOTHING
    data = message.get("data")
    effect = handler(data if isinstance(data, dict) else {}, scene)
    if scene.state == STARTING_UP and handler is not _on_resume:
        # Nobody has been told of the start yet: an end now is a start that failed.
        return Effect(sign=effect.sign)
    return effect


def _on_resume(_data: _Data, scene: Scene) -> Effect:
    """The first RESUME is the start; later ones end a pause."""
    resumed = scene.lifecycle(Lifecycle.RESUMED, ResumedDetail.UNPAUSED)
    if scene.state == STARTING_UP:
        started = scene.lifecycle(Lifecycle.STARTED, StartedDetail.BOOTED)
        booted = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
        return Effect(booted, (resumed, started))
    if scene.state.state in {DomainState.PAUSED, DomainState.CRASHED}:
        return Effect(StateAndReason(DomainState.RUNNING, RunningReason.UNPAUSED), (resumed,))
    return _NOTHING


def _suspend(
    scene: Scene, reason: PausedReason, detail: SuspendedDetail, *others: DomainEvent
) -> Effect:
    if not scene.is_running:
        return Effect(events=others)
    suspended = scene.lifecycle(Lifecycle.SUSPENDED, detail)
    return Effect(StateAndReason(DomainState.PAUSED, reason), (*others, suspended))


def _on_stop(_data: _Data, scene: Scene) -> Effect:
    return _suspend(scene, PausedReason.USER, SuspendedDetail.PAUSED)


def _on_block_io_error(data: _Data, scene: Scene) -> Effect:
    if data.get("action") != "stop":
        return _NOTHING
    return _suspend(scene, PausedReason.IOERROR, SuspendedDetail.IOERROR)


def _on_watchdog(data: _Data, scene: Scene) -> Effect:
    word = data.get("action")
    action = _WATCHDOG_ACTIONS.get(word) if isinstance(word, str) else None
    if action is None:
        return _NOTHING
    fired = WatchdogEvent(scene.domain, action, scene.time)
    if action is WatchdogAction.PAUSE:
        return _suspend(scene, PausedReason.WATCHDOG, SuspendedDetail.WATCHDOG, fired)
    return Effect(events=(fired,))


def _on_shutdown(data: _Data, scene: Scene) -> Effect:
    """Repeats say nothing, nor does the SHUTDOWN that follows a panic."""
    if scene.state.state in {DomainState.SHUTDOWN, DomainState.CRASHED}:
        return Effect(sign=Sign.SHUTDOWN)
    by_guest = data.get("guest")
    detail = ShutdownDetail.FINISHED  # a QEMU too old to say on whose wish
    if isinstance(by_guest, bool):
        detail = ShutdownDetail.GUEST if by_guest else ShutdownDetail.HOST
    state = StateAndReason(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN)
    return Effect(state, (scene.lifecycle(Lifecycle.SHUTDOWN, detail),), Sign.SHUTDOWN)


def _on_panic(data: _Data, scene: Scene) -> Effect:
    """With the action "run" the guest goes on; "pause" and "poweroff" are its end."""
    panicked = scene.lifecycle(Lifecycle.CRASHED, CrashedDetail.PANICKED)
    if data.get("action") == "run":
        return Effect(events=(panicked,))
    if scene.state.state is DomainState.CRASHED:
        return _NOTHING
    state = StateAndReason(DomainState.CRASHED, CrashedReason.PANICKED)
    return Effect(state, (panicked,), Sign.PANICKED)


def _on_crash_loaded(_data: _Data, scene: Scene) -> Effect:
    return Effect(events=(scene.lifecycle(Lifecycle.CRASHED, CrashedDetail.CRASHLOADED),))


def _on_reset(_data: _Data, scene: Scene) -> Effect:
    return Effect(events=(RebootEvent(scene.domain, scene.time),))


def _sleep(scene: Scene, told: DomainEvent, detail: PMSuspendedDetail) -> Effect:
    if not scene.is_running:
        return Effect(events=(told,))
    asleep = StateAndReason(DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN)
    return Effect(asleep, (told, scene.lifecycle(Lifecycle.PMSUSPENDED, detail)))


def _on_suspend(_data: _Data, scene: Scene) -> Effect:
    return _sleep(scene, PMSuspendEvent(scene.domain, 0, scene.time), PMSuspendedDetail.MEMORY)


def _on_suspend_disk(_data: _Data, scene: Scene) -> Effect:
    return _sleep(scene, PMSuspendDiskEvent(scene.domain, 0, scene.time), PMSuspendedDetail.DISK)


def _on_wakeup(_data: _Data, scene: Scene) -> Effect:
    told = PMWakeupEvent(scene.domain, 0, scene.time)
    if scene.state.state is not DomainState.PMSUSPENDED:
        return Effect(events=(told,))
    awake = StateAndReason(DomainState.RUNNING, RunningReason.WAKEUP)
    return Effect(awake, (told, scene.lifecycle(Lifecycle.STARTED, StartedDetail.WAKEUP)))


def _on_rtc_change(data: _Data, scene: Scene) -> Effect:
    offset = data.get("offset")
    if not isinstance(offset, int):
        return _NOTHING
    return Effect(events=(RTCChangeEvent(scene.domain, offset, scene.time),))


def _on_balloon_change(data: _Data, scene: Scene) -> Effect:
    actual = data.get("actual")
    if not isinstance(actual, int):
        return _NOTHING
    kib = actual // _BYTES_IN_KIB
    return Effect(events=(BalloonChangeEvent(scene.domain, kib, scene.time),))


_WATCHDOG_ACTIONS: Final[Mapping[str, WatchdogAction]] = {
    "none": WatchdogAction.NONE,
    "pause": WatchdogAction.PAUSE,
    "reset": WatchdogAction.RESET,
    "poweroff": WatchdogAction.POWEROFF,
    "shutdown": WatchdogAction.SHUTDOWN,
    "debug": WatchdogAction.DEBUG,
    "inject-nmi": WatchdogAction.INJECTNMI,
}

_HANDLERS: Final[Mapping[str, Callable[[_Data, Scene], Effect]]] = {
    "BALLOON_CHANGE": _on_balloon_change,
    "BLOCK_IO_ERROR": _on_block_io_error,
    "GUEST_CRASHLOADED": _on_crash_loaded,
    "GUEST_PANICKED": _on_panic,
    "RESET": _on_reset,
    "RESUME": _on_resume,
    "RTC_CHANGE": _on_rtc_change,
    "SHUTDOWN": _on_shutdown,
    "STOP": _on_stop,
    "SUSPEND": _on_suspend,
    "SUSPEND_DISK": _on_suspend_disk,
    "WAKEUP": _on_wakeup,
    "WATCHDOG": _on_watchdog,
}
