# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Job``: one coroutine that another thread waits for."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from virevents.errors import InternalError, LoopStoppedError, OperationTimeoutError
from virevents.loop.jobs import Job


async def _seven() -> int:
    return 7


async def _never() -> int:
    await asyncio.Event().wait()
    return 0


async def _fails() -> int:
    raise KeyError("no such domain")


def _unexpected() -> None:
    pytest.fail("nothing timed out")


class _LateGate:
    """A gate that is closed when the waiter looks, and opened by *finish* right after."""

    def __init__(self, finish: Callable[[], None]) -> None:
        self._finish = finish
        self.is_open = False

    def wait(self, timeout: float | None) -> bool:
        if timeout is None:
            self._finish()
        return self.is_open

    def open(self) -> None:
        self.is_open = True


async def _run(job: Job[int]) -> None:
    """What the loop does with a job: begin it, and let its task end."""
    job.begin()
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_result_is_brought() -> None:
    job = Job(_seven, "a look-up")
    asyncio.run(_run(job))
    assert job.result(0.0, on_timeout=_unexpected) == 7


def test_a_failure_is_brought() -> None:
    job = Job(_fails, "a look-up")
    asyncio.run(_run(job))
    with pytest.raises(KeyError, match="no such domain"):
        job.result(0.0, on_timeout=_unexpected)


def test_one_outcome_the_first() -> None:
    async def fail_then_end() -> None:
        job.begin()
        job.fail(LoopStoppedError("stopped"))
        job.fail(KeyError("later"))
        for _ in range(3):
            await asyncio.sleep(0)  # the coroutine's own end comes second

    job = Job(_seven, "a look-up")
    asyncio.run(fail_then_end())
    with pytest.raises(LoopStoppedError):
        job.result(0.0, on_timeout=_unexpected)


@pytest.mark.parametrize("is_failure", [False, True])
def test_one_outcome_also_between_token_and_value(
    is_failure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is up just when the loop thread has taken the token and not set the outcome yet."""
    job = Job(_seven, "a look-up")
    assert job._take_token()

    def finish() -> None:
        if is_failure:
            job._error = KeyError("gone")
        else:
            job._value.append(7)
        job._gate.open()

    monkeypatch.setattr(job, "_gate", _LateGate(finish))
    if is_failure:
        with pytest.raises(KeyError, match="gone"):
            job.result(0.0, on_timeout=_unexpected)
    else:
        assert job.result(0.0, on_timeout=_unexpected) == 7


def test_a_timeout_is_said_and_told() -> None:
    told: list[bool] = []
    job = Job(_never, "a look-up")
    with pytest.raises(OperationTimeoutError, match=r"a look-up took longer than 0 s"):
        job.result(0.0, on_timeout=lambda: told.append(True))
    assert told == [True]


def test_ends_anyhow_when_the_loop_stops_before_it_began() -> None:
    job = Job(_never, "a look-up")
    stopper = threading.Thread(target=job.fail, args=(LoopStoppedError("stopped"),))
    stopper.start()
    with pytest.raises(LoopStoppedError, match="stopped"):
        job.result(10.0, on_timeout=_unexpected)
    stopper.join()


def test_ends_anyhow_when_no_coroutine_could_be_made() -> None:
    def make() -> "asyncio.Future[int]":
        raise TypeError("no coroutine here")

    job: Job[int] = Job(make, "a look-up")  # type: ignore[arg-type]
    asyncio.run(_run(job))
    with pytest.raises(TypeError, match="no coroutine here"):
        job.result(0.0, on_timeout=_unexpected)


def test_ends_anyhow_when_it_is_cancelled() -> None:
    async def cancel() -> None:
        job.begin()
        await asyncio.sleep(0)
        job.cancel()
        for _ in range(3):
            await asyncio.sleep(0)

    job = Job(_never, "a look-up")
    asyncio.run(cancel())
    with pytest.raises(InternalError, match="a look-up was cancelled"):
        job.result(0.0, on_timeout=_unexpected)


def test_what_ended_before_it_began_does_not_begin() -> None:
    job = Job(_never, "a look-up")
    job.fail(LoopStoppedError("stopped"))
    asyncio.run(_run(job))
    job.cancel()
    assert job._task is None
