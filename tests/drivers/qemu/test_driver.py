# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver on real QEMUs: libvirt's sequences, and nothing left behind."""

import signal
from pathlib import Path

import pytest
import uvloop

from tests.drivers.qemu.harness import (
    DESTROY,
    START,
    Bench,
    bench,
    in_threads,
    qemu_children,
    uuid_of,
)
from virevents.definition import LifecycleAction
from virevents.drivers import StartMode
from virevents.errors import (
    DefinitionError,
    DomainExistsError,
    DomainNotFoundError,
    HostError,
    OpenError,
    StateError,
)
from virevents.model import DomainState, PausedReason, RunningReason, ShutoffReason

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    uvloop.new_event_loop().close()


def test_golden_define_start_suspend_resume_destroy_undefine(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.BOOTED)
    web.driver.suspend(uuid)
    assert web.driver.domain_state(uuid) == (DomainState.PAUSED, PausedReason.USER)
    web.driver.resume(uuid)
    assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.UNPAUSED)
    web.driver.destroy(uuid)
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.DESTROYED)
    web.driver.undefine(uuid)
    assert web.told.wait_for("undefined removed") == [
        "defined added",
        *START,
        "suspended paused",
        "resumed unpaused",
        *DESTROY,
        "undefined removed",
    ]
    assert web.driver.domains() == []


def test_golden_define_again_is_an_update(web: Bench) -> None:
    web.define()
    web.define(vcpus=2)
    assert web.told.wait_for("defined updated") == ["defined added", "defined updated"]


def test_golden_what_changes_nothing_tells_nothing(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    with pytest.raises(StateError, match="already running"):
        web.driver.start(uuid)
    with pytest.raises(StateError, match="already running"):
        web.driver.resume(uuid)
    web.driver.suspend(uuid)
    web.driver.suspend(uuid)
    web.driver.destroy(uuid)
    for operation in (web.driver.destroy, web.driver.suspend, web.driver.shutdown):
        with pytest.raises(StateError, match="Requested operation is not valid: domain is not"):
            operation(uuid)
    expected = ["defined added", *START, "suspended paused", *DESTROY]
    assert web.told.wait_for(*DESTROY) == expected


def test_golden_destroy_of_a_paused_domain(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.suspend(uuid)
    web.driver.destroy(uuid)
    assert web.told.wait_for(*DESTROY)[-3:] == ["suspended paused", *DESTROY]


def test_golden_kill_9(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.kill(signal.SIGKILL)
    assert web.told.wait_for("stopped failed") == ["defined added", *START, "stopped failed"]
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.CRASHED)
    web.driver.start(uuid)
    assert web.told.wait_for(*START)[-3:] == ["stopped failed", *START]


def test_golden_kill_9_of_a_transient_domain(web: Bench) -> None:
    uuid = web.driver.create(web.xml()).uuid
    web.kill(signal.SIGKILL)
    assert web.told.wait_for("stopped failed") == [*START, "stopped failed"]
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_uuid(uuid)


def test_golden_sigterm_from_outside(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.kill(signal.SIGTERM)
    assert web.told.wait_for("stopped shutdown")[-2:] == ["shutdown host", "stopped shutdown"]
    assert web.driver.domain_state(uuid) == (DomainState.SHUTOFF, ShutoffReason.SHUTDOWN)


def test_golden_guest_powers_off(web: Bench) -> None:
    web.driver.start(web.define("rom-poweroff"))
    assert web.told.wait_for("stopped shutdown") == [
        "defined added",
        *START,
        "shutdown guest",
        "stopped shutdown",
    ]


def test_golden_guest_resets(web: Bench) -> None:
    uuid = web.define("rom-reset")
    web.driver.start(uuid)
    told = web.told.wait_for("reboot", "reboot")
    assert told[:4] == ["defined added", *START, "reboot"]
    assert web.driver.domain_state(uuid).state is DomainState.RUNNING


def test_golden_a_reset_that_is_to_be_the_end(web: Bench) -> None:
    web.driver.start(web.define("rom-reset", on_reboot=LifecycleAction.DESTROY))
    assert web.told.wait_for("stopped shutdown")[-2:] == ["shutdown guest", "stopped shutdown"]


def test_golden_reset(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.reset(uuid)
    assert web.told.wait_for("reboot") == ["defined added", *START, "reboot"]


def test_golden_shutdown(web: Bench) -> None:
    uuid = web.define("rom-button")
    web.driver.start(uuid)
    web.told.wait_for("rtc-change")
    web.driver.shutdown(uuid)
    assert web.told.wait_for("stopped shutdown")[-2:] == ["shutdown guest", "stopped shutdown"]


def test_golden_shutdown_of_a_deaf_guest(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.shutdown(uuid)
    assert web.driver.domain_state(uuid).state is DomainState.RUNNING
    web.driver.destroy(uuid)
    assert web.told.wait_for(*DESTROY) == ["defined added", *START, *DESTROY]


def test_golden_guest_sleeps(web: Bench) -> None:
    uuid = web.define("rom-suspend")
    web.driver.start(uuid)
    assert web.told.wait_for("pmsuspended memory")[-2:] == ["pm-suspend", "pmsuspended memory"]
    with pytest.raises(StateError, match="domain is pmsuspended"):
        web.driver.suspend(uuid)
    with pytest.raises(StateError, match="domain is pmsuspended"):
        web.driver.resume(uuid)


def test_golden_undefine_while_running(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.undefine(uuid)
    assert not web.driver.is_persistent(uuid)
    with pytest.raises(StateError, match="transient"):
        web.driver.undefine(uuid)
    web.driver.destroy(uuid)
    assert web.told.wait_for(*DESTROY)[3:] == ["undefined removed", *DESTROY]
    with pytest.raises(DomainNotFoundError):
        web.driver.destroy(uuid)


def test_defining_a_running_domain_holds_from_its_next_start(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.define(vcpus=2)
    assert "<vcpu>1<" in web.driver.domain_xml(uuid)
    assert "id='1'" in web.driver.domain_xml(uuid)
    assert "<vcpu>2<" in web.driver.domain_xml(uuid, inactive=True)
    web.driver.destroy(uuid)
    assert "<vcpu>2<" in web.driver.domain_xml(uuid)
    assert "id=" not in web.driver.domain_xml(uuid)


def test_defining_a_transient_domain_makes_it_stay(web: Bench) -> None:
    uuid = web.driver.create(web.xml()).uuid
    web.define()
    web.driver.destroy(uuid)
    assert web.told.wait_for(*DESTROY) == [*START, "defined added", *DESTROY]
    assert web.driver.is_persistent(uuid)


def test_looking(web: Bench) -> None:
    uuid = web.define()
    other = web.define(name="web2")
    web.driver.start(uuid)
    assert [domain.name for domain in web.driver.domains()] == ["web1", "web2"]
    assert [domain.name for domain in web.driver.domains(active=True)] == ["web1"]
    assert [domain.name for domain in web.driver.domains(active=False)] == ["web2"]
    assert web.driver.lookup_name("web2").uuid == other
    assert not web.driver.has_managed_save(uuid)
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_id(7)
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_name("web3")


def test_two_domains_cannot_share_a_name(web: Bench) -> None:
    web.define()
    with pytest.raises(DomainExistsError):
        web.driver.define(web.xml().replace(uuid_of("web1"), uuid_of("web2")))


def test_a_definition_that_cannot_run_is_refused(web: Bench) -> None:
    with pytest.raises(DefinitionError, match="arch"):
        web.define(arch="s390x")
    with pytest.raises(HostError, match="Cannot check QEMU binary"):
        web.define(emulator="/nowhere/qemu")
    assert web.driver.domains() == []
    assert web.told.words() == []


def test_durable(tmp_path: Path) -> None:
    with bench(tmp_path) as first:
        first.define()
        first.define(name="web2", vcpus=2)
        first.define(name="web3")
        first.driver.undefine(uuid_of("web3"))
    with bench(tmp_path) as second:
        assert [domain.name for domain in second.driver.domains()] == ["web1", "web2"]
        assert "<vcpu>2<" in second.driver.domain_xml(uuid_of("web2"))
        second.driver.start(uuid_of("web2"))
        assert second.told.wait_for(*START, name="web2") == START


def test_nothing_left(tmp_path: Path) -> None:
    """What the bench's end checks, with a domain in each state."""
    with bench(tmp_path) as web:
        for name in ("runs", "paused", "off"):
            web.define(name=name)
        web.driver.start(uuid_of("runs"))
        web.driver.start(uuid_of("paused"), StartMode.PAUSED)
        web.driver.create(web.xml("rom-spin", name="spin"))
    assert qemu_children() == []


def test_a_directory_has_one_driver(web: Bench, tmp_path: Path) -> None:
    with pytest.raises(OpenError, match=r"is in use by process \d+"), bench(tmp_path):
        pass


LIFE = [*START, "suspended paused", "resumed unpaused", "stopped failed", *START, *DESTROY]


@pytest.mark.slow
def test_golden_20_domains_from_8_threads(web: Bench) -> None:
    names = [f"web{number}" for number in range(20)]
    for name in names:
        web.define(name=name)

    def live(name: str) -> None:
        uuid = uuid_of(name)
        web.driver.start(uuid)
        web.driver.suspend(uuid)
        web.driver.resume(uuid)
        web.kill(signal.SIGKILL, name)
        web.told.wait_for("stopped failed", name=name)
        web.driver.start(uuid)
        web.driver.destroy(uuid)

    def worker(mine: list[str]) -> None:
        for name in mine:
            live(name)

    in_threads(*[lambda mine=names[at::8]: worker(mine) for at in range(8)])
    for name in names:
        assert web.told.wait_for(*DESTROY, name=name) == ["defined added", *LIFE]
    assert qemu_children() == []


def test_a_file_with_a_name_that_is_taken_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bench(tmp_path) as web:
        web.define()
        text = web.driver.domain_xml(uuid_of("web1"))
    copy = tmp_path / "domains" / f"{uuid_of('web2')}.xml"
    copy.write_text(text.replace(uuid_of("web1"), uuid_of("web2")))
    with bench(tmp_path) as web:
        assert [domain.name for domain in web.driver.domains()] == ["web1"]
    assert (
        "a definition is left alone: operation failed: domain 'web1' already exists" in caplog.text
    )
    assert copy.exists()
