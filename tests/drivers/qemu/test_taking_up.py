# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMUs that another driver left, real ones: taken up, or told of, once."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.drivers.qemu.harness import (
    PATIENCE,
    SHORT,
    START,
    Bench,
    bench,
    one_process,
    qemu_children,
    uuid_of,
)
from virevents.drivers import StartMode
from virevents.drivers.qemu import controls, sockets, taking_up
from virevents.drivers.qemu.driver import QemuDriver
from virevents.drivers.qemu.estate import Estate, run_of
from virevents.drivers.qemu.monitor import Monitor
from virevents.drivers.qemu.status import RunFolder
from virevents.drivers.qemu.taking_up import missed_end
from virevents.drivers.qemu.told import Note, Told
from virevents.errors import DomainNotFoundError, MonitorError, MonitorTimeoutError
from virevents.model import (
    Cause,
    DomainState,
    LifecycleEvent,
    PausedReason,
    RequestedBy,
    RunningReason,
    ShutdownReason,
    ShutoffReason,
    StateAndReason,
)

RUNNING: Final = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
FOUND: Final = Cause(is_graceful=False, is_found_at_start=True)

# Starts a domain of the definition on its input, and is killed at the step that it is given.
KILLED: Final = """
import os, signal, sys
from pathlib import Path
from virevents.clock import SYSTEM_CLOCK
from virevents.drivers import ConnectionUri, DriverContext
from virevents.drivers.qemu import QEMU
from virevents.drivers.qemu import launching, life, status
from virevents.loop import LoopThread
from virevents.model import LifecycleEvent

root, step = sys.argv[1:]
writes = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write(self, wanted, write=status.RunFolder.write):
    global writes
    writes += 1
    if step == f"before-write-{writes}":
        die()
    write(self, wanted)
    if step == f"after-write-{writes}":
        die()

def told(self, effect, tell=life.Life._tell):
    if step == "before-told":
        die()
    tell(self, effect)

status.RunFolder.write = write
life.Life._tell = told
loop = LoopThread()
loop.start()
uri = QEMU.resolve(ConnectionUri.parse(f"qemu:///embed?root={root}"))
driver = QEMU.open(uri, DriverContext(loop.loop, SYSTEM_CLOCK))
driver.create(sys.stdin.read())
die()
"""


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    yield
    for pid in qemu_children():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        pytest.fail(f"process {pid} was left")


def folders(root: Path) -> list[RunFolder]:
    return [RunFolder(path) for path in sorted((root / "run").iterdir())]


def kill_all() -> None:
    for pid in qemu_children():
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def say(folder: RunFolder, command: str, *, until: str = "") -> None:
    """Have QEMU execute a command while nobody manages it, and be in the status *until*."""
    with sockets.connect(folder.monitor) as client:
        client.settimeout(PATIENCE)
        stream = client.makefile("rw")

        def ask(name: str) -> object:
            stream.write(json.dumps({"execute": name}))
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline())):
                pass
            return answer["return"]

        ask("qmp_capabilities")
        ask(command)
        while until and until not in str(ask("query-status")):
            pass
        stream.close()


def estate_of(web: Bench) -> Estate:
    assert isinstance(web.driver, QemuDriver)
    return web.driver._estate


def ended_by_itself(web: Bench) -> None:
    run = estate_of(web).found[uuid_of("web1")].run
    assert run is None or run.ended.wait(PATIENCE)


def causes(web: Bench, name: str = "web1") -> list[Cause]:
    return [event.cause for event in web.told.events(name) if isinstance(event, LifecycleEvent)]


def test_goes_on(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        uuid = first.define(vcpus=2)
        first.driver.start(uuid)
        first.driver.suspend(uuid)
        first.define(vcpus=1)  # holds from the next start on
        lived = first.driver.domain_xml(uuid)
        identity = first.driver.lookup_name("web1")
    with bench(tmp_path) as second:
        assert second.driver.lookup_id(identity.id) == identity
        assert second.driver.domain_xml(uuid) == lived
        assert second.driver.domain_state(uuid) == (DomainState.PAUSED, PausedReason.USER)
        assert second.driver.is_persistent(uuid)
        assert second.told.words() == []
        second.driver.resume(uuid)
        assert second.told.wait_for("resumed unpaused") == ["resumed unpaused"]
        second.driver.start(second.define(name="web2"))
        assert second.driver.lookup_name("web2").id > identity.id
        second.driver.destroy(uuid)
        second.told.wait_for("shutdown host", "stopped destroyed")
        assert "<vcpu>1<" in second.driver.domain_xml(uuid)


def test_goes_on_transient(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        uuid = first.driver.create(first.xml()).uuid
        first.define(name="kept")
        first.driver.start(uuid_of("kept"))
        first.driver.undefine(uuid_of("kept"))
    with bench(tmp_path) as second:
        assert not second.driver.is_persistent(uuid)
        assert not second.driver.is_persistent(uuid_of("kept"))
        second.driver.destroy(uuid)
        second.told.wait_for("stopped destroyed")
        with pytest.raises(DomainNotFoundError):
            second.driver.lookup_uuid(uuid)


def test_goes_on_after_three_processes(tmp_path: Path) -> None:
    with one_process(tmp_path) as web:
        web.driver.start(web.define())
    for _ in range(3):
        with one_process(tmp_path) as web:
            assert web.driver.domain_state(uuid_of("web1")) == RUNNING
    with bench(tmp_path) as web:
        web.driver.suspend(uuid_of("web1"))
        assert web.told.words() == ["suspended paused"]


def test_what_changed_meanwhile_is_told_once(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    say(folders(tmp_path)[0], "stop")
    with one_process(tmp_path, listens=False) as unheard:
        paused = StateAndReason(DomainState.PAUSED, PausedReason.USER)
        assert unheard.driver.domain_state(uuid_of("web1")).state is paused.state
    with one_process(tmp_path) as second:
        second.told.wait_for("suspended paused")
        (cause,) = causes(second)
        assert cause.is_found_at_start
    with bench(tmp_path) as third:
        third.driver.resume(uuid_of("web1"))
        assert third.told.wait_for("resumed unpaused") == ["resumed unpaused"]


def test_a_guest_that_powered_off_meanwhile(tmp_path: Path) -> None:
    """It waits for its manager; what comes of it is told when somebody listens, in order."""
    with one_process(tmp_path) as first:
        first.driver.start(first.define("rom-button"))
        first.told.wait_for("rtc-change")  # its guest obeys the button from now on
    say(folders(tmp_path)[0], "system_powerdown", until="shutdown")
    with one_process(tmp_path, listens=False) as unheard:
        ended_by_itself(unheard)
        unheard.listen()
        told = unheard.told.wait_for("stopped shutdown")
        assert told == ["shutdown guest", "stopped shutdown"]
        assert causes(unheard)[0].is_found_at_start
    assert folders(tmp_path) == []


def test_a_power_off_that_nobody_heard_of_is_known_to_the_next(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        first.driver.start(first.define("rom-button"))
        first.told.wait_for("rtc-change")  # its guest obeys the button from now on
    say(folders(tmp_path)[0], "system_powerdown", until="shutdown")
    with one_process(tmp_path, listens=False) as unheard:
        ended_by_itself(unheard)
    with bench(tmp_path) as second:
        assert second.told.wait_for("stopped shutdown") == ["stopped shutdown"]
        assert causes(second) == [Cause(is_graceful=True, is_found_at_start=True)]


def test_stopped_once(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    kill_all()
    for _ in range(2):
        with one_process(tmp_path, listens=False) as unheard:
            off = (DomainState.SHUTOFF, ShutoffReason.CRASHED)
            assert unheard.driver.domain_state(uuid_of("web1")) == off
    with one_process(tmp_path) as second:
        assert second.told.wait_for("stopped failed") == ["stopped failed"]
        assert causes(second) == [FOUND]
        (event,) = second.told.events()
        assert event.domain.id == -1
    assert folders(tmp_path) == []
    with bench(tmp_path) as third:
        third.driver.start(uuid_of("web1"))
        assert third.told.wait_for(*START) == START


def test_stopped_once_by_a_signal_that_it_obeyed(tmp_path: Path) -> None:
    """Nobody heard its SHUTDOWN; its log says on whose wish it ended."""
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    for pid in qemu_children():
        os.kill(pid, signal.SIGTERM)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with bench(tmp_path) as second:
        assert second.told.wait_for("stopped failed") == ["stopped failed"]
        assert causes(second) == [Cause(RequestedBy.HOST_SIGNAL, False, False, True)]


def test_stopped_once_before_what_follows(tmp_path: Path) -> None:
    """An operation tells what was found first; who listens later has missed it."""
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    kill_all()
    with bench(tmp_path) as second:
        second.driver.start(uuid_of("web1"))
        assert second.told.wait_for(*START) == ["stopped failed", *START]
    with one_process(tmp_path) as first:
        first.driver.start(uuid_of("web1"))
    kill_all()
    with one_process(tmp_path, listens=False) as unheard:
        unheard.define()
        unheard.listen()
        unheard.driver.undefine(uuid_of("web1"))
        assert unheard.told.wait_for("undefined removed") == ["undefined removed"]


def test_stopped_once_of_a_transient_domain(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        first.driver.create(first.xml())
        first.driver.create(first.xml(name="web2"))
    kill_all()
    with bench(tmp_path) as second:
        assert second.driver.domains() == []
        assert second.told.wait_for("stopped failed") == ["stopped failed"]
        second.told.wait_for("stopped failed", name="web2")
    with one_process(tmp_path) as first:
        first.driver.create(first.xml())
    kill_all()
    with bench(tmp_path) as second:
        second.driver.create(second.xml())
        assert second.told.wait_for(*START) == ["stopped failed", *START]


def test_stopped_after_a_boot_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number and the start time of a process mean nothing after it."""
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    with monkeypatch.context() as patched:
        patched.setattr(taking_up, "this_boot", lambda: "another boot")
        with one_process(tmp_path) as second:
            assert second.told.wait_for("stopped failed") == ["stopped failed"]
    assert folders(tmp_path) == []
    for pid in qemu_children():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "step", ["before-write-1", "after-write-1", "before-write-2", "after-write-2", "before-told"]
)
def test_never_was(tmp_path: Path, step: str) -> None:
    with one_process(tmp_path) as web:
        xml = web.xml()
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), step]
    killed = subprocess.run(arguments, input=xml, text=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with bench(tmp_path) as web:
        assert web.driver.domains() == []
        assert folders(tmp_path) == []
        assert marked(tmp_path) == []
        web.driver.create(xml)
        assert web.told.wait_for(*START) == START


def marked(root: Path) -> list[int]:
    """The processes, zombies aside, that were started for a run of *root*."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                environment = (path / "environ").read_bytes()
            except OSError:
                continue
            if f"VIREVENTS_RUN={root}/".encode() in environment:
                found.append(int(path.name))
    return found


def test_goes_on_when_its_manager_was_killed(tmp_path: Path) -> None:
    """No child of ours: its exit has no status, and nobody reaps it."""
    with one_process(tmp_path) as web:
        xml = web.xml()
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), "never"]
    killed = subprocess.run(arguments, input=xml, text=True, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with one_process(tmp_path) as web:
        (identity,) = web.driver.domains()
        assert web.driver.domain_state(identity.uuid) == RUNNING
        web.driver.suspend(identity.uuid)
        (pid,) = marked(tmp_path)
        os.kill(pid, signal.SIGKILL)
        told = web.told.wait_for("stopped failed")
        assert told == ["suspended paused", "stopped failed"]
    assert folders(tmp_path) == []


def test_destroyed_with_its_starter(tmp_path: Path) -> None:
    with one_process(tmp_path) as first:
        first.driver.create(first.xml(), autodestroy_owner=first)
    with bench(tmp_path) as second:
        assert second.told.wait_for("stopped destroyed") == ["stopped destroyed"]
        assert causes(second) == [Cause(RequestedBy.CALL, False, False, True)]
        assert second.driver.domains() == []


def test_destroyed_as_was_asked(tmp_path: Path) -> None:
    for note, end in ((Note.DESTROY, "stopped destroyed"), (Note.SAVED, "stopped saved")):
        with one_process(tmp_path) as first:
            first.driver.start(first.define())
        record = folders(tmp_path)[0].told()
        record.add(note)
        record.close()
        with bench(tmp_path) as second:
            assert second.told.wait_for(end) == [end]


def test_no_holdup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_up, "_ALL_WITHIN", SHORT)
    with one_process(tmp_path) as first:
        for name in ("hangs", "well"):
            first.driver.start(first.define(name=name))
        first.kill(signal.SIGSTOP, name="hangs")
        pid = first.pid("hangs")
    with bench(tmp_path) as second:
        run = run_of(estate_of(second).domains.by_name("hangs"))
        monkeypatch.setattr(run, "_answer_within", SHORT)
        assert second.driver.domain_state(uuid_of("hangs")) == RUNNING
        second.driver.suspend(uuid_of("well"))
        with pytest.raises(MonitorTimeoutError, match="since it was found"):
            second.driver.suspend(uuid_of("hangs"))
        os.kill(pid, signal.SIGCONT)
        monkeypatch.setattr(run, "_answer_within", PATIENCE)
        second.driver.suspend(uuid_of("hangs"))
        assert second.told.words("hangs") == ["suspended paused"]


def test_no_holdup_of_a_destruction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_up, "_ALL_WITHIN", SHORT)
    monkeypatch.setattr(controls, "_DESTROY_PATIENCE", PATIENCE)  # a QEMU that hangs is not asked
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
        first.kill(signal.SIGSTOP)
    with one_process(tmp_path) as unheard:
        assert unheard.told.words() == []  # it hangs, and it goes on
    with bench(tmp_path) as second:
        second.driver.destroy(uuid_of("web1"))
        assert second.told.wait_for("stopped destroyed") == ["stopped destroyed"]


def test_no_holdup_by_those_who_waited_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process leaves a connection in the line of a QEMU that hangs, until it is full."""
    monkeypatch.setattr(taking_up, "_ALL_WITHIN", SHORT)
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
        first.kill(signal.SIGSTOP)
    for _ in range(4):
        with one_process(tmp_path) as web:
            assert web.driver.domain_state(uuid_of("web1")) == RUNNING
    with bench(tmp_path) as second:
        second.kill(signal.SIGCONT)
        second.driver.suspend(uuid_of("web1"))
        assert second.told.wait_for("suspended paused") == ["suspended paused"]


def test_a_monitor_that_somebody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_up, "_ALL_WITHIN", SHORT)
    with one_process(tmp_path) as first:
        first.driver.start(first.define(), StartMode.PAUSED)
    with sockets.connect(folders(tmp_path)[0].monitor) as taken:
        taken.settimeout(PATIENCE)
        assert taken.recv(1) == b"{"
        with one_process(tmp_path) as web:
            assert web.driver.domain_state(uuid_of("web1")).state is DomainState.PAUSED
            taken.close()
            web.driver.resume(uuid_of("web1"))
            assert web.told.wait_for("resumed unpaused") == ["resumed unpaused"]
            web.end_all()


def test_goes_on_when_a_late_event_comes_before_the_greeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    attempts: list[int] = []
    open_it = Monitor.open

    async def fail_twice(monitor: Monitor, connected: socket.socket, *, timeout: float) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            connected.close()
            raise MonitorError("", "NegotiationError", "Did not understand Greeting")
        await open_it(monitor, connected, timeout=timeout)

    monkeypatch.setattr(Monitor, "open", fail_twice)
    with bench(tmp_path) as second:
        second.driver.suspend(uuid_of("web1"))
        assert second.told.wait_for("suspended paused") == ["suspended paused"]


def test_another_domains_qemu_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with one_process(tmp_path) as first:
        for name in ("web1", "web2"):
            first.driver.start(first.define(name=name))
    one, other = folders(tmp_path)
    kept = [(folder.path / "status").read_text() for folder in (one, other)]
    mixed = json.loads(kept[0])
    mixed["definition"] = json.loads(kept[1])["definition"]
    (one.path / "status").write_text(json.dumps(mixed))
    other.path.rename(tmp_path / "aside")
    with one_process(tmp_path) as second:
        assert second.told.words("web2") == []
    assert f"expected the uuid {uuid_of('web2')}, met {uuid_of('web1')}" in caplog.text
    (one.path / "status").write_text(kept[0])
    (tmp_path / "aside").rename(other.path)
    with bench(tmp_path) as third:
        third.driver.suspend(uuid_of("web1"))
        third.driver.suspend(uuid_of("web2"))


def test_what_cannot_be_read_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with one_process(tmp_path) as first:
        first.driver.start(first.define())
    (folder,) = folders(tmp_path)
    status = (folder.path / "status").read_text()
    (folder.path / "status").write_text("{nonsense")
    with one_process(tmp_path) as second:
        assert not second.driver.domains(active=True)
    assert "run/1 is left alone" in caplog.text
    (folder.path / "status").write_text(status)
    with bench(tmp_path) as third:
        assert third.driver.domains(active=True)


@pytest.mark.parametrize(
    ("told", "end"),
    [
        (Told(RUNNING, Note.STARTED), "stopped failed"),
        (Told(RUNNING, Note.STARTED | Note.REBOOT), "stopped failed"),
        (Told(RUNNING, Note.STARTED | Note.DESTROY), "stopped destroyed"),
        (Told(RUNNING, Note.STARTED | Note.SAVED | Note.DESTROY), "stopped saved"),
        (Told(RUNNING, Note.STARTED | Note.CRASHED), "stopped crashed"),
        (
            Told(StateAndReason(DomainState.SHUTDOWN, ShutdownReason.UNKNOWN), Note.STARTED),
            "stopped shutdown",
        ),
    ],
)
def test_the_end_is_what_was_told_or_asked(told: Told, end: str) -> None:
    line, cause = missed_end(told)
    assert line is not None
    assert [f"{event} {detail}" for event, detail in line.told] == [end]
    assert cause.is_found_at_start
