# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import pytest

from virevents.drivers import ConnectionUri
from virevents.drivers.qemu.embed import resolve, root_of
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
        ("qemu:///session", OpenError, "expected qemu:///embed"),
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
