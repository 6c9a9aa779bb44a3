# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds for every test: locks are checked, and nothing is left behind.

A test fails if, once it and its fixtures are done, a thread that it started still runs, a
descriptor that it opened is still open, or asyncio had to report an exception that nobody took.
Exceptions in threads and finalizers fail it too: pytest makes warnings of them, and warnings are
errors here.
"""

import asyncio
import gc
import importlib
import importlib.util
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
from typing_extensions import override  # in typing from Python 3.12

# The programs that tests start behave the same on every machine: with PYTHONUNBUFFERED set, say,
# nothing is left for an interpreter's end to write, and a fault there is not seen.
for _name in list(os.environ):
    if _name.startswith(("PYTHON", "VIREVENTS_")) or _name in {"NO_COLOR", "FORCE_COLOR"}:
        del os.environ[_name]

# Read when virevents.sync is imported, so nothing above may import it.
os.environ["VIREVENTS_LOCKCHECK"] = "1"

# A machine that other work slows down is no fault of a test's.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")

_DESCRIPTORS: Final = Path("/proc/self/fd")

# A thread that was told to end may still be on its way out when the test returns.
_THREAD_TIMEOUT: Final = 5.0


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what explores single lines where its tool cannot be; script/interleave has it."""
    is_line_suite = collection_path.parts[-2:] == ("interleaving", "lines")
    return True if is_line_suite and not _explores_lines() else None


def _explores_lines() -> bool:
    return importlib.util.find_spec("interleave_test") is not None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark as slow what exhausts schedules: also because coverage would make it slower yet."""
    if "interleaving" in item.path.parts:
        item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the pipe that it keeps for the whole process, before any test counts."""
    if importlib.util.find_spec("uvloop") is not None:
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        loop.close()


class _UntakenExceptions(logging.Handler):
    """Keeps what asyncio says of exceptions that nobody retrieved."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Fail the test that leaves a thread, a descriptor or an untaken exception behind.

    Fixtures of a wider scope are made before this one, so what they hold is not the test's.
    """
    threads = set(threading.enumerate())
    descriptors = _open_descriptors()
    untaken = _UntakenExceptions()
    logging.getLogger("asyncio").addHandler(untaken)
    yield
    leaks = [*_left_threads(threads), *_left_descriptors(descriptors)]
    logging.getLogger("asyncio").removeHandler(untaken)
    leaks += untaken.messages
    if leaks:
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)


def _left_threads(before: set[threading.Thread]) -> list[str]:
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(_THREAD_TIMEOUT)
    return [_described(thread) for thread in started if thread.is_alive()]


def _described(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    stack = "".join(traceback.format_stack(frame)) if frame else ""
    return f"thread {thread.name}\n{stack}"


def _open_descriptors() -> dict[int, str]:
    """Each descriptor of this process with what it is; empty where the system does not tell."""
    if not _DESCRIPTORS.is_dir():
        return {}
    found = {}
    for entry in os.listdir(_DESCRIPTORS):  # noqa: PTH208  # names are all that is needed
        try:
            found[int(entry)] = str((_DESCRIPTORS / entry).readlink())
        except OSError:
            continue  # the descriptor of the listing itself, or one that another thread closed
    return found


def _left_descriptors(before: dict[int, str]) -> list[str]:
    left = set(_open_descriptors().items()) - set(before.items())
    if left:
        gc.collect()  # what only a cycle holds is the collector's to close, and warns by itself
        left = set(_open_descriptors().items()) - set(before.items())
    return [f"descriptor {number}: {target}" for number, target in sorted(left)]
