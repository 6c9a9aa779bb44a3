# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other end of a test guest's serial line: tell the guest "rom-agent" what to do.

It stands apart from the guests, which are images; this is a socket that QEMU connects to::

    with AgentLine(folder / "line") as line:
        domain = conn.define(xml_with(line.device))
        domain.start()
        line.wait_ready()
        line.tell(AgentCommand.RESET)
        line.wait_ready()

Confined to one thread at a time.

Invariants, each with a test of its name in ``tests/testing/test_guest_line.py``:
    in_time       every wait ends, by an answer or by ``OperationTimeoutError``
    each_start    a guest that is started again is heard again; what the last one said is forgotten
"""

import select
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from virevents.clock import monotonic
from virevents.errors import OperationTimeoutError
from virevents.testing.guests.catalogue import AGENT_READY, AgentCommand

__all__ = ["AgentLine"]

# A QEMU that starts waits for its line: as many may have been started while nobody listened.
_BACKLOG: Final = 64


class AgentLine:
    """Answers a serial line at a socket; as a context manager it closes at the end of the block.

    Args:
        path: Where the socket is made; short, as such paths must be.
        patience: How long a guest may take to answer, in seconds.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self.path: Final = path
        self._patience: Final = patience
        self._heard = bytearray()  # by the one thread that uses it, as is _guest
        self._guest: socket.socket | None = None  # likewise
        self._server: Final = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._server.bind(str(path))
            self._server.listen(_BACKLOG)
        except BaseException:
            self._server.close()
            raise

    @property
    def device(self) -> str:
        """The element of the domain's XML that connects the guest to this."""
        return f"<serial type='unix'><source mode='connect' path='{self.path}'/></serial>"

    def wait_ready(self) -> None:
        """Wait until the guest says, once more, that it is up: after a start, after a reset.

        Raises:
            OperationTimeoutError: It does not.
        """
        self._wait_for(AGENT_READY)

    def tell(self, command: AgentCommand) -> None:
        """Have the guest do *command*; returns when it has read it.

        Raises:
            OperationTimeoutError: It does not read it, or there is no guest.
        """
        self.send(command)
        self._wait_for(command.encode())

    def send(self, command: AgentCommand) -> None:
        """Send *command* to a guest that may read it later: a paused one when it runs again.

        Raises:
            OperationTimeoutError: There is no guest.
        """
        while self._take(0.0):
            pass  # the guest may have been started again meanwhile
        self._wait_for(b"")
        if self._guest is not None:
            with suppress(BrokenPipeError, ConnectionResetError):  # then no answer comes either
                self._guest.sendall(command.encode())

    def close(self) -> None:
        """Hang up."""
        self._hang_up()
        self._server.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self.close()

    def _wait_for(self, wanted: bytes) -> None:
        """Listen until the guest said *wanted*; nothing wanted is that there be a guest."""
        deadline = monotonic() + self._patience
        while self._guest is None or wanted not in self._heard:
            if not self._take(deadline - monotonic()):
                text = f"{self.path}: the guest did not say {wanted!r} in {self._patience:g} s"
                raise OperationTimeoutError(text)
        del self._heard[: self._heard.find(wanted) + len(wanted)]

    def _take(self, seconds: float) -> bool:
        """Take what is said, and who connects, within so many seconds; False if nothing came."""
        ready = self._ready(seconds)
        if self._guest is not None and self._guest.fileno() in ready:
            self._listen(self._guest)
        if self._server.fileno() in ready:
            self._hang_up()
            self._guest, _ = self._server.accept()
        return bool(ready)

    def _ready(self, seconds: float) -> set[int]:
        poll = select.poll()
        for end in (self._server, self._guest):
            if end is not None:
                poll.register(end, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}

    def _listen(self, guest: socket.socket) -> None:
        try:
            said = guest.recv(4096)
        except ConnectionResetError:
            said = b""
        if said:
            self._heard += said
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._guest is not None:
            self._guest.close()
        self._guest = None
        self._heard.clear()
