# SPDX-License-Identifier: LGPL-2.1-or-later
"""The monitor against a scripted server, on both event loops; the real QEMU is elsewhere."""

import asyncio
import gc
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import pytest
import uvloop
from qemu.qmp import Message

from virevents.drivers.qemu import monitor
from virevents.drivers.qemu.monitor import Monitor
from virevents.errors import MonitorError, MonitorTimeoutError

PATIENCE: Final = 10.0  # seconds; only a failing test uses them
SOON: Final = 0.05  # for what must run into its deadline
GREETING: Final = {"QMP": {"version": {}, "capabilities": ["oob"]}}

Run = Callable[[Coroutine[object, object, None]], None]


@pytest.fixture(scope="module", autouse=True)
def uvloop_has_its_own() -> None:
    """Let uvloop open the descriptors that it keeps for the whole process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))


@pytest.fixture(params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["std", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run_on_loop(test: Coroutine[object, object, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(test, PATIENCE))

    return run_on_loop


class FakeQemu:
    """The other end of the socket, which says what the test wants it to say."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._received = ""

    async def say(self, *messages: Mapping[str, object]) -> None:
        await self.say_raw(b"".join(json.dumps(one).encode() + b"\r\n" for one in messages))

    async def say_raw(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def hear(self) -> dict[str, object]:
        """The next command; the client puts nothing between two of them."""
        decoder = json.JSONDecoder()
        while True:
            try:
                heard, end = decoder.raw_decode(self._received)
            except ValueError:
                chunk = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
                assert chunk
                self._received += chunk.decode()
            else:
                self._received = self._received[end:]
                assert isinstance(heard, dict)
                return heard

    async def greet(self) -> None:
        await self.say(GREETING)
        assert (await self.hear())["execute"] == "qmp_capabilities"
        await self.say({"return": {}})

    async def answer(self, *before: Mapping[str, object]) -> dict[str, object]:
        command = await self.hear()
        await self.say(*before, {"return": {"heard": command["execute"]}, "id": command["id"]})
        return command

    def hang_up(self) -> None:
        self._socket.close()


class Session:
    """A monitor, its fake QEMU, and what the monitor told."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.ours = ours
        self.qemu = FakeQemu(theirs)
        self.told: list[str] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.monitor = Monitor(self._on_event, self._on_end)

    def _on_event(self, event: Mapping[str, object]) -> None:
        self.told.append(str(event["event"]))
        if event["event"] == "POISON":
            raise ZeroDivisionError

    def _on_end(self, error: Exception | None) -> None:
        self.told.append("end")
        self.ended.set_result(error)

    async def begin(self) -> None:
        await asyncio.gather(
            self.monitor.open(self.ours, timeout=PATIENCE),
            self.qemu.greet(),
        )


@asynccontextmanager
async def session() -> AsyncIterator[Session]:
    made = Session()
    await made.begin()
    try:
        yield made
    finally:
        made.qemu.hang_up()
        await made.ended


def event(name: str) -> dict[str, object]:
    return {"event": name, "timestamp": {"seconds": 1, "microseconds": 2}}


async def errors_of(*waits: Awaitable[object]) -> list[MonitorError]:
    results = await asyncio.gather(*waits, return_exceptions=True)
    return [result for result in results if isinstance(result, MonitorError)]


def test_a_command_is_answered(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            command = made.monitor.execute("stop", {"a": [1, None]}, timeout=PATIENCE)
            answer, heard = await asyncio.gather(command, made.qemu.answer())
            assert answer == {"heard": "stop"}
            assert heard["arguments"] == {"a": [1, None]}

    run(test())


def test_a_descriptor_is_sent_between_commands(run: Run) -> None:
    async def test() -> None:
        async with session() as begun:
            reader, writer = os.pipe()
            begun.monitor.send_descriptor(writer)
            blank, received, _, _ = socket.recv_fds(begun.qemu._socket, 1, 2)
            assert blank == b" "
            command = asyncio.create_task(begun.monitor.execute("getfd", timeout=PATIENCE))
            assert (await begun.qemu.answer())["execute"] == "getfd"
            await command
            (theirs,) = received
            os.write(theirs, b"x")
            assert os.read(reader, 2) == b"x"
            for descriptor in (reader, writer, theirs):
                os.close(descriptor)

    run(test())


def test_a_descriptor_is_sent_to_nobody_after_the_end(run: Run) -> None:
    async def test() -> None:
        async with session() as begun:
            begun.qemu.hang_up()
            with pytest.raises(MonitorError):
                begun.monitor.send_descriptor(0)
            await begun.ended
            with pytest.raises(MonitorError, match="the session has ended"):
                begun.monitor.send_descriptor(0)

    run(test())


def test_a_refusal_has_the_command_the_class_and_the_words(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            waiting = asyncio.ensure_future(made.monitor.execute("cont", timeout=PATIENCE))
            heard = await made.qemu.hear()
            refusal = {"class": "GenericError", "desc": "Resetting is required"}
            await made.qemu.say({"error": refusal, "id": heard["id"]})
            (error,) = await errors_of(waiting)
            assert error.command == "cont"
            assert error.error_class == "GenericError"
            assert error.description == "Resetting is required"
            assert not made.monitor.is_hung

    run(test())


def test_in_order(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            names = [f"E{number}" for number in range(200)]
            command = made.monitor.execute("stop", timeout=PATIENCE)
            events = [event(name) for name in names]
            await asyncio.gather(command, made.qemu.answer(*events))
            assert made.told == names
            await made.qemu.say(event("LAST"))
            made.qemu.hang_up()
            await made.ended
            assert made.told == [*names, "LAST", "end"]

    run(test())


def test_in_order_also_when_our_write_meets_a_closed_socket(run: Run) -> None:
    """QEMU's last words are in the socket when a command of ours breaks the session."""

    async def test() -> None:
        made = Session()
        await made.begin()
        await made.qemu.say(event("SHUTDOWN"))
        made.qemu.hang_up()
        # The writer's turn comes before the loop has looked at the socket again.
        writer = made.monitor._client._writer
        assert writer is not None
        waiting = asyncio.ensure_future(made.monitor.execute("stop", timeout=PATIENCE))
        writer.write(b'{"execute": "stop"}')
        assert len(await errors_of(waiting)) == 1
        # All was told when the wait ended, not some time later.
        assert made.told == ["SHUTDOWN", "end"]

    run(test())


def test_keeps_none(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            gc.collect()
            before = sum(isinstance(kept, Message) for kept in gc.get_objects())
            for _ in range(50):
                await made.qemu.say(*[event("RESUME")] * 100)
            command = made.monitor.execute("stop", timeout=PATIENCE)
            await asyncio.gather(command, made.qemu.answer())
            assert len(made.told) == 5000
            gc.collect()
            after = sum(isinstance(kept, Message) for kept in gc.get_objects())
            assert after <= before + 5
            assert made.monitor._client.events.history == ()

    run(test())


def test_gives_way(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All events are there to be read at once: others have their turn all the same."""
    monkeypatch.setattr(monitor, "_EVENTS_A_SECOND", 1e9)
    others: list[int] = []  # how many events had come when it was another's turn

    async def test() -> None:
        async with session() as made:

            async def take_turns() -> None:
                while len(made.told) < 320:
                    others.append(len(made.told))
                    await asyncio.sleep(0)

            await made.qemu.say(*[event("RESUME")] * 320)
            await asyncio.wait_for(take_turns(), PATIENCE)

    run(test())
    steps = [after - before for before, after in pairwise(others)]
    assert max(steps) <= 16


def test_gives_way_in_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood is read at a rate, after a burst; and to its end."""
    waited: list[float] = []

    async def note(wait: Coroutine[object, object, object], timeout: float) -> None:
        waited.append(timeout)
        wait.close()
        await asyncio.sleep(0)
        raise TimeoutError

    async def test() -> None:
        async with session() as made:
            with monkeypatch.context() as patched:
                patched.setattr(asyncio, "wait_for", note)
                await made.qemu.say(*[event("RESUME")] * 4_000)
                command = made.monitor.execute("stop", timeout=PATIENCE)
                await asyncio.gather(command, made.qemu.answer())
            assert len(made.told) == 4_000

    run(test())
    assert len(waited) > 200
    assert min(waited) > 0.1


def test_a_flood_ends_with_the_session(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes does not wait for what is still to be read, and hears nothing of it."""
    monkeypatch.setattr(monitor, "_EVENTS_A_SECOND", 1.0)  # for which nobody would wait

    async def test() -> None:
        async with session() as made:
            await made.qemu.say(*[event("RESUME")] * 64)
            while len(made.told) < 16:  # noqa: ASYNC110  (it is the loop's turns that count)
                await asyncio.sleep(0)
            made.monitor.close()
            await asyncio.wait_for(made.monitor.wait_ended(), PATIENCE)
            assert made.told[16:] in ([], ["end"])

    run(test())


def test_ends_waits(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            waits = [
                asyncio.ensure_future(made.monitor.execute("stop", timeout=PATIENCE))
                for _ in range(3)
            ]
            heard = await made.qemu.hear()
            await made.qemu.say({"return": {}, "id": heard["id"]})
            made.qemu.hang_up()
            assert len(await errors_of(*waits)) == 2
            await made.ended
            assert not made.monitor.is_open
            (error,) = await errors_of(made.monitor.execute("cont", timeout=PATIENCE))
            assert "has ended" in error.description

    run(test())


def test_ends_waits_even_when_an_answer_came_just_before_the_end(run: Run) -> None:
    """The client stumbles over an answer that was not taken yet, and forgets other waits."""

    async def test() -> None:
        async with session() as made:
            client = made.monitor._client
            forgotten = asyncio.get_running_loop().create_future()

            async def forget(command: str, arguments: object) -> object:
                return await forgotten

            client.execute = forget  # type: ignore[method-assign, assignment]
            waiting = asyncio.ensure_future(made.monitor.execute("stop", timeout=PATIENCE))
            await asyncio.sleep(0)
            made.qemu.hang_up()
            (error,) = await errors_of(waiting)
            assert "before the answer" in error.description

    run(test())


def test_bounded_wait(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            with pytest.raises(MonitorTimeoutError, match=r"'stop'.*no answer within 0.05 s"):
                await made.monitor.execute("stop", timeout=SOON)
            assert made.monitor.is_hung
            assert made.monitor.is_open
            # It wakes up: the late answer is dropped, the next command is answered.
            await made.qemu.answer()
            answer, _ = await asyncio.gather(
                made.monitor.execute("cont", timeout=PATIENCE), made.qemu.answer()
            )
            assert answer == {"heard": "cont"}
            assert not made.monitor.is_hung

    run(test())


def test_a_wait_that_is_cancelled_leaves_nothing(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            waiting = asyncio.ensure_future(made.monitor.execute("stop", timeout=PATIENCE))
            await made.qemu.hear()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await asyncio.sleep(0)
            assert not made.monitor._client._pending

    run(test())


def test_told_once_with_none_after_an_orderly_end(run: Run) -> None:
    async def test() -> None:
        made = Session()
        await made.begin()
        made.qemu.hang_up()
        assert await made.ended is None
        made.monitor.close()
        await asyncio.sleep(0)
        assert made.told == ["end"]

    run(test())


def test_told_once_when_we_close(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            waiting = asyncio.ensure_future(made.monitor.execute("stop", timeout=PATIENCE))
            await made.qemu.hear()
            made.monitor.close()
            made.monitor.close()
            assert await made.ended is None
            assert len(await errors_of(waiting)) == 1
            assert made.told == ["end"]

    run(test())


def test_told_once_with_the_error_when_the_peer_does_not_speak_qmp(run: Run) -> None:
    async def test() -> None:
        async with session() as made:
            await made.qemu.say(event("FIRST"))
            await asyncio.get_running_loop().sock_sendall(made.qemu._socket, b"{nonsense\r\n")
            assert isinstance(await made.ended, Exception)
            assert made.told == ["FIRST", "end"]

    run(test())


def test_gives_way_when_what_is_no_qmp_has_no_end(run: Run) -> None:
    """What comes after it is not read: there may be no end of it."""

    async def test() -> None:
        async with session() as made:
            events = json.dumps(event("RESET")).encode() + b"\r\n"
            babble = b"{nonsense\r\n" + events * 500_000
            saying = asyncio.create_task(made.qemu.say_raw(babble))
            assert isinstance(await made.ended, Exception)
            assert made.told == ["end"]
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    run(test())


def test_an_event_that_cannot_be_handled_does_not_end_the_session(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with session() as made:
            command = made.monitor.execute("stop", timeout=PATIENCE)
            await asyncio.gather(command, made.qemu.answer(event("POISON"), event("NEXT")))
            assert made.told == ["POISON", "NEXT"]

    run(test())
    assert "could not handle the monitor's event POISON" in caplog.text


def test_a_peer_that_says_nothing_times_out(run: Run) -> None:
    async def test() -> None:
        made = Session()
        with pytest.raises(MonitorTimeoutError, match=r"no greeting within 0\.05 s"):
            await made.monitor.open(made.ours, timeout=SOON)
        assert not made.monitor.is_open
        made.qemu.hang_up()
        assert made.told == []

    run(test())


def test_a_peer_that_hangs_up_at_once_is_an_error(run: Run) -> None:
    async def test() -> None:
        made = Session()
        made.qemu.hang_up()
        with pytest.raises(MonitorError):
            await made.monitor.open(made.ours, timeout=PATIENCE)
        assert made.told == []

    run(test())


def test_a_peer_with_another_greeting_is_an_error(run: Run) -> None:
    async def test() -> None:
        made = Session()
        opening = asyncio.ensure_future(made.monitor.open(made.ours, timeout=PATIENCE))
        await made.qemu.say({"hello": "world"})
        assert len(await errors_of(opening)) == 1
        made.qemu.hang_up()

    run(test())


def test_told_once_when_the_peer_hangs_up_right_after_the_negotiation(run: Run) -> None:
    async def test() -> None:
        made = Session()
        opening = asyncio.ensure_future(made.monitor.open(made.ours, timeout=PATIENCE))
        await made.qemu.greet()
        made.qemu.hang_up()
        await opening
        assert await made.ended is None
        assert made.told == ["end"]
        assert not made.monitor.is_open

    run(test())
