# SPDX-License-Identifier: LGPL-2.1-or-later
"""The core works where Linux's own calls are not: tested by hiding them.

Each script runs in an interpreter of its own, because what is hidden must be hidden before the
first import.
"""

import subprocess
import sys
from typing import Final

import pytest

# asyncio and subprocess are left as they are: they are the standard library's own affair.
_HIDE: Final = """\
import os, signal, sys
for name in [n for n in vars(os) if n.startswith(("eventfd", "EFD_", "pidfd_", "PIDFD_"))]:
    delattr(os, name)
if hasattr(signal, "pidfd_send_signal"):
    del signal.pidfd_send_signal
sys.modules["fcntl"] = None
"""

_HIDE_OPTIONAL: Final = """\
import sys
for name in ("uvloop", "msgspec"):
    sys.modules[name] = None
"""

_IMPORT_CORE: Final = """\
import virevents
import virevents.aio, virevents.connection, virevents.definition, virevents.dispatch
import virevents.drivers, virevents.errors, virevents.loop, virevents.model, virevents.sync
"""

# The test driver through callbacks on a worker thread.
_TEST_DRIVER: Final = """\
import virevents
seen = []
with virevents.open("test:///default") as conn:
    domain = conn.lookup("test")
    subscription = conn.subscribe(lambda event: seen.append(str(event.event)))
    domain.suspend()
    domain.resume()
    assert subscription.drain(10)
assert seen == ["suspended", "resumed"], seen
"""

_TEST_DRIVER_AIO: Final = """\
import asyncio
import virevents

async def watch():
    async with virevents.aio.open("test:///default") as conn:
        events = conn.events()
        domain = await conn.lookup("test")
        await domain.suspend()
        return [str(event.event) async for event in first(events)]

async def first(events):
    async for event in events:
        yield event
        break

assert asyncio.run(watch()) == ["suspended"]
"""

_CODECS: Final = """\
import json
from virevents import model
domain = model.DomainIdentity("test", "6695eb01-f6a4-8304-79aa-97f2502e193f", 1)
started = model.Lifecycle.STARTED
event = model.LifecycleEvent(domain, started, model.StartedDetail.BOOTED, 0.25)
assert json.loads(json.dumps(model.event_fields(event)))["detail"] == "booted"
"""

_LINUX_ONLY: Final = """\
import tempfile
import virevents
with tempfile.TemporaryDirectory() as root:
    try:
        virevents.open(f"qemu:///embed?root={root}")
    except virevents.errors.VireventsError as refused:
        print(refused)
    else:
        raise SystemExit("a driver that needs pidfds opened without them")
"""


def _run(*parts: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "".join(parts)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(_HIDE, id="linux_calls"),
        pytest.param(_HIDE_OPTIONAL, id="optional_packages"),
        pytest.param(_HIDE + _HIDE_OPTIONAL, id="either"),
    ],
)
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_IMPORT_CORE, id="import"),
        pytest.param(_TEST_DRIVER, id="test_driver"),
        pytest.param(_TEST_DRIVER_AIO, id="asyncio_face"),
        pytest.param(_CODECS, id="codecs"),
    ],
)
def test_core_works_without(hidden: str, script: str) -> None:
    _run(hidden, script)


def test_linux_only_driver_says_so_when_opened() -> None:
    _run(_HIDE, _LINUX_ONLY)


def test_import_starts_no_thread_and_opens_nothing() -> None:
    _run(
        "import os, threading\n"
        "before = sorted(os.listdir('/proc/self/fd'))\n"
        "import virevents\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert sorted(os.listdir('/proc/self/fd')) == before\n"
    )
