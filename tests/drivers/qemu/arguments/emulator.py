# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU for one definition: started by the argument list, asked, and ended again."""

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from virevents.definition import DiskFormat, DomainDefinition, DomainType, Features, aliases
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.arguments.characters import channel_socket, needs_socket
from virevents.drivers.qemu.arguments.command_line import make_command_line
from virevents.drivers.qemu.arguments.ports import hold_free_port
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.support import check_supported, find_emulator
from virevents.model import Json

PATIENCE: Final = 30.0  # seconds; only a failing test uses them
EMULATOR: Final = "/usr/bin/qemu-system-x86_64"
DEFINITION: Final = DomainDefinition(
    name="web1",
    uuid="6695eb01-f6a4-8304-79aa-97f2502e193f",
    memory_kib=8192,
    current_memory_kib=8192,
    domain_type=DomainType.QEMU,
    features=Features(acpi=True),
)
FREE_TAPS: Final = {f"net{position}": 100 + position for position in range(9)}
"""Numbers for the taps of any definition whose cards have no names of the user's."""

FREE_SOCKETS: Final = {f"channel{position}": 200 + position for position in range(9)}
"""Numbers for the sockets of any definition whose channels have no names of the user's."""

FREE_PORTS: Final = {
    f"graphics{position}": {"port": 5940 + position, "websocket": 5950 + position}
    for position in range(9)
}
"""Ports for any graphics of a QEMU that is not started."""

DEVICES: Final[Mapping[str, Json]] = {
    "execute": "qom-list",
    "arguments": {"path": "/machine/peripheral"},
}
"""The question which devices with an id there are."""


@dataclass(frozen=True, slots=True)
class Met:
    """What a QEMU answered, in the order of the questions, and what it printed."""

    answers: Sequence[Json]
    printed: str

    def rows(self, position: int) -> list[dict[str, Json]]:
        """The list of objects that is the answer at *position*."""
        answer = self.answers[position]
        assert isinstance(answer, list)
        return [each for each in answer if isinstance(each, dict)]

    def devices(self, position: int) -> dict[str, str]:
        """The driver of each device by its id, where the question was `DEVICES`."""
        rows = [row for row in self.rows(position) if str(row["type"]).startswith("child<")]
        return {str(row["name"]): str(row["type"])[6:-1] for row in rows}


def options(definition: DomainDefinition, option: str, **resources: object) -> list[str]:
    """The arguments of every *option* of that name."""
    made = command_line(definition, **resources)
    return [made[at + 1] for at, word in enumerate(made) if word == option]


def get(path: str, name: str) -> Mapping[str, Json]:
    """The question what a property of a device is."""
    return {"execute": "qom-get", "arguments": {"path": path, "property": name}}


def make_image(path: Path, kind: DiskFormat = DiskFormat.RAW) -> Path:
    """Write an empty image of 1 MiB."""
    if kind is DiskFormat.RAW:
        path.write_bytes(bytes(1 << 20))
    else:
        create = ["qemu-img", "create", "-q", "-f", str(kind), str(path), "1M"]
        subprocess.run(create, check=True, timeout=PATIENCE)
    return path


def command_line(definition: DomainDefinition, **resources: object) -> list[str]:
    """The argument list with what every start has."""
    given = Resources(monitor_descriptor=5, **{"sockets": FREE_SOCKETS, **resources})  # type: ignore[arg-type]
    return make_command_line(definition, emulator=EMULATOR, resources=given)


def ask(
    definition: DomainDefinition,
    folder: Path,
    *questions: str | Mapping[str, Json],
    ports: Mapping[str, Mapping[str, int]] | None = None,
    taps: Mapping[str, int] | None = None,
    is_incoming: bool = False,
) -> Met:
    """Start a QEMU that runs *definition*, ask it, end it.

    Args:
        definition: What it is to run by; checked first, as the driver does.
        folder: For its sockets.
        questions: QMP commands.
        ports: See `Resources`; None: free ones for all graphics.
        taps: See `Resources`.
        is_incoming: See `Resources`.
    """
    check_supported(definition)
    channels = folder / "channels"
    channels.mkdir(exist_ok=True)
    with ExitStack() as opened:
        if ports is None:
            ports = {name: _hold(opened) for name in aliases(definition)["graphics"]}
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        monitor = folder / "monitor"
        monitor.unlink(missing_ok=True)
        listener.bind(str(monitor))
        listener.listen(1)
        resources = Resources(
            monitor_descriptor=listener.fileno(),
            sockets=dict(_listen(definition, channels, opened)),
            ports=ports,
            taps=taps or {},
            is_incoming=is_incoming,
        )
        arguments = make_command_line(
            definition, emulator=find_emulator(definition), resources=resources
        )
        ours = opened.enter_context(socket.socket(socket.AF_UNIX))
        ours.connect(str(monitor))
        ours.settimeout(PATIENCE)
        process = opened.enter_context(
            subprocess.Popen(
                arguments,
                pass_fds=resources.descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        listener.close()
        return _ask(process, ours, questions)


def _listen(
    definition: DomainDefinition, folder: Path, opened: ExitStack
) -> Iterator[tuple[str, int]]:
    names = aliases(definition)["channels"]
    for channel, alias in zip(definition.channels, names, strict=True):
        if needs_socket(channel):
            listener = opened.enter_context(sockets.listen(channel_socket(channel, alias, folder)))
            yield alias, listener.fileno()


def _hold(opened: ExitStack) -> Mapping[str, int]:
    ports = (hold_free_port("127.0.0.1", opened, least=least) for least in (5900, 5700))
    return dict(zip(("port", "websocket"), ports, strict=True))


def _ask(
    process: "subprocess.Popen[bytes]",
    monitor: socket.socket,
    questions: Sequence[str | Mapping[str, Json]],
) -> Met:
    stream = monitor.makefile("rwb")
    try:
        for question in ("qmp_capabilities", *questions, "quit"):
            command = {"execute": question} if isinstance(question, str) else question
            stream.write(json.dumps(command).encode())
        stream.flush()
        told = [json.loads(line) for line in stream]
    except OSError:  # it ended; what it printed tells why
        told = []
    finally:
        stream.close()
    assert process.stdout is not None
    printed = process.stdout.read().decode()
    assert process.wait(PATIENCE) == 0, printed
    assert told, printed
    errors = [each["error"] for each in told if "error" in each]
    assert not errors, errors
    answers = [each["return"] for each in told if "return" in each]
    return Met(answers[1:-1], printed)
