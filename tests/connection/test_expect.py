# SPDX-License-Identifier: LGPL-2.1-or-later
"""``expect``: listens before the command, waits after it."""

import asyncio

import pytest

import virevents
from tests.connection.harness import Hypervisor, Running, Signal
from virevents import Lifecycle
from virevents.connection import Expectation
from virevents.dispatch import Callback
from virevents.errors import (
    ClosedError,
    ExpectTimeout,
    InternalError,
    InvalidArgumentError,
    WouldBlockError,
)
from virevents.model import SuspendedDetail


def test_listens_first(conn: virevents.Connection, domain: virevents.Domain) -> None:
    for _ in range(50):
        with conn.expect(domain, "suspended", timeout=20) as suspended:
            domain.suspend()
        with conn.expect(domain, Lifecycle.RESUMED, timeout=20) as resumed:
            domain.resume()
        assert suspended.event.detail is SuspendedDetail.PAUSED
        assert resumed.event.sequence == suspended.event.sequence + 1
    assert conn.stats().subscriptions == {}


def test_times_out(conn: virevents.Connection, domain: virevents.Domain) -> None:
    with (
        pytest.raises(ExpectTimeout, match=r"expected test stopped within 0\.01 s"),
        conn.expect(domain, "stopped", timeout=0.01) as stopped,
    ):
        domain.suspend()
    with pytest.raises(InternalError, match="has not come yet"):
        _ = stopped.event
    assert conn.stats().subscriptions == {}


def test_the_first_matching_event_is_kept(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with conn.expect(domain, "suspended", timeout=20) as suspended, conn.events() as events:
        for _ in range(3):
            domain.suspend()
            domain.resume()
        for _ in range(6):
            assert events.get(20) is not None
    assert suspended.event.sequence == 1


def test_other_domains_do_not_count(conn: virevents.Connection, domain: virevents.Domain) -> None:
    other = conn.create(
        "<domain type='test'><name>web9</name><memory>1</memory><os><type>hvm</type></os></domain>"
    )
    with (
        pytest.raises(ExpectTimeout),
        conn.expect(domain, "suspended", timeout=0.01),
    ):
        other.suspend()


def test_an_exception_of_the_block_passes_at_once(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with pytest.raises(KeyError), conn.expect(domain, "stopped", timeout=3600):
        raise KeyError("of the block")
    assert conn.stats().subscriptions == {}


def test_a_connection_that_closes_ends_the_wait(hypervisor: Hypervisor) -> None:
    conn = virevents.open("fake:///one")
    inside = Signal("the block")

    def block() -> None:
        with conn.expect(conn.lookup("web1"), "stopped", timeout=3600):
            inside.set()

    waiting = Running(block)
    inside.wait()
    assert conn.close()
    with pytest.raises(ClosedError, match="was closed while web1 stopped was expected"):
        waiting.result()


def test_on_a_loop_thread_it_is_refused_before_it_listens(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    async def main() -> None:
        with (
            pytest.raises(WouldBlockError, match="expecting test stopped would wait"),
            conn.expect(domain, "stopped", timeout=1),
        ):
            pass

    asyncio.run(main())
    assert conn.stats().subscriptions == {}


def test_in_an_isolated_callback_it_works(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    met: list[str] = []

    def callback(_: virevents.LifecycleEvent) -> None:
        with conn.expect(domain, "resumed", timeout=20) as resumed:
            domain.resume()
        met.append(str(resumed.event.event))

    with conn.subscribe(callback, only={"suspended"}):
        domain.suspend()
    assert met == ["resumed"]


def test_an_unknown_word_is_refused_before_the_block(
    conn: virevents.Connection, domain: virevents.Domain
) -> None:
    with pytest.raises(InvalidArgumentError, match="exploded"):
        conn.expect(domain, "exploded", timeout=1)


def test_left_without_having_been_entered_it_does_nothing() -> None:
    def listen(_: object) -> Callback:
        raise AssertionError

    never = Expectation("web1 stopped", 1.0, listen, lambda _: None)
    never.__exit__(None, None, None)
