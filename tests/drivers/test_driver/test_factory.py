# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the test driver is opened: the default domain, files with domains of one's own."""

from pathlib import Path
from typing import Final

import pytest

import virevents
from virevents.drivers import ConnectionUri
from virevents.drivers.test import TEST
from virevents.errors import InvalidArgumentError, OpenError
from virevents.model import DomainState

_DOMAIN: Final = (
    "<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
    "<vcpu>1</vcpu><os><type>hvm</type></os></domain>"
)
_NODE: Final = (
    "<node>" + _DOMAIN.format(name="web1", uuid="11111111-f6a4-8304-79aa-97f2502e193f") + "</node>"
)


def test_default_domain() -> None:
    with virevents.open("test:///default") as connection:
        (domain,) = connection.list()
        assert (domain.name, domain.id) == ("test", 1)
        assert domain.uuid == "6695eb01-f6a4-8304-79aa-97f2502e193f"
        assert domain.state().state is DomainState.RUNNING


def test_state_is_shared_and_reset_when_the_last_closes() -> None:
    with virevents.open("test:///default") as one, virevents.open("test:///default") as other:
        one.lookup("test").destroy()
        assert not other.lookup("test").is_active
    with virevents.open("test:///default") as again:
        assert again.lookup("test").is_active


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "node.xml"
    path.write_text(_NODE)
    with virevents.open(f"test://{path}") as connection:
        assert [domain.name for domain in connection.list()] == ["web1"]


def test_two_spellings_of_a_file_are_one_driver(tmp_path: Path) -> None:
    path = tmp_path / "node.xml"
    path.write_text(_NODE)
    (tmp_path / "link.xml").symlink_to(path)
    with (
        virevents.open(f"test://{path}") as one,
        virevents.open(f"test://{tmp_path}/link.xml") as other,
    ):
        was = one.lookup("web1").is_active
        (one.lookup("web1").destroy if was else one.lookup("web1").start)()
        assert other.lookup("web1").is_active is not was


@pytest.mark.parametrize("text", ["test://host/default", "test://", "test:///"])
def test_wrong_uris_are_refused(text: str) -> None:
    with pytest.raises(OpenError, match="test:///default"):
        TEST.resolve(ConnectionUri.parse(text))


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="color"):
        TEST.resolve(ConnectionUri.parse("test:///default?color=red"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match=r"missing\.xml"):
        virevents.open(f"test://{tmp_path}/missing.xml")


def test_a_file_that_is_no_node_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.xml"
    path.write_text("<node><domain/>")
    with pytest.raises(OpenError, match=r"node\.xml"):
        virevents.open(f"test://{path}")
