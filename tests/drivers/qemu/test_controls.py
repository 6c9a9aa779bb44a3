# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls on a real QEMU that runs, in each state: what a real libvirtd was seen to do."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.drivers.qemu.harness import (
    DESTROY,
    PATIENCE,
    SHORT,
    START,
    Bench,
    bench,
    in_threads,
    one_process,
)
from virevents.definition import (
    LifecycleAction,
    Panic,
    Serial,
    UnixEnd,
    UnixMode,
    Watchdog,
    WatchdogAction,
    WatchdogModel,
)
from virevents.drivers import StartMode
from virevents.drivers.qemu import controls
from virevents.drivers.qemu.run import QemuRun
from virevents.errors import (
    ClosedError,
    HostError,
    MonitorError,
    MonitorTimeoutError,
    OperationTimeoutError,
    StateError,
    VireventsError,
)
from virevents.model import (
    Cause,
    CrashedReason,
    DomainState,
    Json,
    LifecycleEvent,
    PausedReason,
    PMSuspendedReason,
    Reason,
    RequestedBy,
    RunningReason,
    ShutoffReason,
)
from virevents.testing.guests import AgentCommand, AgentLine

pytestmark = pytest.mark.qemu

BY_CALL: Final = Cause(RequestedBy.CALL)
OFF: Final = ["shutdown guest", "stopped shutdown"]


class Guest:
    """A running domain whose guest does what it is told."""

    def __init__(self, web: Bench, line: AgentLine) -> None:
        self.web = web
        self.driver = web.driver
        self.line = line
        self.uuid = ""

    def state(self) -> tuple[DomainState, Reason]:
        return self.driver.domain_state(self.uuid)

    def does(self, command: AgentCommand, *words: str) -> None:
        self.line.tell(command)
        self.web.told.wait_for(*words)

    def tells(self, *words: str) -> list[str]:
        """Wait for the last words and return what was told since the start."""
        return self.web.told.wait_for(*words)[3:]

    def causes(self) -> list[Cause]:
        """The causes since the start."""
        events = [event for event in self.web.told.events() if isinstance(event, LifecycleEvent)]
        return [event.cause for event in events[3:]]


@contextmanager
def guest(
    web: Bench,
    *,
    on_poweroff: LifecycleAction = LifecycleAction.DESTROY,
    on_reboot: LifecycleAction = LifecycleAction.RESTART,
    on_crash: LifecycleAction = LifecycleAction.DESTROY,
    watchdog: WatchdogAction = WatchdogAction.RESET,
) -> Iterator[Guest]:
    with TemporaryDirectory() as folder, AgentLine(Path(folder) / "line") as line:
        made = Guest(web, line)
        made.uuid = web.define(
            "rom-agent",
            serials=(Serial(end=UnixEnd(mode=UnixMode.CONNECT, path=str(line.path))),),
            panics=(Panic(),),
            watchdogs=(Watchdog(model=WatchdogModel.IB700, action=watchdog),),
            on_poweroff=on_poweroff,
            on_reboot=on_reboot,
            on_crash=on_crash,
        )
        web.driver.start(made.uuid)
        line.wait_ready()
        yield made
        web.end_all()


# Calls, and on whose wish things happened.


def test_golden_cause_of_suspend_resume_destroy(web: Bench) -> None:
    with guest(web) as agent:
        agent.driver.suspend(agent.uuid)
        agent.driver.resume(agent.uuid)
        agent.driver.destroy(agent.uuid)
        told = ["suspended paused", "resumed unpaused", *DESTROY]
        assert agent.tells(*DESTROY) == told
        abrupt = Cause(RequestedBy.CALL, is_graceful=False)
        assert agent.causes() == [BY_CALL, BY_CALL, abrupt, abrupt]


def test_golden_shutdown_is_the_calls_and_graceful(web: Bench) -> None:
    with guest(web) as agent:
        agent.driver.shutdown(agent.uuid, timeout=PATIENCE)
        assert agent.state() == (DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)
        assert agent.tells(*OFF) == OFF
        assert agent.causes() == [Cause(RequestedBy.CALL, is_graceful=True)] * 2


def test_golden_a_guests_own_power_off_is_the_guests(web: Bench) -> None:
    with guest(web) as agent:
        agent.does(AgentCommand.POWEROFF, *OFF)
        assert agent.causes() == [Cause(RequestedBy.GUEST, is_graceful=True)] * 2


def test_golden_a_signal_is_the_hosts(web: Bench) -> None:
    with guest(web) as agent:
        web.kill(signal.SIGTERM)
        told = ["shutdown host", "stopped shutdown"]
        assert agent.tells(*told) == told
        assert agent.causes() == [Cause(RequestedBy.HOST_SIGNAL, is_graceful=False)] * 2


def test_golden_a_kill_is_nobodys(web: Bench) -> None:
    with guest(web) as agent:
        web.kill(signal.SIGKILL)
        assert agent.tells("stopped failed") == ["stopped failed"]
        assert agent.causes() == [Cause(RequestedBy.UNKNOWN, is_graceful=False)]


# Reboots.


def test_golden_reboot(web: Bench) -> None:
    with guest(web) as agent:
        agent.driver.reboot(agent.uuid)
        assert agent.tells("reboot") == ["reboot"]
        agent.line.wait_ready()
        assert agent.state() == (DomainState.RUNNING, RunningReason.BOOTED)
        # The next power-off is one again.
        agent.driver.shutdown(agent.uuid, timeout=PATIENCE)
        assert agent.tells(*OFF) == ["reboot", *OFF]


def test_golden_on_poweroff_restart(web: Bench) -> None:
    with guest(web, on_poweroff=LifecycleAction.RESTART) as agent:
        for _ in range(3):
            agent.does(AgentCommand.POWEROFF, "reboot")
            agent.line.wait_ready()
        agent.driver.shutdown(agent.uuid)
        agent.line.wait_ready()
        assert agent.tells("reboot") == ["reboot"] * 4
        agent.driver.destroy(agent.uuid)
        assert agent.tells("stopped destroyed") == ["reboot"] * 4 + ["stopped destroyed"]


def test_golden_on_reboot_destroy(web: Bench) -> None:
    with guest(web, on_reboot=LifecycleAction.DESTROY) as agent:
        agent.does(AgentCommand.RESET, *OFF)
        assert agent.causes() == [Cause(RequestedBy.GUEST, is_graceful=True)] * 2


def test_golden_reboot_where_that_is_to_be_the_end(web: Bench) -> None:
    with guest(web, on_reboot=LifecycleAction.DESTROY) as agent:
        agent.driver.reboot(agent.uuid)
        assert agent.tells(*OFF) == OFF


def test_golden_reset_where_that_is_to_be_the_end(web: Bench) -> None:
    with guest(web, on_reboot=LifecycleAction.DESTROY) as agent:
        agent.driver.reset(agent.uuid)
        told = ["shutdown host", "stopped shutdown"]
        assert agent.tells(*told) == told
        assert agent.causes() == [Cause(RequestedBy.CALL, is_graceful=False)] * 2


def test_a_pause_that_meets_a_reboot_comes_after_it(web: Bench) -> None:
    """Between reset and continuation it would pause nothing, and the guest would run on."""
    with guest(web, on_poweroff=LifecycleAction.RESTART) as agent:
        for _ in range(5):
            agent.line.tell(AgentCommand.POWEROFF)
            agent.driver.suspend(agent.uuid)
            assert agent.state() == (DomainState.PAUSED, PausedReason.USER)
            agent.driver.resume(agent.uuid)
            agent.line.wait_ready()


def test_golden_destroy_while_a_reboot_is_waited_for(web: Bench) -> None:
    uuid = web.define()  # its guest is deaf
    web.driver.start(uuid)
    web.driver.reboot(uuid)
    web.driver.destroy(uuid)
    assert web.told.wait_for(*DESTROY)[3:] == DESTROY


# Crashes.


def test_golden_on_crash_destroy(web: Bench) -> None:
    with guest(web) as agent:
        agent.does(AgentCommand.PANIC, "crashed panicked", "stopped crashed")
        assert agent.state() == (DomainState.SHUTOFF, ShutoffReason.CRASHED)
        assert agent.causes() == [Cause(RequestedBy.GUEST, is_graceful=False)] * 2


def test_golden_on_crash_restart(web: Bench) -> None:
    with guest(web, on_crash=LifecycleAction.RESTART) as agent:
        told = ["crashed panicked", "reboot", "resumed unpaused"]
        agent.does(AgentCommand.PANIC, *told)
        assert agent.state() == (DomainState.RUNNING, RunningReason.CRASHED)
        crash, back = agent.causes()
        assert crash == Cause(RequestedBy.GUEST, is_graceful=False, is_reboot=True)
        assert back == Cause(RequestedBy.GUEST, is_reboot=True)
        agent.line.wait_ready()


def test_golden_on_crash_restart_where_a_reboot_is_the_end(web: Bench) -> None:
    restart, destroy = LifecycleAction.RESTART, LifecycleAction.DESTROY
    with guest(web, on_crash=restart, on_reboot=destroy) as agent:
        told = ["crashed panicked", "resumed unpaused", "shutdown host", "stopped shutdown"]
        agent.does(AgentCommand.PANIC, *told)
        assert agent.state() == (DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)


def test_golden_on_crash_preserve(web: Bench) -> None:
    with guest(web, on_crash=LifecycleAction.PRESERVE) as agent:
        agent.does(AgentCommand.PANIC, "crashed panicked")
        agent.driver.suspend(agent.uuid)
        assert agent.state() == (DomainState.CRASHED, CrashedReason.PANICKED)
        with pytest.raises(StateError, match="domain is not running"):
            agent.driver.shutdown(agent.uuid)
        agent.driver.reset(agent.uuid)
        assert agent.state() == (DomainState.PAUSED, PausedReason.CRASHED)
        agent.driver.resume(agent.uuid)
        agent.line.wait_ready()
        assert agent.tells("resumed unpaused") == ["crashed panicked", "reboot", "resumed unpaused"]


def test_golden_destroy_of_a_crashed_domain(web: Bench) -> None:
    with guest(web, on_crash=LifecycleAction.PRESERVE) as agent:
        agent.does(AgentCommand.PANIC, "crashed panicked")
        agent.driver.destroy(agent.uuid)
        assert agent.tells(*DESTROY) == ["crashed panicked", *DESTROY]


@pytest.mark.parametrize(
    ("action", "last"),
    [
        (LifecycleAction.COREDUMP_DESTROY, ["stopped crashed"]),
        (LifecycleAction.COREDUMP_RESTART, ["reboot", "resumed unpaused"]),
    ],
)
def test_golden_on_crash_coredump(web: Bench, action: LifecycleAction, last: list[str]) -> None:
    with guest(web, on_crash=action) as agent:
        agent.does(AgentCommand.PANIC, *last)
        assert agent.tells(*last) == ["crashed panicked", *last]
    (dump,) = (web.root / "dump").iterdir()
    assert dump.stat().st_size > 0


def test_golden_crash_loaded(web: Bench) -> None:
    with guest(web) as agent:
        agent.does(AgentCommand.CRASH_LOADED, "crashed crashloaded")
        assert agent.state() == (DomainState.RUNNING, RunningReason.BOOTED)


# Watchdogs.


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (WatchdogAction.NONE, ["watchdog"]),
        (WatchdogAction.RESET, ["watchdog", "reboot"]),
        (WatchdogAction.PAUSE, ["watchdog", "suspended watchdog"]),
        (WatchdogAction.DUMP, ["watchdog", "suspended watchdog", "resumed unpaused"]),
        (WatchdogAction.SHUTDOWN, ["watchdog", *OFF]),
        (WatchdogAction.POWEROFF, ["watchdog", "stopped failed"]),
        (WatchdogAction.INJECT_NMI, ["watchdog"]),
    ],
)
def test_golden_watchdog(web: Bench, action: WatchdogAction, told: list[str]) -> None:
    with guest(web, watchdog=action) as agent:
        agent.does(AgentCommand.WATCHDOG_AT_ONCE, *told)
        assert agent.tells(*told) == told
        assert {cause.requested_by for cause in agent.causes()} <= {RequestedBy.GUEST}


# Sleep.


def test_golden_sleep_and_wakeup(web: Bench) -> None:
    with guest(web) as agent:
        agent.does(AgentCommand.SUSPEND_TO_MEMORY, "pm-suspend", "pmsuspended memory")
        assert agent.state() == (DomainState.PMSUSPENDED, PMSuspendedReason.UNKNOWN)
        for call in (agent.driver.suspend, agent.driver.resume):
            with pytest.raises(StateError, match="domain is pmsuspended"):
                call(agent.uuid)
        with pytest.raises(StateError, match="domain is not running"):
            agent.driver.shutdown(agent.uuid)
        agent.driver.pm_wakeup(agent.uuid)
        assert agent.state() == (DomainState.RUNNING, RunningReason.WAKEUP)
        agent.web.told.wait_for("pm-wakeup", "started wakeup")
        slept, woke = agent.causes()
        assert slept == Cause(RequestedBy.GUEST, is_graceful=True)
        assert woke == BY_CALL


def test_golden_wakeup_of_what_does_not_sleep(web: Bench) -> None:
    with guest(web) as agent:
        with pytest.raises(MonitorError, match="not in suspended state"):
            agent.driver.pm_wakeup(agent.uuid)
        assert agent.web.told.words()[3:] == []


def test_golden_sleep_on_disk(web: Bench) -> None:
    with guest(web) as agent:
        agent.does(AgentCommand.SUSPEND_TO_DISK, *OFF)
        assert agent.tells(*OFF) == ["pm-suspend-disk", "pmsuspended disk", *OFF]


# States that refuse, in libvirt's words.


def test_golden_calls_on_a_paused_domain(web: Bench) -> None:
    with guest(web) as agent:
        agent.driver.suspend(agent.uuid)
        agent.driver.suspend(agent.uuid)
        with pytest.raises(StateError, match="domain is not running"):
            agent.driver.shutdown(agent.uuid)
        agent.driver.reset(agent.uuid)
        assert agent.state() == (DomainState.PAUSED, PausedReason.USER)
        agent.driver.resume(agent.uuid)
        agent.line.wait_ready()
        told = ["suspended paused", "reboot", "resumed unpaused"]
        assert agent.tells("resumed unpaused") == told


def test_golden_calls_on_a_domain_that_is_off(web: Bench) -> None:
    uuid, driver = web.define(), web.driver
    for call in (
        driver.suspend,
        driver.resume,
        driver.shutdown,
        driver.reboot,
        driver.reset,
        driver.destroy,
        driver.pm_wakeup,
    ):
        with pytest.raises(StateError, match="valid: domain is not running") as caught:
            call(uuid)
        assert caught.value.code == 55


# Ends.


def test_golden_destroy_gracefully(web: Bench) -> None:
    with guest(web) as agent:
        agent.driver.destroy(agent.uuid, graceful=True)
        assert agent.tells(*DESTROY) == DESTROY


def test_golden_destroy_gracefully_of_a_qemu_that_hangs(
    web: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "_GRACEFUL_WITHIN", SHORT)
    uuid = web.define()
    web.driver.start(uuid)
    web.kill(signal.SIGSTOP)
    with pytest.raises(HostError, match="Failed to terminate process") as caught:
        web.driver.destroy(uuid, graceful=True)
    assert caught.value.code == 38
    assert web.driver.domain_state(uuid).state is DomainState.RUNNING
    web.kill(signal.SIGCONT)
    assert web.told.wait_for(*DESTROY)[3:] == DESTROY


def test_shutdown_of_a_deaf_guest_ends_with_its_deadline(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    with pytest.raises(OperationTimeoutError, match=r"did not shut down within 0.2 s"):
        web.driver.shutdown(uuid, timeout=SHORT)
    assert web.driver.domain_state(uuid).state is DomainState.RUNNING
    web.driver.shutdown(uuid, timeout=SHORT, force=True)
    assert web.told.wait_for(*DESTROY)[3:] == DESTROY


def test_waits_free(web: Bench) -> None:
    """While `shutdown` waits for a deaf guest, other calls on it are served."""
    uuid = web.define()
    web.driver.start(uuid)
    outcomes: list[str] = []

    def shut_down() -> None:
        web.driver.shutdown(uuid, timeout=PATIENCE)
        outcomes.append("off")

    def others() -> None:
        for _ in range(3):
            web.driver.suspend(uuid)
            web.driver.resume(uuid)
        assert outcomes == []
        web.driver.destroy(uuid)

    in_threads(shut_down, others)
    assert outcomes == ["off"]


def test_destroy_at_once(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU hangs, a call waits for its answer and holds the turn: `destroy` kills all the same."""
    monkeypatch.setattr(controls, "_DESTROY_PATIENCE", SHORT)
    uuid = web.define()
    web.driver.start(uuid)
    web.kill(signal.SIGSTOP)
    waits_for_answer = threading.Event()
    execute = QemuRun.execute

    async def execute_and_say(
        run: QemuRun, command: str, arguments: object = None, *, within: float | None = None
    ) -> Json:
        waits_for_answer.set()
        return await execute(run, command, within=within)

    monkeypatch.setattr(QemuRun, "execute", execute_and_say)

    def suspend() -> None:
        with pytest.raises(MonitorError, match="the session ended before the answer"):
            web.driver.suspend(uuid)

    def destroy() -> None:
        assert waits_for_answer.wait(PATIENCE)
        web.driver.destroy(uuid)

    in_threads(suspend, destroy)
    # A stopped process tells nothing, not even SHUTDOWN.
    assert web.told.wait_for("stopped destroyed") == ["defined added", *START, "stopped destroyed"]


def test_destroy_at_once_of_a_qemu_that_somebody_stopped(
    web: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the patience that one gets which could obey, it would not be gone in time."""
    monkeypatch.setattr(controls, "_DESTROY_PATIENCE", 1000.0)
    uuid = web.define()
    web.driver.start(uuid)
    web.kill(signal.SIGSTOP)
    os.waitid(os.P_PID, web.pid(), os.WSTOPPED | os.WNOWAIT)
    web.driver.destroy(uuid)
    assert web.told.wait_for("stopped destroyed")[3:] == ["stopped destroyed"]


def test_a_call_on_a_qemu_that_hangs_ends_at_its_deadline(tmp_path: Path) -> None:
    with bench(tmp_path, parameters="&monitor_timeout=0.2") as web:
        uuid, other = web.define(), web.define(name="web2")
        web.driver.start(uuid)
        web.driver.start(other)
        web.kill(signal.SIGSTOP)
        with pytest.raises(MonitorTimeoutError, match=r"no answer within 0.2 s"):
            web.driver.suspend(uuid)
        web.driver.suspend(other)
        web.kill(signal.SIGCONT)
        # It did not forget: what was sent takes effect, and was asked for by nobody any more.
        web.told.wait_for("suspended paused")
        web.driver.resume(uuid)


# Owners.


def test_owned(web: Bench) -> None:
    mine, theirs = object(), object()
    uuids = {name: web.define(name=name) for name in ("mine", "theirs", "nobodys")}
    web.driver.start(uuids["mine"], autodestroy_owner=mine)
    web.driver.start(uuids["theirs"], autodestroy_owner=theirs)
    web.driver.start(uuids["nobodys"])
    gone = web.driver.create(web.xml(name="gone"), StartMode.PAUSED, autodestroy_owner=mine)
    web.driver.destroy_owned(mine)
    running = {domain.name for domain in web.driver.domains(active=True)}
    assert running == {"theirs", "nobodys"}
    assert web.told.wait_for(*DESTROY, name="mine")[1:] == [*START, *DESTROY]
    with pytest.raises(VireventsError, match="Domain not found"):
        web.driver.lookup_uuid(gone.uuid)
    # It is owned by that run only.
    web.driver.start(uuids["mine"])
    web.driver.destroy_owned(mine)
    assert web.driver.domain_state(uuids["mine"]).state is DomainState.RUNNING


def test_owned_by_nobody_who_is_left(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        web.driver.start(web.define(), autodestroy_owner=web)
        web.driver.destroy_owned(object())
        web.driver.destroy_owned(web)
    web.driver.destroy_owned(web)  # late: nothing is left, and nothing is waited for


def test_a_driver_that_closes_ends_what_waits_for_its_domain(tmp_path: Path) -> None:
    with one_process(tmp_path) as web:
        uuid = web.define()
        web.driver.start(uuid)
        waits = threading.Event()

        def shut_down() -> None:
            waits.set()
            with pytest.raises((ClosedError, MonitorError)):
                web.driver.shutdown(uuid, timeout=PATIENCE)

        def close() -> None:
            assert waits.wait(PATIENCE)
            web.driver.close()

        in_threads(shut_down, close)
    with bench(tmp_path) as again:
        assert again.driver.domain_state(uuid).state is DomainState.RUNNING
