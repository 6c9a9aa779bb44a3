# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QMP session with one QEMU: commands with deadlines, events in order, one end.

The protocol is spoken by the QEMU project's own ``qemu.qmp``. This thin layer stands apart
because that client has traps which nobody else here should have to know:

- its default listener keeps every event for ever, in a queue and in a history: it is told to
  refuse all, and our own listener hands each event on at once and keeps none;
- a wait for an event never ends when the session does, a reply that came just before the end
  makes it forget the other waits, and the change of its state can be missed by who begins to
  wait too late: every wait is raced with the end, which one task watches from the start;
- ``disconnect()`` raises EOFError after a perfectly normal end;
- when a write fails because QEMU is gone, the events that QEMU sent before are left unread,
  SHUTDOWN among them: they are read from a second descriptor of the same socket;
- ``connect()`` fails an assertion of its own when the stream ends right after it;
- a name given to the client makes a logger that is kept for ever: it is given none;
- it puts every message into indented words for a log that nobody reads, at a third of what a
  command costs: its hooks for subclasses are overridden;
- it logs as an error what it raises as well, the reset of a socket by a QEMU that was killed for
  one: it has a logger of ours, which passes on none of it.

Confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_monitor.py``:
    in_order       events are handed on in QEMU's order, and all before the end is told
    keeps_none     no event is kept, however many come
    ends_waits     the end of the session ends every wait with an error
    bounded_wait   a command that is not answered in time ends with MonitorTimeoutError
    told_once      the end is told exactly once, however it came
    gives_way      a flood of events leaves the loop to others
"""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, cast

from qemu.qmp import (
    ConnectError,
    EventListener,
    ExecInterruptedError,
    ExecuteError,
    Message,
    QMPClient,
    QMPError,
    Runstate,
    StateError,
)

from virevents.errors import MonitorError, MonitorTimeoutError
from virevents.model import Json
from virevents.sync import keep_from_children

__all__ = ["EventHandler", "Monitor"]

EventHandler = Callable[[Mapping[str, object]], None]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_CHUNK_BYTES: Final = 1 << 16
# More than a socket's buffer holds, where all is that is left of a QEMU that is gone.
_MAX_REST_BYTES: Final = 1 << 20

# How many events of one QEMU are taken before other work of the loop, and how many a second for
# longer than a burst lasts, in seconds. A real one gave 3,300 a second at most.
_EVENTS_A_TURN: Final = 16
_EVENTS_A_SECOND: Final = 4_000.0
_BURST_LASTS: Final = 0.1

# How long the client may take to close a socket whose other side is gone or does not read.
_CLOSE_MAY_TAKE: Final = 2.0


class _HandingOn(EventListener):
    """A listener that keeps nothing: no queue, no history.

    The client reads on while there is anything to read, and a QEMU that says no end of things
    would have the loop for itself: after some events the others have their turn, and one that
    says more than any well QEMU does is read more slowly. It can wait: what it says stays in its
    own memory.
    """

    def __init__(self, hand_on: EventHandler) -> None:
        super().__init__()
        self._hand_on: Final = hand_on
        self._is_deaf: Final = asyncio.Event()  # loop thread only; one way
        self._in_turn = 0  # loop thread only
        self._free_at = 0.0  # loop thread only; the loop's time at which its rate is kept

    async def put(self, event: Message) -> None:
        """Hand *event* on; called by the client for each event, in order."""
        if self.is_deaf:
            return
        self._hand_on(event)
        self._in_turn += 1
        if self._in_turn >= _EVENTS_A_TURN:
            self._in_turn = 0
            await self._give_way()

    async def _give_way(self) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + _EVENTS_A_TURN / _EVENTS_A_SECOND
        ahead = self._free_at - now
        if ahead <= _BURST_LASTS:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_deaf.wait(), ahead)

    @property
    def is_deaf(self) -> bool:
        """Whether no event is handed on any more."""
        return self._is_deaf.is_set()

    def be_deaf(self) -> None:
        """Hand on no event any more; what comes is read to its end at once."""
        self._is_deaf.set()


_own_words: Final = logging.getLogger("virevents.drivers.qemu.qmp")
_own_words.setLevel(logging.CRITICAL)


class _QuietClient(QMPClient):
    """A client that raises its errors, and says nothing of them nor of each message."""

    def __init__(self) -> None:
        super().__init__()
        self.logger = _own_words

    def _cb_outbound(self, msg: Message) -> Message:
        return msg

    def _cb_inbound(self, msg: Message) -> Message:
        return msg


class Monitor:
    """A session with QEMU's monitor.

    Both callables run on the loop thread, must not block, and are never called again after
    *on_end*.

    Args:
        on_event: Takes each event as QEMU sent it.
        on_end: Told once that the session is over: None after an orderly end of the stream, else
            the error that broke it while QEMU may live on. Not called if `open` failed.
    """

    def __init__(self, on_event: EventHandler, on_end: Callable[[Exception | None], None]) -> None:
        self._on_event: Final = on_event
        self._on_end: Final = on_end
        self._client: Final = _QuietClient()
        self._client.events.event_filter = _refuse
        self._listener: Final = _HandingOn(self._hand_on)
        self._client.register_listener(self._listener)
        self._spare: socket.socket | None = None  # loop thread only
        self._ended: asyncio.Future[None] | None = None  # loop thread only
        self._watcher: asyncio.Task[None] | None = None  # loop thread only
        self._is_hung = False  # loop thread only

    @property
    def is_hung(self) -> bool:
        """Whether the last command that got an answer or none in time got none."""
        return self._is_hung

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._ended is not None and not self._ended.done()

    async def open(self, connected: socket.socket, *, timeout: float) -> None:
        """Read the greeting and negotiate capabilities. Takes *connected* over in any case.

        Raises:
            MonitorError: QEMU closed the socket or did not speak QMP.
            MonitorTimeoutError: It said nothing within *timeout* seconds: QEMU hangs, or
                somebody else has its monitor, which serves one client at a time.
        """
        self._spare = connected.dup()
        for end in (connected, self._spare):
            keep_from_children(end)  # a child that lives on would have the monitor for itself
        is_open = False
        try:
            async with asyncio.timeout(timeout):
                await self._connect(connected)
            is_open = True
        except TimeoutError as error:
            raise MonitorTimeoutError("", "", f"no greeting within {timeout:g} s") from error
        except ConnectError as error:
            raise MonitorError("", type(error.exc).__name__, str(error)) from error
        finally:
            if not is_open:
                connected.close()
                self._close_spare()
        self._ended = asyncio.get_running_loop().create_future()
        self._watcher = asyncio.create_task(self._watch(self._ended))

    async def _connect(self, connected: socket.socket) -> None:
        try:
            await self._client.connect(connected)
        except AssertionError:
            # The client's own, when the stream ends right after the negotiation: the session
            # is established and over. The watcher tells of its end as of any other.
            _log.debug("the monitor's session was over as soon as it was open")

    async def execute(
        self, command: str, arguments: Mapping[str, Json] | None = None, *, timeout: float
    ) -> Json:
        """Send a command and return what it returned.

        The events that QEMU sent before its answer have been handed on when this returns; all
        that it ever sent, when this raises because the session ended.

        Raises:
            MonitorError: QEMU refused it, or the session ended before the answer.
            MonitorTimeoutError: There was no answer within *timeout* seconds. The command may
                still take effect.
        """
        if self._ended is None or self._ended.done():
            raise MonitorError(command, "", "the session has ended")
        reply = asyncio.ensure_future(self._client.execute(command, arguments))
        try:
            either: set[asyncio.Future[object] | asyncio.Future[None]] = {reply, self._ended}
            await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not reply.done():
                reply.cancel()
        if not reply.done() and not self._ended.done():
            self._is_hung = True
            raise MonitorTimeoutError(command, "", f"no answer within {timeout:g} s")
        self._is_hung = False
        if _was_interrupted(reply):
            # The client tells us first; the last events and the end come after.
            await asyncio.wait({self._ended}, timeout=2 * _CLOSE_MAY_TAKE)
            raise MonitorError(command, "", "the session ended before the answer")
        return _result(command, reply)

    def send_descriptor(self, descriptor: int) -> None:
        """Send a copy of *descriptor*, which QEMU keeps for the next ``getfd``.

        It goes with a blank, which is nothing between two commands. The client's own way to do
        this does not work with uvloop's transports.

        Raises:
            MonitorError: The session has ended, or does not take it.
        """
        spare = self._spare
        if spare is None or not self.is_open:
            raise MonitorError("getfd", "", "the session has ended")
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))
        try:
            spare.sendmsg([b" "], [rights], socket.MSG_DONTWAIT)
        except OSError as error:
            raise MonitorError("getfd", type(error).__name__, str(error)) from error

    async def wait_ended(self) -> None:
        """Return when the session is over and its end was told; at once if there was none."""
        if self._ended is not None:
            await asyncio.wait({self._ended})

    def close(self) -> None:
        """Begin to end the session from our side; the end is told as any other. Idempotent.

        What was not read yet is read to its end at once, and handed on to nobody.
        """
        self._listener.be_deaf()
        if self._spare is not None:
            # Seen by the client as the end of the stream: one way to the end, not two.
            try:
                self._spare.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                _log.debug("the monitor's socket was gone already: %s", error)

    def _hand_on(self, event: Mapping[str, object]) -> None:
        """An event that cannot be handled is our fault and must not end the session."""
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001  (logged; the session must go on)
            _log.exception("could not handle the monitor's event %s", event.get("event"))

    async def _watch(self, ended: asyncio.Future[None]) -> None:
        try:
            while self._client.runstate is Runstate.RUNNING:
                await self._client.runstate_changed()
            error = await self._disconnect()
            # After what is no QMP nothing is to be believed, and there may be no end of it.
            if error is None and not self._listener.is_deaf:
                await self._read_rest()
        finally:
            self._close_spare()
        ended.set_result(None)
        self._on_end(error)

    async def _disconnect(self) -> Exception | None:
        """Let the client clean up; return what broke the session, None for an orderly end."""
        try:
            async with asyncio.timeout(_CLOSE_MAY_TAKE):
                await self._client.disconnect()
        except (EOFError, ConnectionError):
            return None
        except (QMPError, OSError, ValueError) as error:
            return error
        except Exception as error:  # noqa: BLE001  (logged; told as the session's error)
            _log.exception("the monitor's client could not clean up")
            return error
        return None

    async def _read_rest(self) -> None:
        """Hand on the events that the client left unread, if there are any."""
        for number, line in enumerate(self._take_rest().splitlines(), start=1):
            event = _parsed_event(line)
            if event is not None:
                self._hand_on(event)
            if number % _EVENTS_A_TURN == 0:
                await asyncio.sleep(0)

    def _take_rest(self) -> bytes:
        rest = bytearray()
        spare = self._spare
        try:
            while spare is not None and len(rest) < _MAX_REST_BYTES:
                chunk = spare.recv(_CHUNK_BYTES, socket.MSG_DONTWAIT)
                if not chunk:
                    break
                rest += chunk
        except OSError as error:
            # Nothing more to read: QEMU still holds its end, or was reset.
            _log.debug("the monitor's stream ended with %s", error)
        return bytes(rest)

    def _close_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None


def _refuse(_event: Message) -> bool:
    return False


def _parsed_event(line: bytes) -> Mapping[str, object] | None:
    """The event in *line*; None for an answer that nobody waits for, or half a line."""
    try:
        message: Json = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "event" in message else None


def _was_interrupted(reply: asyncio.Future[object]) -> bool:
    """Whether there was no answer, neither a result nor a refusal, because the session ended."""
    if not reply.done() or reply.cancelled():
        return True
    return isinstance(reply.exception(), ExecInterruptedError | StateError | EOFError | OSError)


def _result(command: str, reply: asyncio.Future[object]) -> Json:
    """What *reply*, which is done, holds; what it raises is told in our words."""
    try:
        return cast("Json", reply.result())  # the client decoded it from JSON
    except ExecuteError as error:
        raise MonitorError(command, error.error_class, str(error)) from error
    except QMPError as error:
        raise MonitorError(command, type(error).__name__, str(error)) from error
