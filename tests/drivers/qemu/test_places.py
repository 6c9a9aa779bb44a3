# SPDX-License-Identifier: LGPL-2.1-or-later
import os
from pathlib import Path

import pytest

from virevents.drivers import ConnectionUri
from virevents.drivers.qemu.places import resolve, root_of
from virevents.errors import InvalidArgumentError, OpenError


def resolved(text: str) -> str:
    return str(resolve(ConnectionUri.parse(text)))


def test_one_spelling(tmp_path: Path) -> None:
    real = tmp_path / "a b,c&d=ü"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    direct = ConnectionUri("qemu", "", "", "/embed", (("root", str(real)),))
    ways = [str(direct), f"qemu:///embed?root={tmp_path}/link/../link/."]
    assert {resolved(way) for way in ways} == {str(direct)}
    assert root_of(resolve(ConnectionUri.parse(ways[1]))) == real
    assert root_of(ConnectionUri.parse(str(direct))) == real


def test_one_spelling_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert (
        resolved(f"qemu:///embed?root={tmp_path}/x/../new") == f"qemu:///embed?root={tmp_path}/new"
    )


@pytest.mark.parametrize(
    ("uri", "error", "words"),
    [
        ("qemu:///elsewhere", OpenError, "expected qemu:///embed"),
        ("qemu:///session?root=/d", InvalidArgumentError, "'root'"),
        ("qemu:///system?color=red", InvalidArgumentError, "'color'"),
        ("qemu:///session?monitor_timeout=soon", InvalidArgumentError, "met 'soon'"),
        ("qemu:///session?monitor_timeout=0", InvalidArgumentError, "above 0"),
        ("qemu:///session?monitor_timeout=nan", InvalidArgumentError, "above 0"),
        ("qemu:///session?monitor_timeout=1e9", InvalidArgumentError, "at most 86400"),
        ("qemu://host/embed?root=/d", OpenError, "expected qemu:///embed"),
        ("qemu:///embed", InvalidArgumentError, "expected root=DIR"),
        ("qemu:///embed?root=", InvalidArgumentError, "expected root=DIR"),
        ("qemu:///embed?root=relative", InvalidArgumentError, "absolute"),
        ("qemu:///embed?root=/a%00b", InvalidArgumentError, "absolute"),
        ("qemu:///embed?root=/d&color=red", InvalidArgumentError, "'color'"),
        ("qemu:///embed?root=/d&root=/e", InvalidArgumentError, "twice"),
    ],
)
def test_clear_refusal(uri: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        resolved(uri)


def test_one_spelling_of_the_parameters() -> None:
    one = resolved("qemu:///session?run_as=root&monitor_timeout=2.50")
    assert one == resolved("qemu:///session?monitor_timeout=2.5&run_as=root")
    assert one == "qemu:///session?monitor_timeout=2.5&run_as=root"


def test_own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session = resolve(ConnectionUri.parse("qemu:///session?monitor_timeout=1"))
    assert root_of(session) == tmp_path / "virevents" / "qemu"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    system = resolve(ConnectionUri.parse("qemu:///system"))
    assert root_of(system) == Path("/var/lib/virevents/qemu")


def test_own_places_of_root_are_not_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OpenError, match="this process is user 1000: run it as root, or open"):
        resolved("qemu:///system")
    assert resolved("qemu:///session") == "qemu:///session"
