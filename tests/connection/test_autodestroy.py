# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs that end with the connection that started them, however that ends."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import virevents
from tests.connection.harness import PATIENCE, Signal
from virevents.clock import monotonic
from virevents.testing.guests import GUESTS

pytestmark = pytest.mark.qemu

# Starts a domain and forgets it, or waits to be killed.
_PROGRAM = """
import sys, threading
import virevents
uri, xml, does_wait = sys.argv[1:]
connection = virevents.open(uri)
print(connection.create(xml, autodestroy=True).name, flush=True)
if does_wait == "yes":
    threading.Event().wait(60)
"""


def _xml(folder: Path) -> str:
    image = folder / "rom-idle.bin"
    if not image.exists():
        GUESTS["rom-idle"].write(folder)
    return (
        "<domain type='qemu'><name>web1</name><memory unit='MiB'>8</memory><vcpu>1</vcpu>"
        f"<os><type>hvm</type><loader>{image}</loader></os><devices>"
        f"<emulator>{shutil.which('qemu-system-x86_64')}</emulator></devices></domain>"
    )


def _qemus(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has gone
        if arguments.partition(b"\0")[0].endswith(b"qemu-system-x86_64") and (
            f"{folder}/rom-idle.bin".encode() in arguments
        ):
            found.append(int(process.name))
    return found


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    """A directory of the test's own; no QEMU of it is left."""
    yield f"qemu:///embed?root={tmp_path / 'root'}"
    left = _qemus(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_they_end_with_the_connection_and_others_go_on(uri: str, tmp_path: Path) -> None:
    with virevents.open(uri) as witness, witness.events(only={"stopped"}) as events:
        with virevents.open(uri) as owner:
            domain = owner.create(_xml(tmp_path), autodestroy=True)
            other = witness.define(_xml(tmp_path).replace("web1", "web2"))
            other.start()
            assert len(_qemus(tmp_path)) == 2
        told = events.get(PATIENCE)
        assert isinstance(told, virevents.LifecycleEvent)
        assert (told.domain.uuid, str(told.detail)) == (domain.uuid, "destroyed")
        assert told.cause.requested_by is virevents.RequestedBy.CALL
        assert other.is_active
        other.destroy()


def test_a_qemu_that_hangs_does_not_keep_its_connection_open(uri: str, tmp_path: Path) -> None:
    conn = virevents.open(uri)
    conn.create(_xml(tmp_path), autodestroy=True)
    (pid,) = _qemus(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    began = monotonic()
    assert conn.close()
    assert monotonic() - began < 4.5  # of the 5 s that a close may take


@pytest.mark.parametrize("delivery", ["isolated", "direct"])
def test_they_end_when_a_callback_closes_it(uri: str, tmp_path: Path, delivery: str) -> None:
    with virevents.open(uri) as witness:
        stopped = Signal("the end of the domain")
        witness.subscribe(stopped.set, only={"stopped"})
        owner = virevents.open(uri)
        domain = owner.create(_xml(tmp_path), autodestroy=True)
        owner.subscribe(
            lambda _: owner.close(),
            only={"suspended"},
            delivery="direct" if delivery == "direct" else "isolated",
        )
        domain.suspend()
        stopped.wait()
        assert owner.close()


def test_they_end_with_an_asyncio_connection(uri: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with virevents.aio.open(uri) as conn:
            await conn.create(_xml(tmp_path), autodestroy=True)
            assert len(_qemus(tmp_path)) == 1

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert _qemus(tmp_path) == []


def test_they_end_with_a_process_that_forgets_them(uri: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, uri, _xml(tmp_path), "no"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "web1\n", "")
    assert _qemus(tmp_path) == []


def test_they_end_at_the_next_opening_when_their_process_was_killed(
    uri: str, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, uri, _xml(tmp_path), "yes"],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "web1\n"
        process.kill()
    assert len(_qemus(tmp_path)) == 1
    with virevents.open(uri) as conn, conn.events(only={"stopped"}) as events:
        told = events.get(PATIENCE)
        assert isinstance(told, virevents.LifecycleEvent)
        assert told.cause.is_found_at_start
        assert conn.list() == []
