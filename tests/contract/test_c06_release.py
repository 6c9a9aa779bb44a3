# SPDX-License-Identifier: LGPL-2.1-or-later
"""C6 where a connection is lost for good, and where the interpreter ends."""

import pytest

import virevents
from tests.connection.harness import Signal
from tests.connection.subprocesses import run_python
from tests.contract.stage import Blocked, change


def test_c6_what_had_arrived_is_delivered_before_the_hook_of_a_lost_connection(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    """What a driver does that lost its hypervisor: ``remove_connection(is_closing=False)``."""
    met: list[object] = []
    blocked = Blocked()

    def callback(event: virevents.LifecycleEvent) -> None:
        blocked(event)
        met.append(event.sequence)

    released = Signal("the release hook")

    def on_release() -> None:
        met.append("released")
        released.set()

    conn.subscribe(callback, on_release=on_release)
    change(domain, 3)
    blocked.inside.wait()
    with conn.expect(domain, "suspended", timeout=20):  # the flush has seen the six before
        domain.suspend()
    conn.driver_state.registry.remove_connection(conn, is_closing=False)
    blocked.go_on.set()
    released.wait()
    assert met[:6] == [1, 2, 3, 4, 5, 6]
    assert met[-1] == "released"
    assert conn.close()
    assert met.count("released") == 1


_EXIT = """
import threading, virevents
conn = virevents.open("test:///default")
conn.subscribe(lambda _: None, on_release=lambda: print("isolated released", flush=True))
conn.subscribe(lambda _: None, delivery="direct",
               on_release=lambda: print("direct released", flush=True))
print("end of the program", flush=True)
"""


def test_c6_released_at_the_interpreters_exit() -> None:
    ended = run_python(_EXIT)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "end of the program"
    assert sorted(lines[1:]) == ["direct released", "isolated released"]
    assert ended.stderr == ""


# What is registered before virevents is imported runs after its own end.
_STUCK = """
import atexit, threading, time
began = []
atexit.register(lambda: print(time.monotonic() - began[0], flush=True))
import virevents
for_ever = threading.Event()
all_in = threading.Barrier(65)
def stuck_for_ever(_):
    all_in.wait()
    for_ever.wait()
conn = virevents.open("test:///default")
for _ in range(64):
    conn.subscribe(stuck_for_ever, on_release=lambda: print("released", flush=True))
other = virevents.open("test:///default")
other.subscribe(lambda _: None, on_release=lambda: print("innocent released", flush=True))
conn.lookup("test").suspend()
all_in.wait(60)
began.append(time.monotonic())
print("end of the program", flush=True)
"""


@pytest.mark.slow
def test_c6_a_callback_that_does_not_return_is_abandoned_logged_and_counted_at_exit() -> None:
    """64 of them: the interpreter ends within 5 s of the program's end, and names each."""
    ended = run_python(_STUCK)
    assert ended.returncode == 0, ended.stderr
    *said, took = ended.stdout.splitlines()
    assert said == ["end of the program", "innocent released"]
    assert float(took) < 5.0
    assert ended.stderr.count("are abandoned") == 1
    assert "64 callbacks had not returned" in ended.stderr
    assert all(f"callback {number} (stuck_for_ever)" in ended.stderr for number in range(64))
