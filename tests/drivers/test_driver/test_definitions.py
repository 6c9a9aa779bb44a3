# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which definition a domain runs by, which it starts by next, and in which state it begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import virevents
from virevents.definition import parse_definition
from virevents.errors import DefinitionError, InvalidArgumentError

_UUID: Final = "11111111-f6a4-8304-79aa-97f2502e193f"
_NAMESPACE: Final = "http://libvirt.org/schemas/domain/test/1.0"


def xml(name: str = "web1", uuid: str = _UUID, vcpus: int = 1, more: str = "") -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
        f"<vcpu>{vcpus}</vcpu><os><type>hvm</type></os>{more}</domain>"
    )


@pytest.fixture
def conn() -> Iterator[virevents.Connection]:
    with virevents.open("test:///default") as opened:
        yield opened


def vcpus(domain: virevents.Domain, *, inactive: bool = False) -> int:
    return parse_definition(domain.xml(inactive=inactive)).vcpus


def test_a_running_domain_is_redefined_for_its_next_start(conn: virevents.Connection) -> None:
    web = conn.define(xml())
    web.start()
    conn.define(xml(vcpus=4))
    assert (vcpus(web), vcpus(web, inactive=True)) == (1, 4)
    web.destroy()
    assert (vcpus(web), vcpus(web, inactive=True)) == (4, 4)


def test_a_definition_is_lent_for_one_run(conn: virevents.Connection) -> None:
    """Create over a defined domain: it comes back to its own definition when it stops."""
    web = conn.define(xml())
    conn.create(xml(vcpus=4))
    assert (vcpus(web), vcpus(web, inactive=True)) == (4, 1)
    assert web.is_persistent
    web.destroy()
    assert vcpus(web) == 1


def test_only_the_live_definition_shows_the_id(conn: virevents.Connection) -> None:
    domain = conn.lookup("test")
    assert "<domain type='test' id='1'>" in domain.xml()
    assert "id=" not in domain.xml(inactive=True)
    domain.destroy()
    assert "id=" not in domain.xml()


@pytest.mark.parametrize(
    ("number", "state", "domain_id"),
    [(None, "running", 1), (1, "running", 1), (3, "paused", 1), (5, "shutoff", -1)],
)
def test_a_file_says_in_which_state_a_domain_begins(
    tmp_path: Path, number: int | None, state: str, domain_id: int
) -> None:
    runstate = f"<t:runstate xmlns:t='{_NAMESPACE}'>{number}</t:runstate>" if number else ""
    path = tmp_path / "node.xml"
    path.write_text(f"<node>{xml(more=runstate)}</node>")
    with virevents.open(f"test://{path}") as conn:
        web = conn.lookup("web1")
        # libvirt's test driver gives no reason for it, either
        assert [str(word) for word in web.state()] == [state, "unknown"]
        assert web.id == domain_id
        (web.start if domain_id < 0 else web.destroy)()


def test_a_domain_may_be_in_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "web.xml").write_text(xml())
    path = tmp_path / "node.xml"
    path.write_text("<node><domain file='web.xml'/></node>")
    with virevents.open(f"test://{path}") as conn:
        assert conn.lookup_uuid(_UUID).name == "web1"


def test_active_and_inactive_are_listed_apart(conn: virevents.Connection) -> None:
    conn.define(xml())
    assert [domain.name for domain in conn.list(active=True)] == ["test"]
    assert [domain.name for domain in conn.list(active=False)] == ["web1"]


@pytest.mark.parametrize(("name", "error"), [("a/b", DefinitionError), ("", InvalidArgumentError)])
def test_a_name_that_none_may_have_is_refused(
    conn: virevents.Connection, name: str, error: type[Exception]
) -> None:
    web = conn.define(xml())
    with pytest.raises(error):
        web.rename(name)
    assert web.name == "web1"


@pytest.mark.parametrize("action", ["restart", "rename-restart"])
def test_a_guest_that_is_to_restart_powers_off_without_an_event(
    conn: virevents.Connection, action: str
) -> None:
    web = conn.define(xml(more=f"<on_poweroff>{action}</on_poweroff>"))
    web.start()
    web.suspend()
    with conn.subscribe(lambda event: pytest.fail(str(event))) as subscription:
        web.shutdown()
    assert subscription.stats.delivered == 0
    assert [str(word) for word in web.state()] == ["running", "booted"]


@pytest.mark.parametrize("action", ["destroy", "preserve"])
def test_a_guest_that_is_not_to_reboot_stops(conn: virevents.Connection, action: str) -> None:
    web = conn.create(xml(more=f"<on_reboot>{action}</on_reboot>"))
    with conn.expect(web, "stopped", timeout=10) as stopped:
        web.reboot()
    assert str(stopped.event.detail) == "shutdown"
    with pytest.raises(virevents.DomainNotFoundError):
        web.state()
