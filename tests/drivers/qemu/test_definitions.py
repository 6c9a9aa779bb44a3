# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defining, undefining, renaming, autostart: libvirt's words, and one step on the disk each."""

import os
import re
from pathlib import Path

import pytest

from tests.drivers.qemu.harness import START, Bench, bench, one_process, uuid_of
from virevents.definition import LoaderType, parse_definition
from virevents.drivers import NvramFate
from virevents.drivers.qemu import directory, kept
from virevents.drivers.qemu.estate import Estate
from virevents.errors import (
    DefinitionError,
    DomainExistsError,
    DomainNotFoundError,
    HostError,
    InvalidArgumentError,
    StateError,
)
from virevents.model import RequestedBy

pytestmark = pytest.mark.qemu


def names(web: Bench) -> list[str]:
    return sorted(domain.name for domain in web.driver.domains())


def refuse(_: object, *__: object) -> None:
    raise OSError(28, "No space left on device")


def test_durable_every_change(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        web.define(vcpus=2)
        uuid = web.define(name="web2")
        web.driver.rename(uuid, "db1")
        web.driver.set_autostart(uuid, is_on=True)
        web.driver.undefine(web.define(name="web3"))
    with bench(tmp_path) as web:
        assert names(web) == ["db1", "web1"]
        assert web.driver.lookup_name("db1").uuid == uuid
        assert web.driver.is_autostarted(uuid)
        assert not web.driver.is_autostarted(uuid_of("web1"))
        assert parse_definition(web.driver.domain_xml(uuid)).name == "db1"
        web.driver.set_autostart(uuid, is_on=False)
    with bench(tmp_path) as web:
        assert not web.driver.is_autostarted(uuid)


def test_what_was_defined_before_is_updated_as_libvirts(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.driver.undefine(uuid)
    web.define()
    wanted = ["defined added", *START, "undefined removed", "defined updated"]
    assert web.told.wait_for(*wanted) == wanted


class CrashError(BaseException):
    """What the process does not come to do any more."""


def crash(*_: object) -> None:
    raise CrashError


@pytest.mark.parametrize(
    ("owner", "step", "name"),
    [(Path, "replace", "web1"), (directory, "_sync", "db1"), (Estate, "push_locked", "db1")],
)
def test_durable_killed_while_it_renames(
    tmp_path: Path, owner: object, step: str, name: str
) -> None:
    """The definition is one file, old or new: the domain has one name or the other."""
    with bench(tmp_path) as web:
        uuid = web.define()
        web.driver.set_autostart(uuid, is_on=True)
    with pytest.MonkeyPatch.context() as patch, one_process(tmp_path) as web:
        patch.setattr(owner, step, crash)
        with pytest.raises(CrashError):
            web.driver.rename(uuid, "db1")
    with bench(tmp_path) as web:
        assert names(web) == [name]
        assert web.driver.lookup_name(name).uuid == uuid
        assert web.driver.is_autostarted(uuid)


def test_whole_or_not_define(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = web.define()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(HostError, match=r"could not write the definition of web1.*No space"):
            web.define(vcpus=2)
        with pytest.raises(HostError):
            web.define(name="web2")
    assert parse_definition(web.driver.domain_xml(uuid)).vcpus == 1
    assert names(web) == ["web1"]
    assert web.told.wait_for("defined added") == ["defined added"]
    assert web.told.words("web2") == []


def test_whole_or_not_rename(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = web.define()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(HostError, match="No space"):
            web.driver.rename(uuid, "db1")
    assert names(web) == ["web1"]
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_name("db1")
    assert web.told.wait_for("defined added") == ["defined added"]
    web.define(name="db1")  # the name is free


def test_whole_or_not_autostart(web: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = web.define()
    with monkeypatch.context() as patch:
        patch.setattr(kept, "sync_folder", refuse)
        with pytest.raises(HostError, match="could not note the autostart of web1"):
            web.driver.set_autostart(uuid, is_on=True)
    assert not web.driver.is_autostarted(uuid)


def test_as_libvirt_redefine(web: Bench) -> None:
    uuid = web.define()
    other_name = web.xml(name="db1").replace(uuid_of("db1"), uuid)
    with pytest.raises(
        DomainExistsError,
        match=f"^operation failed: domain 'web1' is already defined with uuid {uuid}$",
    ) as met:
        web.driver.define(other_name)
    assert met.value.code == 9
    other_uuid = web.xml().replace(uuid, uuid_of("db1"))
    with pytest.raises(
        DomainExistsError,
        match=f"^operation failed: domain 'web1' already exists with uuid {uuid}$",
    ):
        web.driver.define(other_uuid)
    assert web.told.wait_for("defined added") == ["defined added"]


def test_as_libvirt_redefine_a_running_domain(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    web.define(vcpus=2)
    assert web.told.wait_for("defined updated") == ["defined added", *START, "defined updated"]
    assert parse_definition(web.driver.domain_xml(uuid)).vcpus == 1
    assert parse_definition(web.driver.domain_xml(uuid, inactive=True)).vcpus == 2
    web.driver.destroy(uuid)
    assert parse_definition(web.driver.domain_xml(uuid)).vcpus == 2


def test_as_libvirt_define_a_transient_domain_that_runs(web: Bench) -> None:
    uuid = web.driver.create(web.xml()).uuid
    web.define(vcpus=2)
    assert web.told.wait_for("defined added") == [*START, "defined added"]
    assert web.driver.is_persistent(uuid)
    web.driver.destroy(uuid)
    assert parse_definition(web.driver.domain_xml(uuid)).vcpus == 2


def test_as_libvirt_undefine_a_transient_domain(web: Bench) -> None:
    uuid = web.driver.create(web.xml()).uuid
    with pytest.raises(StateError, match="cannot undefine transient domain"):
        web.driver.undefine(uuid)
    for is_on in (True, False):
        with pytest.raises(StateError, match="cannot set autostart for transient domain"):
            web.driver.set_autostart(uuid, is_on=is_on)
    assert not web.driver.is_autostarted(uuid)
    web.driver.destroy(uuid)


def test_as_libvirt_rename(web: Bench) -> None:
    uuid = web.define()
    web.driver.rename(uuid, "db1")
    assert web.told.wait_for("defined renamed", name="db1") == ["defined renamed"]
    assert web.told.words("web1") == ["defined added", "undefined renamed"]
    assert [event.domain.uuid for event in web.told.events("db1")] == [uuid]
    assert names(web) == ["db1"]
    with pytest.raises(DomainNotFoundError):
        web.driver.lookup_name("web1")
    web.driver.start(uuid)
    assert web.told.wait_for(*START, name="db1") == ["defined renamed", *START]
    web.driver.destroy(uuid)


@pytest.mark.parametrize(
    ("name", "error", "code", "says"),
    [
        ("web1", StateError, 55, "Requested operation is not valid: Can't rename domain to itself"),
        ("web2", StateError, 55, "domain with name 'web2' already exists"),
        ("a/b", DefinitionError, 27, "XML error: name a/b cannot contain '/'"),
        ("", InvalidArgumentError, 8, "expected a domain name"),
        ("a\nb", InvalidArgumentError, 8, "control characters"),
    ],
)
def test_as_libvirt_rename_refused(
    web: Bench, name: str, error: type[StateError], code: int, says: str
) -> None:
    uuid = web.define()
    web.define(name="web2")
    with pytest.raises(error, match=re.escape(says)) as met:
        web.driver.rename(uuid, name)
    assert met.value.code == code
    assert names(web) == ["web1", "web2"]
    assert web.told.wait_for("defined added") == ["defined added"]


def test_as_libvirt_rename_of_what_runs(web: Bench) -> None:
    uuid = web.define()
    web.driver.start(uuid)
    with pytest.raises(StateError, match="cannot rename active domain"):
        web.driver.rename(uuid, "db1")
    transient = web.driver.create(web.xml(name="web2")).uuid
    with pytest.raises(StateError, match="cannot rename active domain"):
        web.driver.rename(transient, "db1")
    web.driver.destroy(uuid)
    web.driver.destroy(transient)


def test_as_libvirt_the_cause_is_the_call(web: Bench) -> None:
    uuid = web.define()
    web.driver.rename(uuid, "db1")
    web.driver.undefine(uuid)
    web.told.wait_for("undefined removed", name="db1")
    told = web.told.events("web1") + web.told.events("db1")
    assert {event.cause.requested_by for event in told} == {RequestedBy.CALL}  # type: ignore[attr-defined]


@pytest.mark.parametrize("fate", [None, NvramFate.KEEP, NvramFate.REMOVE])
def test_as_libvirt_undefine_with_variables(web: Bench, fate: NvramFate | None) -> None:
    variables = web.root / "vars.fd"
    variables.write_bytes(b"variables")
    uuid = web.define(loader_type=LoaderType.PFLASH, nvram=str(variables))
    if fate is None:
        with pytest.raises(StateError, match="cannot undefine domain with nvram"):
            web.driver.undefine(uuid)
        assert names(web) == ["web1"]
        variables.unlink()  # a file that is not there keeps nobody
    web.driver.undefine(uuid, nvram=fate)
    assert names(web) == []
    assert variables.exists() is (fate is NvramFate.KEEP)


def test_no_remains(tmp_path: Path) -> None:
    with bench(tmp_path) as web:
        uuid = web.define()
        web.driver.set_autostart(uuid, is_on=True)
        saved = tmp_path / "save" / uuid
        saved.write_bytes(b"saved")
    with bench(tmp_path) as web:
        assert web.driver.has_managed_save(uuid)
        with pytest.raises(StateError, match="a managed saved state can't be renamed"):
            web.driver.rename(uuid, "db1")
        with pytest.raises(StateError, match="while domain managed save image exists") as met:
            web.driver.undefine(uuid)
        assert met.value.code == 55
        assert web.told.words() == []
        web.driver.undefine(uuid, managed_save=True)
        assert not saved.exists()
        web.define()
        assert not web.driver.is_autostarted(uuid)
        assert not web.driver.has_managed_save(uuid)
