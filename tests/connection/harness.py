# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver that opens, closes and changes when the test says so, and waits that fail."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, Generic, TypeVar

from typing_extensions import override  # in typing from Python 3.12

from virevents.drivers import (
    Capability,
    ConnectionUri,
    Driver,
    DriverContext,
    DriverFactory,
    StartMode,
)
from virevents.errors import DomainNotFoundError
from virevents.model import (
    DomainIdentity,
    DomainState,
    Lifecycle,
    LifecycleEvent,
    RunningReason,
    StateAndReason,
    SuspendedDetail,
)

T = TypeVar("T")

# Long enough for the slowest machine; a test that waits this long fails.
PATIENCE: Final = 20.0

WEB1: Final = DomainIdentity("web1", "6695eb01-f6a4-8304-79aa-97f2502e193f", 1)


class Signal:
    """Something that happens once; whoever waits in vain fails."""

    def __init__(self, what: str = "the signal", *, patience: float = PATIENCE) -> None:
        self._what: Final = what
        self._patience: Final = patience
        self._event: Final = threading.Event()

    def set(self, *_: object) -> None:
        self._event.set()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, *_: object) -> None:
        assert self._event.wait(self._patience), f"{self._what} did not come"


class Running(Generic[T]):
    """A function that runs on a thread of its own."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Final = function
        self._values: Final[list[T]] = []
        self._errors: Final[list[BaseException]] = []
        self._thread: Final = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._function())
        except BaseException as error:  # noqa: BLE001  (raised again where the result is asked)
            self._errors.append(error)

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, seconds: float = PATIENCE) -> T:
        """Wait for its end; gives what it returned, raises what it raised."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"it did not end within {seconds} s"
        if self._errors:
            raise self._errors[0]
        return self._values[0]


class FakeDriver(Driver):
    """One running domain; every operation is a suspend that tells so."""

    name: ClassVar[str] = "fake"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.SUSPEND})

    def __init__(
        self, uri: ConnectionUri, context: DriverContext, hypervisor: "Hypervisor"
    ) -> None:
        super().__init__(uri, context)
        self._hypervisor: Final = hypervisor

    @override
    def domains(self, *, active: bool | None = None) -> list[DomainIdentity]:
        return [] if active is False else [WEB1]

    @override
    def lookup_name(self, name: str) -> DomainIdentity:
        return self._find(name, WEB1.name)

    @override
    def lookup_uuid(self, uuid: str) -> DomainIdentity:
        return self._find(uuid, WEB1.uuid)

    @override
    def lookup_id(self, domain_id: int) -> DomainIdentity:
        return self._find(str(domain_id), str(WEB1.id))

    def _find(self, asked: str, there: str) -> DomainIdentity:
        if asked != there or self._hypervisor.is_empty:
            raise DomainNotFoundError(f"no {asked}")
        return WEB1

    @override
    def domain_state(self, uuid: str) -> StateAndReason:
        return StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)

    @override
    def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        return f"<domain><uuid>{uuid}</uuid></domain>"

    @override
    def is_persistent(self, uuid: str) -> bool:
        return True

    @override
    def has_managed_save(self, uuid: str) -> bool:
        return False

    @override
    def suspend(self, uuid: str) -> None:
        self._hypervisor.suspends.append(uuid)
        self._hypervisor.on_suspend()
        self.state.push(event())

    @override
    def start(
        self,
        uuid: str,
        mode: StartMode = StartMode.DEFAULT,
        *,
        force_boot: bool = False,
        autodestroy_owner: object | None = None,
    ) -> None:
        self._hypervisor.on_start()
        self._hypervisor.owned.append(autodestroy_owner)

    @override
    def destroy_owned(self, owner: object) -> None:
        assert not self._hypervisor.closes, "the driver was closed before what it owned had ended"
        self._hypervisor.on_destroy_owned()
        self._hypervisor.owned = [one for one in self._hypervisor.owned if one is not owner]

    @override
    def close(self) -> None:
        self._hypervisor.on_close()
        self._hypervisor.closes += 1
        self.state.close()


class Hypervisor:
    """What the fake driver drives: counts, and is slow or broken on demand."""

    def __init__(self) -> None:
        self.opens = 0
        self.closes = 0
        self.suspends: list[str] = []
        self.drivers: list[FakeDriver] = []
        self.is_empty = False
        self.on_open: Callable[[], object] = lambda: None
        self.on_close: Callable[[], object] = lambda: None
        self.on_suspend: Callable[[], object] = lambda: None
        self.on_start: Callable[[], object] = lambda: None
        self.on_destroy_owned: Callable[[], object] = lambda: None
        self.owned: list[object] = []  # the owner of each domain that was started
        self.factory: Final = DriverFactory("fake", self._resolve, self._open)

    @property
    def driver(self) -> FakeDriver:
        """The one opened last."""
        return self.drivers[-1]

    def _resolve(self, uri: ConnectionUri) -> ConnectionUri:
        uri.refuse_unknown_parameters(())
        return ConnectionUri("fake", "", "", uri.path.rstrip("/"), ())

    def _open(self, uri: ConnectionUri, context: DriverContext) -> Driver:
        self.opens += 1
        self.on_open()
        self.drivers.append(FakeDriver(uri, context, self))
        return self.driver


def event(time: float = 0.0) -> LifecycleEvent:
    """An event that was not pushed yet."""
    return LifecycleEvent(WEB1, Lifecycle.SUSPENDED, SuspendedDetail.PAUSED, time)


@contextmanager
def stopped_loop(driver: Driver) -> Iterator[Signal]:
    """Keep the library's loop thread busy during the block, so that no flush runs."""
    inside, go_on = Signal("the loop's turn"), Signal("the end of the block")

    def hold() -> None:
        inside.set()
        go_on.wait()

    driver.context.loop.call(hold)
    inside.wait()
    try:
        yield go_on
    finally:
        go_on.set()
