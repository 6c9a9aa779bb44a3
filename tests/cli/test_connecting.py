# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import os
from pathlib import Path

import pytest

import virevents
from tests.cli.running import TEST_URI, run
from virevents.cli.connecting import find, find_async
from virevents.drivers.qemu import places

Capsys = pytest.CaptureFixture[str]

NODE = "<node>{}</node>"
DOMAIN = "<domain type='test'><name>{}</name><memory>1</memory><os><type>hvm</type></os></domain>"


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A hypervisor whose first domain, with the id 1, is called 2, and the other way round."""
    path = tmp_path / "node.xml"
    path.write_text(NODE.format(DOMAIN.format("2") + DOMAIN.format("1") + DOMAIN.format("77")))
    return f"test://{path}"


def test_either_side_of_the_verb_and_after_wins(capsys: Capsys, other: str) -> None:
    assert run(capsys, "-c", other, "list", "--name").lines == ["2", "1", "77"]
    assert run(capsys, "list", "--name", "--connect", other).lines == ["2", "1", "77"]
    assert run(capsys, "-c", TEST_URI, "list", "--name", "-c", other).lines == ["2", "1", "77"]


def test_the_environment_has_the_default(
    capsys: Capsys, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIREVENTS_DEFAULT_URI", other)
    assert run(capsys, "list", "--name").lines == ["2", "1", "77"]
    assert run(capsys, "-c", TEST_URI, "list", "--name").lines == ["test"]


@pytest.mark.parametrize(("user", "place"), [(0, "system"), (1000, "virevents/qemu")])
def test_else_the_default_is_libvirts(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, place: str
) -> None:
    """Root has the host's domains, anybody else their own."""
    monkeypatch.delenv("VIREVENTS_DEFAULT_URI", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(places, "_SYSTEM", tmp_path / "system")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert run(capsys, "list", "--name").lines == []
    assert (tmp_path / place / "domains").is_dir()


def test_virsh_order_id_then_uuid_then_name(other: str) -> None:
    with virevents.open(other) as connection:
        uuid = connection.lookup("1").uuid
        names = [find(connection, text).name for text in ("1", "2", "77", uuid, uuid.upper())]
        assert names == ["2", "1", "77", "1", "1"]
        for missing in ("nix", "9" * 5000, "6695eb01-f6a4-8304-79aa-97f2502e193f"):
            with pytest.raises(virevents.DomainNotFoundError, match="has no domain with the id"):
                find(connection, missing)


def test_virsh_order_in_asyncio(other: str) -> None:
    async def names() -> list[str]:
        async with virevents.aio.open(other) as connection:
            uuid = (await connection.lookup("1")).uuid
            found = [await find_async(connection, text) for text in ("1", "2", "77", uuid)]
            with pytest.raises(virevents.DomainNotFoundError):
                await find_async(connection, "nix")
            return [domain.name for domain in found]

    assert asyncio.run(names()) == ["2", "1", "77", "1"]
