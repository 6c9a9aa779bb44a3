# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program in QEMU's place that misbehaves as its domain's name says.

It takes QEMU's arguments, of which it reads two: the name, and the monitor's descriptor.
"""

import json
import os
import signal
import socket
import sys


def argument_after(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1]


MODE = argument_after("-name").partition(",")[0].removeprefix("guest=")
NUMBER = int(argument_after("-chardev").partition("fd=")[2].partition(",")[0])


def serve(client: socket.socket) -> None:
    def say(message: object) -> None:
        client.sendall(json.dumps(message).encode() + b"\r\n")

    decoder, received = json.JSONDecoder(), ""
    say({"QMP": {"version": {}, "capabilities": []}})
    while chunk := client.recv(4096):
        received += chunk.decode()
        while received:
            command, end = decoder.raw_decode(received)
            received = received[end:]
            answer(command["execute"], command.get("id"), say, client)
    signal.pause()


def answer(command: str, number: object, say: object, client: socket.socket) -> None:
    assert callable(say)
    reply: dict[str, object] = {"return": {}}
    if command == "cont":
        if MODE == "refuses":
            reply = {"error": {"class": "GenericError", "desc": "not in the mood"}}
        elif MODE != "silent":
            say({"event": "RESUME"})
        if MODE == "dies":
            os._exit(9)
    if command == "stop" and misbehave(client):
        return
    say({**reply, "id": number} if number is not None else reply)


def misbehave(client: socket.socket) -> bool:
    if MODE == "babbles":
        client.sendall(b"{nonsense\r\n")
        return True
    if MODE == "closes":
        client.close()
        signal.pause()
    if MODE == "bequeaths":
        if os.fork():
            os._exit(0)
        while client.recv(4096):
            pass
        os._exit(0)
    return False


signal.signal(signal.SIGTERM, signal.SIG_DFL if MODE != "stubborn" else signal.SIG_IGN)
listener = socket.socket(fileno=NUMBER)
if MODE == "mute":
    signal.pause()
serve(listener.accept()[0])
