# SPDX-License-Identifier: LGPL-2.1-or-later
"""An opened QEMU driver with a loop of its own, and everything that it pushes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from virevents.clock import SYSTEM_CLOCK
from virevents.definition import DomainDefinition, DomainType, Features, to_xml
from virevents.dispatch import Callback, Filter
from virevents.drivers import ConnectionUri, Driver, DriverContext
from virevents.drivers.qemu import QEMU
from virevents.errors import ClosedError, DomainNotFoundError, StateError
from virevents.loop import LoopThread
from virevents.model import DomainEvent, LifecycleEvent
from virevents.testing.guests import GUESTS

PATIENCE: Final = 30.0  # seconds; only a failing test uses them
SHORT: Final = 0.2  # for what must run into its deadline
START: Final = ["resumed unpaused", "started booted"]
DESTROY: Final = ["shutdown host", "stopped destroyed"]


def in_words(event: DomainEvent) -> str:
    if isinstance(event, LifecycleEvent):
        return f"{event.event} {event.detail}"
    return str(event.event_id)


class Told:
    """The events that a driver pushed, for each domain by its name."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[DomainEvent] = []

    def take(self, event: DomainEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def events(self, name: str = "web1") -> list[DomainEvent]:
        with self._changed:
            return [event for event in self._events if event.domain.name == name]

    def words(self, name: str = "web1") -> list[str]:
        return [in_words(event) for event in self.events(name)]

    def wait_for(self, *words: str, name: str = "web1") -> list[str]:
        """Wait until the last events of the domain are *words*; return all of them."""

        def is_there() -> bool:
            told = [in_words(event) for event in self._events if event.domain.name == name]
            return told[-len(words) :] == list(words)

        with self._changed:
            assert self._changed.wait_for(is_there, PATIENCE), [*map(in_words, self._events)]
        return self.words(name)


class Bench:
    """A driver, opened, its directory and what it told."""

    def __init__(
        self, root: Path, loop: LoopThread, *, listens: bool = True, parameters: str = ""
    ) -> None:
        self.root = root
        self.told = Told()
        uri = QEMU.resolve(ConnectionUri.parse(f"qemu:///embed?root={root}{parameters}"))
        self.driver: Driver = QEMU.open(uri, DriverContext(loop.loop, SYSTEM_CLOCK))
        if listens:
            self.listen()

    def listen(self) -> None:
        """Take what the driver tells from now on."""
        self.driver.state.register(Callback(self.told.take, Filter(event_ids=None)))

    def define(self, guest: str = "rom-idle", name: str = "web1", **facts: object) -> str:
        return self.driver.define(self.xml(guest, name, **facts)).uuid

    def xml(self, guest: str = "rom-idle", name: str = "web1", **facts: object) -> str:
        image = self.root / f"{guest}.bin"
        if not image.exists():
            GUESTS[guest].write(self.root)
        definition = DomainDefinition(
            name=name,
            uuid=uuid_of(name),
            memory_kib=8192,
            current_memory_kib=8192,
            domain_type=DomainType.QEMU,
            loader=str(image),
            features=Features(acpi=True),
            **facts,  # type: ignore[arg-type]
        )
        return to_xml(definition)

    def pid(self, name: str = "web1") -> int:
        (pid,) = (pid for pid in qemu_children() if name_of(pid) == name)
        return pid

    def end_all(self) -> None:
        """Destroy what runs: a QEMU outlives its driver."""
        for domain in self.driver.domains(active=True):
            with suppress(ClosedError, DomainNotFoundError, StateError):
                self.driver.destroy(domain.uuid)

    def kill(self, number: signal.Signals, name: str = "web1") -> None:
        os.kill(self.pid(name), number)


def uuid_of(name: str) -> str:
    return f"6695eb01-f6a4-8304-79aa-{name.encode().hex()[-12:]:0>12}"


def qemu_children() -> list[int]:
    """The process ids of our children, zombies included."""
    children = Path(f"/proc/{os.getpid()}/task")
    listed = []
    for path in children.glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends meanwhile
            listed.append(path.read_text())
    return [int(pid) for text in listed for pid in text.split()]


def name_of(pid: int) -> str:
    """The domain's name that a child was started with; "" if it is gone meanwhile."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    found = [word for word in arguments if word.startswith(b"guest=")]
    return found[0].decode().removeprefix("guest=").partition(",")[0] if found else ""


@contextmanager
def bench(root: Path, parameters: str = "") -> Iterator[Bench]:
    """Open a driver on *root*; end all of it, and see that nothing is left."""
    with one_process(root, parameters=parameters) as made:
        try:
            yield made
        finally:
            made.end_all()
            made.driver.close()
            assert qemu_children() == []
            assert list((root / "run").iterdir()) == []


@contextmanager
def one_process(root: Path, *, listens: bool = True, parameters: str = "") -> Iterator[Bench]:
    """Open a driver on *root* and close it, as one process of several does: what runs goes on."""
    loop = LoopThread()
    loop.start()
    try:
        made = Bench(root, loop, listens=listens, parameters=parameters)
        try:
            yield made
        finally:
            made.driver.close()
    finally:
        assert loop.stop(PATIENCE)


def in_threads(*functions: Callable[[], object]) -> None:
    """Run each function on a thread of its own; what one raises is raised here."""
    raised: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001  (raised again below)
            raised.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 2)
    if raised:
        raise raised[0]
    assert not any(thread.is_alive() for thread in threads)
