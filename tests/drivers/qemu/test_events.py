# SPDX-License-Identifier: LGPL-2.1-or-later
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.definition import LifecycleAction
from virevents.drivers.qemu.ending import Ending, Sign, Step
from virevents.drivers.qemu.events import interpret
from virevents.drivers.qemu.scene import Asked, Course, Effect, Policy, Reaction, Scene
from virevents.drivers.qemu.transitions import STARTING_UP, find
from virevents.model import (
    BalloonChangeEvent,
    Cause,
    CrashedReason,
    DomainEvent,
    DomainIdentity,
    DomainState,
    LifecycleEvent,
    PausedReason,
    PMSuspendedReason,
    RequestedBy,
    RTCChangeEvent,
    RunningReason,
    ShutdownReason,
    StateAndReason,
    WatchdogAction,
    WatchdogEvent,
)

RECORDED: Final = Path(__file__).parent / "recorded_events.json"
DOMAIN: Final = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 7)
RUNNING: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
PAUSED: Final = StateAndReason(DomainState.PAUSED, PausedReason.USER)
ASLEEP: Final = StateAndReason(DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN)
OFF: Final = StateAndReason(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN)
CRASHED: Final = StateAndReason(DomainState.CRASHED, CrashedReason.PANICKED)
STATES: Final = (
    STARTING_UP,
    RUNNING,
    StateAndReason(DomainState.PAUSED, PausedReason.USER),
    OFF,
    CRASHED,
    ASLEEP,
)


def recordings() -> dict[str, list[dict[str, object]]]:
    recorded = json.loads(RECORDED.read_text())
    assert isinstance(recorded, dict)
    return {name: messages for name, messages in recorded.items() if name != "_origin"}


def in_words(event: DomainEvent) -> str:
    if isinstance(event, LifecycleEvent):
        return f"{event.event} {event.detail}"
    return str(event.event_id)


class Replay:
    """Feeds messages to the pure objects as the run does, up to what it would do itself."""

    def __init__(self, state: StateAndReason = STARTING_UP, **facts: object) -> None:
        self.scene = Scene(DOMAIN, state, 1.0, **facts)  # type: ignore[arg-type]
        self.told: list[str] = []
        self.events: list[DomainEvent] = []
        self.reactions: list[Reaction] = []
        self._ending = Ending()

    @property
    def state(self) -> StateAndReason:
        return self.scene.state

    def feed(self, message: Mapping[str, object]) -> None:
        if "event" in message:
            effect = interpret(message, self.scene)
            self.scene = replace(
                self.scene,
                state=effect.state or self.scene.state,
                asked=effect.asked or self.scene.asked,
                course=effect.course or self.scene.course,
            )
            self.events += effect.events
            self.told += [in_words(event) for event in effect.events]
            self.reactions += [effect.reaction] if effect.reaction else []
            if effect.sign:
                self._ending.put(effect.sign)
            return
        sign = Sign.STREAM_END if "EOF" in message else Sign.EXIT
        if self._ending.put(sign) is Step.CONCLUDE:
            line = find(self._ending.verdict, self.scene.state)
            assert line is not None
            self.told += [f"{event} {detail}" for event, detail in line.told]

    def hear(self, name: str, **data: object) -> list[DomainEvent]:
        before = len(self.events)
        self.feed({"event": name, "data": data})
        return self.events[before:]


START: Final = ["resumed unpaused", "started booted"]
IO_ERROR: Final = ["io-error", "io-error-reason"]
GOLDEN: Final[dict[str, list[str]]] = {
    "start-stop-cont": ["suspended paused", "resumed unpaused"],
    "guest-poweroff": ["shutdown guest", "stopped shutdown"],
    "system-powerdown-graceful": ["shutdown guest", "stopped shutdown"],
    "system-powerdown-ignored": [],
    "linux-button": ["shutdown guest", "stopped shutdown"],
    "linux-halt": [],
    "quit": ["shutdown host", "stopped shutdown"],
    "sigterm": ["shutdown host", "stopped shutdown"],
    "sigterm-no-shutdown": ["shutdown host", "stopped shutdown"],
    "sigterm-while-sigstopped": ["shutdown host", "stopped shutdown"],
    "sigkill": ["stopped failed"],
    "sigabrt": ["stopped failed"],
    "sigsegv": ["stopped failed"],
    "guest-debug-exit": ["stopped failed"],
    "guest-reset-cf9": ["reboot"],
    "guest-reset-kbd": ["reboot"],
    "guest-triple-fault": ["reboot"],
    "system-reset": ["reboot"],
    "system-reset-while-stopped": ["suspended paused", "reboot"],
    "guest-poweroff-no-shutdown": ["shutdown guest"],
    "watchdog-shutdown-no-shutdown": ["watchdog", "shutdown guest"],
    "guest-suspend-disk": [
        "pm-suspend-disk",
        "pmsuspended disk",
        "shutdown guest",
        "stopped shutdown",
    ],
    "suspend-wakeup": ["pm-suspend", "pmsuspended memory", "pm-wakeup", "started wakeup"],
    "linux-suspend": ["pm-suspend", "pmsuspended memory", "pm-wakeup", "started wakeup"],
    "suspend-then-stop-cont": ["pm-suspend", "pmsuspended memory"],
    "panic-default": ["crashed panicked", "stopped crashed"],
    "panic-action-shutdown": ["crashed panicked", "stopped crashed"],
    "panic-action-exit-failure": ["crashed panicked", "stopped crashed"],
    "panic-action-none": ["crashed panicked"],
    "panic-action-pause": ["crashed panicked"],
    "panic-pause-then-reset-cont": ["crashed panicked", "resumed unpaused", "reboot"],
    "crashloaded": ["crashed crashloaded"],
    "watchdog-ib700-pause": ["watchdog", "suspended watchdog"],
    "watchdog-ib700-reset": ["watchdog", "reboot"],
    "watchdog-ib700-poweroff": ["watchdog", "stopped failed"],
    "io-error-write-stop": [*IO_ERROR, "suspended ioerror"],
    "io-error-stop-then-cont": [
        *IO_ERROR,
        "suspended ioerror",
        "resumed unpaused",
        *IO_ERROR,
        "suspended ioerror",
    ],
    "io-error-write-report": IO_ERROR,
    "io-error-write-ignore": IO_ERROR,
    "eject-tray": ["tray-change"] * 4,
    "device-del-usb": ["device-removed"],
    "device-del-scsi": ["device-removed"],
    "device-del-pci-guest-acks": ["device-removed"],
    "device-del-pci-guest-ignores": ["reboot", "device-removed"],
    "block-job-mirror": ["block-job"] * 4,
    "block-job-backup-error": ["block-job"],
    "block-write-threshold": ["block-threshold"],
    "rtc-change": ["rtc-change", "rtc-change"],
    "balloon": ["balloon-change", "balloon-change"],
    "migrate-fail": [],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    replay = Replay()
    for message in recordings()[name]:
        replay.feed(message)
    assert replay.told == START + GOLDEN[name]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
names = sorted({str(m["event"]) for log in recordings().values() for m in log if "event" in m})
data_keys = st.sampled_from(["action", "actual", "guest", "offset", "reason", "device"])


@given(
    st.sampled_from(names) | json_values,
    json_values | st.dictionaries(data_keys, json_values),
    st.sampled_from(STATES),
)
def test_robust(name: object, data: object, state: StateAndReason) -> None:
    assert isinstance(interpret({"event": name, "data": data}, Scene(DOMAIN, state, 1.0)), Effect)


@pytest.mark.parametrize("name", ["RESUME", "STOP", "SHUTDOWN", "SUSPEND", "WAKEUP"])
@pytest.mark.parametrize("state", STATES)
def test_idempotent(name: str, state: StateAndReason) -> None:
    replay = Replay(state)
    message: dict[str, object] = {"event": name, "data": {"guest": True}}
    replay.feed(message)
    reached, told = replay.state, len([word for word in replay.told if " " in word])
    replay.feed(message)
    assert replay.state == reached
    assert len([word for word in replay.told if " " in word]) == told


def test_idempotent_panic() -> None:
    replay = Replay(RUNNING)
    replay.feed({"event": "GUEST_PANICKED", "data": {"action": "pause"}})
    replay.feed({"event": "GUEST_PANICKED", "data": {"action": "pause"}})
    assert replay.told == ["crashed panicked"]


def effect(name: str, state: StateAndReason = RUNNING, **data: object) -> Effect:
    return interpret({"event": name, "data": data}, Scene(DOMAIN, state, 1.0))


def test_a_shutdown_on_nobodys_named_wish_is_finished() -> None:
    (event,) = effect("SHUTDOWN").events
    assert in_words(event) == "shutdown finished"


def test_facts_are_taken_over() -> None:
    assert effect("RTC_CHANGE", offset=-3).events == (RTCChangeEvent(DOMAIN, -3, 1.0),)
    assert effect("BALLOON_CHANGE", actual=2048).events == (BalloonChangeEvent(DOMAIN, 2, 1.0),)
    fired = WatchdogEvent(DOMAIN, WatchdogAction.INJECTNMI, 1.0)
    assert effect("WATCHDOG", action="inject-nmi").events == (fired,)


@pytest.mark.parametrize("name", sorted(set(names) - {"RESUME"}))
def test_start_first(name: str) -> None:
    met = effect(name, STARTING_UP, guest=True, action="pause", offset=1, actual=1)
    assert met.events == ()
    assert met.state is None
    assert met.reaction is None
    assert met.sign is (Sign.SHUTDOWN if name == "SHUTDOWN" else None)


def test_asleep_already_tells_only_that_it_was_told() -> None:
    assert [in_words(event) for event in effect("SUSPEND", ASLEEP).events] == ["pm-suspend"]
    assert [in_words(event) for event in effect("WAKEUP", RUNNING).events] == ["pm-wakeup"]


def off(replay: Replay, guest: bool = True, reason: str = "guest-shutdown") -> list[str]:
    return [in_words(event) for event in replay.hear("SHUTDOWN", guest=guest, reason=reason)]


def causes(replay: Replay) -> list[Cause]:
    return [event.cause for event in replay.events if isinstance(event, LifecycleEvent)]


def test_cause_of_a_pause() -> None:
    asked = Replay(RUNNING, asked=Asked(pause=PausedReason.SAVE))
    asked.hear("STOP")
    assert asked.state == (DomainState.PAUSED, PausedReason.SAVE)
    assert causes(asked) == [Cause(RequestedBy.CALL)]
    assert asked.scene.asked.pause is None
    unasked = Replay(RUNNING)
    unasked.hear("STOP")
    assert unasked.state == (DomainState.PAUSED, PausedReason.UNKNOWN)
    assert causes(unasked) == [Cause(RequestedBy.UNKNOWN)]


def test_cause_of_a_resumption() -> None:
    replay = Replay(PAUSED, asked=Asked(run=RunningReason.SAVE_CANCELED))
    replay.hear("RESUME")
    assert replay.state == (DomainState.RUNNING, RunningReason.SAVE_CANCELED)
    assert causes(replay) == [Cause(RequestedBy.CALL)]
    assert replay.scene.asked.run is None


def test_cause_of_a_start_is_the_call() -> None:
    replay = Replay(asked=Asked(run=RunningReason.BOOTED))
    replay.hear("RESUME")
    assert {cause.requested_by for cause in causes(replay)} == {RequestedBy.CALL}


def test_cause_of_a_power_off() -> None:
    by_guest = Replay(RUNNING)
    assert off(by_guest) == ["shutdown guest"]
    assert causes(by_guest) == [Cause(RequestedBy.GUEST, is_graceful=True)]
    by_call = Replay(RUNNING, asked=Asked(power_off=True))
    assert off(by_call) == ["shutdown guest"]
    assert causes(by_call) == [Cause(RequestedBy.CALL, is_graceful=True)]


@pytest.mark.parametrize(
    ("reason", "asked", "by"),
    [
        ("host-signal", Asked(), RequestedBy.HOST_SIGNAL),
        ("host-signal", Asked(destroy=True), RequestedBy.CALL),
        ("host-qmp-quit", Asked(), RequestedBy.UNKNOWN),
        ("host-qmp-system-reset", Asked(reset=True), RequestedBy.CALL),
        ("host-signal", Asked(reset=True), RequestedBy.HOST_SIGNAL),
    ],
)
def test_cause_of_an_end_from_outside(reason: str, asked: Asked, by: RequestedBy) -> None:
    replay = Replay(RUNNING, asked=asked)
    assert off(replay, guest=False, reason=reason) == ["shutdown host"]
    assert causes(replay) == [Cause(by, is_graceful=False)]
    assert replay.reactions == [Reaction.END]


def test_cause_of_sleeping_and_waking() -> None:
    replay = Replay(RUNNING, asked=Asked(sleep=True, wake_up=True))
    replay.hear("SUSPEND")
    replay.hear("WAKEUP")
    assert [cause.requested_by for cause in causes(replay)] == [RequestedBy.CALL] * 2
    replay = Replay(RUNNING)
    replay.hear("SUSPEND")
    replay.hear("WAKEUP")
    assert causes(replay) == [Cause(RequestedBy.GUEST, is_graceful=True), Cause()]


def reboot(replay: Replay) -> None:
    """What QEMU tells while the run resets and continues it."""
    for name in ("STOP", "SHUTDOWN", "RESET", "RESUME"):
        replay.hear(name, guest=True)


@pytest.mark.parametrize(
    "facts",
    [
        {"asked": Asked(reboot=True)},
        {"policy": Policy(on_poweroff=LifecycleAction.RESTART)},
    ],
)
def test_golden_a_power_off_that_is_a_reboot(facts: dict[str, object]) -> None:
    replay = Replay(RUNNING, **facts)
    assert off(replay) == []
    courses = [replay.scene.course]
    reboot(replay)
    assert replay.told == ["reboot"]
    assert replay.reactions == [Reaction.REBOOT]
    assert replay.state == RUNNING
    assert [*courses, replay.scene.course] == [Course.REBOOTING, Course.NORMAL]
    assert not replay.scene.asked.reboot


def test_golden_a_reset_that_is_to_be_the_end_ends_a_guest_that_was_asked_to_reboot() -> None:
    replay = Replay(RUNNING, asked=Asked(reboot=True))
    assert off(replay, reason="guest-reset") == ["shutdown guest"]
    assert replay.reactions == [Reaction.END]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"policy": Policy(on_poweroff=LifecycleAction.RESTART)}, []),
        ({"asked": Asked(reboot=True)}, []),
        ({"asked": Asked(reboot=True, destroy=True)}, ["shutdown host"]),
        ({"course": Course.REBOOTING}, []),
        ({"course": Course.REBOOTING, "asked": Asked(destroy=True)}, ["shutdown host"]),
        ({"course": Course.ENDING}, []),
    ],
)
def test_golden_an_end_from_outside_where_a_power_off_means_a_reboot(
    facts: dict[str, object], words: list[str]
) -> None:
    assert off(Replay(RUNNING, **facts), guest=False, reason="host-signal") == words


def test_a_silent_end_has_its_cause_all_the_same() -> None:
    policy = Policy(on_poweroff=LifecycleAction.RESTART)
    met = interpret(
        {"event": "SHUTDOWN", "data": {"guest": False, "reason": "host-signal"}},
        Scene(DOMAIN, RUNNING, 1.0, policy=policy),
    )
    assert met.end_cause == Cause(RequestedBy.HOST_SIGNAL, is_graceful=False)
    assert met.sign is None


@pytest.mark.parametrize(
    ("action", "reactions", "is_reboot"),
    [
        (LifecycleAction.DESTROY, [Reaction.END], False),
        (LifecycleAction.PRESERVE, [], False),
        (LifecycleAction.RESTART, [Reaction.REBOOT], True),
        (LifecycleAction.COREDUMP_DESTROY, [Reaction.DUMP_AND_END], False),
        (LifecycleAction.COREDUMP_RESTART, [Reaction.DUMP_AND_REBOOT], True),
    ],
)
def test_golden_a_panic(
    action: LifecycleAction, reactions: list[Reaction], is_reboot: bool
) -> None:
    replay = Replay(RUNNING, policy=Policy(on_crash=action))
    replay.hear("GUEST_PANICKED", action="pause")
    replay.hear("STOP")
    assert replay.told == ["crashed panicked"]
    assert replay.reactions == reactions
    assert causes(replay) == [Cause(RequestedBy.GUEST, is_graceful=False, is_reboot=is_reboot)]


def test_golden_a_panic_that_is_rebooted() -> None:
    replay = Replay(RUNNING, policy=Policy(on_crash=LifecycleAction.RESTART))
    replay.hear("GUEST_PANICKED", action="pause")
    replay.hear("STOP")
    replay.hear("RESET")
    asked = Asked(run=RunningReason.CRASHED, run_by=RequestedBy.GUEST)
    replay.scene = replace(replay.scene, asked=asked)
    replay.hear("RESUME")
    assert replay.told == ["crashed panicked", "reboot", "resumed unpaused"]
    assert replay.state == (DomainState.RUNNING, RunningReason.CRASHED)
    assert causes(replay)[1] == Cause(RequestedBy.GUEST, is_reboot=True)


def test_golden_a_watchdog_that_is_to_dump() -> None:
    replay = Replay(RUNNING, policy=Policy(dumps_on_watchdog=True))
    replay.hear("WATCHDOG", action="pause")
    replay.hear("STOP")
    assert replay.told == ["watchdog", "suspended watchdog"]
    assert replay.reactions == [Reaction.DUMP_AND_RUN]


def test_a_watchdogs_power_off_is_the_guests_end() -> None:
    assert effect("WATCHDOG", action="poweroff").end_cause == Cause(
        RequestedBy.GUEST, is_graceful=False
    )
    assert effect("WATCHDOG", action="reset").end_cause is None


@pytest.mark.parametrize(
    ("action", "is_end"), [(LifecycleAction.DESTROY, True), (LifecycleAction.PRESERVE, False)]
)
def test_a_crash_is_the_cause_of_the_end_only_where_it_ends(
    action: LifecycleAction, is_end: bool
) -> None:
    scene = Scene(DOMAIN, RUNNING, 1.0, policy=Policy(on_crash=action))
    met = interpret({"event": "GUEST_PANICKED", "data": {"action": "pause"}}, scene)
    assert (met.end_cause is not None) is is_end
