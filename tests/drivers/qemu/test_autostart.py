# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains that start with the host: once a boot, whatever becomes of each."""

import threading
from pathlib import Path

import pytest

from tests.drivers.qemu.harness import PATIENCE, Bench, bench
from virevents.drivers.qemu.autostart import Autostart
from virevents.drivers.qemu.driver import QemuDriver
from virevents.errors import ClosedError
from virevents.model import DomainState, RunningReason

pytestmark = pytest.mark.qemu


def boot_again(root: Path) -> None:
    """Have the directory believe that the host was booted since it was opened last."""
    (root / "boot").write_text("another boot")


def await_autostart(web: Bench) -> QemuDriver:
    driver = web.driver
    assert isinstance(driver, QemuDriver)
    assert driver._autostart.wait(PATIENCE)
    return driver


def running(web: Bench) -> list[str]:
    return sorted(domain.name for domain in web.driver.domains(active=True))


def test_once_a_boot(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        for name in ("web1", "web2", "web3"):
            uuid = web.define(name=name)
            web.driver.set_autostart(uuid, is_on=name != "web2")
    with bench(tmp_path) as web:
        await_autostart(web)
        assert running(web) == []
    boot_again(tmp_path)
    with bench(tmp_path) as web:
        await_autostart(web)
        assert running(web) == ["web1", "web3"]
    with bench(tmp_path) as web:
        await_autostart(web)
        assert running(web) == []


def test_once_a_boot_from_a_managed_save(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = web.define()
        web.driver.set_autostart(uuid, is_on=True)
        web.driver.start(uuid)
        web.driver.managed_save(uuid)
    boot_again(tmp_path)
    with bench(tmp_path) as web:
        await_autostart(web)
        assert web.driver.domain_state(uuid) == (DomainState.RUNNING, RunningReason.RESTORED)
        assert not web.driver.has_managed_save(uuid)


def test_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with bench(tmp_path) as web:
        for name in ("web1", "web2"):
            web.driver.set_autostart(web.define(name=name), is_on=True)
        (tmp_path / "save" / web.driver.lookup_name("web1").uuid).write_bytes(b"no image at all")
    boot_again(tmp_path)
    with bench(tmp_path) as web:
        await_autostart(web)
        assert running(web) == ["web2"]
        assert "could not autostart domain web1: operation failed: image magic" in caplog.text


def test_no_holdup(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        for name in ("web1", "web2"):
            web.driver.set_autostart(web.define(name=name), is_on=True)
    boot_again(tmp_path)
    opened, begun = threading.Event(), threading.Event()
    tried = []

    def start(uuid: str) -> None:
        tried.append(uuid)
        begun.set()
        assert opened.wait(PATIENCE)
        raise ClosedError("the driver is closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Autostart, "begin", lambda _: None)
        with bench(tmp_path) as web:
            driver = web.driver
            assert isinstance(driver, QemuDriver)
            patch.undo()
            autostart = Autostart(driver._estate, driver._autostarts, start)
            autostart.begin()  # returns while the first start hangs
            assert begun.wait(PATIENCE)
            assert not autostart.wait(0.0)
            opened.set()
            assert autostart.wait(PATIENCE)
            assert len(tried) == 1
