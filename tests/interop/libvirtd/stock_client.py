# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stock libvirt as this project's tests hold it: ``client.py`` in a process of its own.

    with StockClient("test:///default") as stock:
        answer = stock.ask("start", "web1", paused=True)
        assert (answer.code, [event.values for event in answer.events]) == (0, [[2, 0]])

Confined to the thread that makes it.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from tests.interop.libvirtd.private_libvirtd import SYSTEM_PYTHON

__all__ = ["Answer", "Json", "StockClient", "StockEvent"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_PROGRAM: Final = Path(__file__).with_name("client.py")
_PATIENCE: Final = 10.0  # seconds; only a client that hangs uses them


@dataclass(frozen=True, slots=True)
class StockEvent:
    """One event as libvirt-python gave it.

    Attributes:
        event_id: The kind of event: libvirt's name of the number, as "io-error-reason".
        name: The domain's.
        uuid: The domain's.
        id: The domain's.
        values: What the callback got besides: event and detail for "lifecycle".
    """

    event_id: str
    name: str
    uuid: str
    id: int
    values: list[Json]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        result: What the call returned, where that is more than an object of libvirt's.
        code: The error's number, or 0.
        text: The error's words.
        events: What was told since the answer before.
    """

    result: Json
    code: int
    text: str
    events: list[StockEvent]


class StockClient:
    """A connection of a stock libvirt; see ``client.py`` for the verbs.

    Args:
        uri: What to open.
    """

    def __init__(self, uri: str) -> None:
        self._process: Final = subprocess.Popen(
            [SYSTEM_PYTHON, _PROGRAM, uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the client, and with it its connections."""
        self._process.communicate(timeout=_PATIENCE)

    def ask(
        self,
        verb: str,
        *arguments: Json,
        on: str = "main",
        quiet: float = 0.0,
        named: Mapping[str, Json] = MappingProxyType({}),
        **flags: Json,
    ) -> Answer:
        """Do one operation.

        Args:
            verb: As our Connection and Domain have it; those of a domain take its name first.
            arguments: What it takes.
            on: Which connection does it; "open" and "close" make and end others than "main".
            quiet: Wait with the answer until no event came for so many seconds, which is the only
                way to see what a real QEMU leads to. What the call itself queued is there anyway.
            named: Its flags.
            flags: The same, for whoever writes them out.
        """
        request = {
            "verb": verb,
            "arguments": arguments,
            "named": {**named, **flags},
            "on": on,
            "flush": True,
            "quiet": quiet,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client ended at {request}; what it said is above"
        answer = json.loads(line)
        answer["events"] = [StockEvent(**event) for event in answer["events"]]
        return Answer(**answer)
