# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program in QEMU's place that is well until its first ``stop``, and then says no end of things.

What it says is decided by its domain's name: "garbage" is no JSON, "events" are good events as
fast as the monitor takes them.
"""

import json
import socket
import sys
from typing import Final

CHUNK: Final = 64


def argument_after(option: str) -> str:
    """The word after *option* on the command line."""
    return sys.argv[sys.argv.index(option) + 1]


def said(name: str) -> bytes:
    """What is said for ever."""
    if name == "garbage":
        return b"{nonsense\r\n" * CHUNK
    event = {"event": "NIC_RX_FILTER_CHANGED", "timestamp": {"seconds": 1, "microseconds": 1}}
    return (json.dumps(event).encode() + b"\r\n") * CHUNK


def serve(client: socket.socket, babble: bytes) -> None:
    """Answer each command; babble after the first that stops."""
    decoder, received = json.JSONDecoder(), ""
    client.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
    while chunk := client.recv(4096):
        received += chunk.decode()
        while received:
            command, end = decoder.raw_decode(received)
            received = received[end:].lstrip()
            if command["execute"] == "cont":
                client.sendall(b'{"event": "RESUME"}\r\n')
            while command["execute"] == "stop":
                client.sendall(babble)
            client.sendall(json.dumps({"return": {}, "id": command.get("id")}).encode() + b"\r\n")


def main() -> None:
    """Serve one client after the other."""
    name = argument_after("-name").partition(",")[0].removeprefix("guest=")
    number = int(argument_after("-chardev").partition("fd=")[2].partition(",")[0])
    listener = socket.socket(fileno=number)
    while True:
        client = listener.accept()[0]
        try:
            serve(client, said(name))
        except OSError:
            client.close()


main()
