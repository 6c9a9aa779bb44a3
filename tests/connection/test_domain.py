# SPDX-License-Identifier: LGPL-2.1-or-later
"""The handle of a domain: by its uuid, alive or gone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import virevents
from tests.connection.harness import Hypervisor
from virevents.drivers import NvramFate, StartMode
from virevents.errors import DomainNotFoundError, InvalidArgumentError, UnsupportedError

XML = (
    "<domain type='test'><name>web9</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
    "<memory>1024</memory><os><type>hvm</type></os></domain>"
)


def test_it_is_renamed_started_and_paused(conn: virevents.Connection) -> None:
    web9 = conn.define(XML)
    assert (web9.name, web9.id, web9.is_active, web9.is_persistent) == ("web9", -1, False, True)
    web9.rename("web10")
    assert web9.name == "web10"
    web9.start()
    assert web9.id > 1
    assert "<name>web10</name>" in web9.xml()
    assert f"id='{web9.id}'" in web9.xml() or f'id="{web9.id}"' in web9.xml()
    assert web9.xml(inactive=True) != web9.xml()
    web9.suspend()
    assert str(web9.state().state) == "paused"
    web9.resume()
    web9.reboot()
    web9.reset()
    assert str(web9.state().state) == "running"


def test_it_is_saved_dumped_stopped_and_undefined(
    conn: virevents.Connection, tmp_path: Path
) -> None:
    web9 = conn.define(XML)
    web9.start()
    web9.core_dump(str(tmp_path / "core"))
    assert (tmp_path / "core").exists()
    web9.managed_save()
    has_managed_save = [web9.has_managed_save]
    web9.managed_save_remove()
    assert [*has_managed_save, web9.has_managed_save] == [True, False]
    web9.start()
    web9.save(str(tmp_path / "saved"))
    assert str(web9.state().state) == "shutoff"
    web9.start()
    web9.shutdown()
    web9.start()
    web9.destroy()
    assert web9.id == -1
    web9.start()
    web9.core_dump(str(tmp_path / "crash"), mode="crash")
    assert web9.id == -1
    web9.undefine()
    with pytest.raises(DomainNotFoundError):
        web9.state()


def test_every_flag_reaches_the_driver(
    hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []

    def note(name: str, _: str, *given: object, **named: object) -> bool:
        asked.append((name, *given, named))
        return True

    monkeypatch.chdir(tmp_path)
    with virevents.open("fake:///one") as conn:
        names = ("start shutdown destroy undefine save managed_save core_dump set_autostart "
                 "pm_suspend pm_wakeup is_autostarted")  # fmt: skip
        for name in names.split():
            monkeypatch.setattr(hypervisor.driver, name, partial(note, name))
        web1 = conn.lookup("web1")
        web1.start(paused=True, force_boot=True)
        web1.shutdown(timeout=3, force=True)
        web1.destroy(graceful=True)
        web1.undefine(managed_save=True, nvram="keep")
        web1.save("state", paused=True)
        web1.managed_save(paused=False)
        web1.core_dump(tmp_path / "core", mode="live")
        web1.core_dump("core", mode=virevents.CoreDumpMode.RESET)
        web1.set_autostart()
        web1.set_autostart(on=False)
        web1.pm_suspend("disk")
        web1.pm_suspend()
        web1.pm_wakeup()
        assert web1.is_autostarted
    assert asked == [
        ("start", StartMode.PAUSED, {"force_boot": True}),
        ("shutdown", {"timeout": 3, "force": True}),
        ("destroy", {"graceful": True}),
        ("undefine", {"managed_save": True, "nvram": NvramFate.KEEP}),
        ("save", str(tmp_path / "state"), StartMode.PAUSED, {}),
        ("managed_save", StartMode.RUNNING, {}),
        ("core_dump", str(tmp_path / "core"), virevents.CoreDumpMode.LIVE, {}),
        ("core_dump", str(tmp_path / "core"), virevents.CoreDumpMode.RESET, {}),
        ("set_autostart", {"is_on": True}),
        ("set_autostart", {"is_on": False}),
        ("pm_suspend", virevents.SleepMode.DISK, {}),
        ("pm_suspend", virevents.SleepMode.MEMORY, {}),
        ("pm_wakeup", {}),
        ("is_autostarted", {}),
    ]


def test_what_cannot_be_meant_is_refused_before_the_driver(domain: virevents.Domain) -> None:
    before = domain.state()
    calls: list[Callable[[], None]] = [
        lambda: domain.shutdown(force=True),
        lambda: domain.undefine(nvram="burn"),  # type: ignore[arg-type]
        lambda: domain.save(""),
        lambda: domain.core_dump("core", mode="dead"),  # type: ignore[arg-type]
        lambda: domain.pm_suspend("bed"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(InvalidArgumentError):
            call()
    assert domain.state() == before


def test_of_one_that_is_gone_the_last_name_is_known(conn: virevents.Connection) -> None:
    web9 = conn.define(XML)
    conn.lookup("web9").rename("web10")
    assert web9.name == "web10"
    conn.lookup("web10").undefine()
    assert web9.name == "web10"
    for ask in (lambda: web9.id, web9.state, web9.xml, web9.start):
        with pytest.raises(DomainNotFoundError):
            ask()


def test_handles_are_equal_by_connection_and_uuid(conn: virevents.Connection) -> None:
    first, second = conn.lookup("test"), conn.lookup_id(1)
    assert first == second
    assert hash(first) == hash(second)
    assert first != conn.define(XML)
    assert first != "test"
    assert first.connection is conn
    with virevents.open("test:///default") as other:
        assert first != other.lookup("test")


def test_its_words(domain: virevents.Domain) -> None:
    assert repr(domain) == "<Domain test 6695eb01-f6a4-8304-79aa-97f2502e193f>"


def test_what_the_driver_does_not_have_is_refused_by_name(hypervisor: Hypervisor) -> None:
    with virevents.open("fake:///one") as conn:
        with pytest.raises(UnsupportedError, match=r"destroy .*has: suspend"):
            conn.lookup("web1").destroy()
        web1 = conn.lookup("web1")
        assert (web1.is_persistent, web1.has_managed_save) == (True, False)
        hypervisor.is_empty = True
        assert web1.name == "web1"
