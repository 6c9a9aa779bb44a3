# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the explored code gets for locks, gates, lines, bells and threads: each use is a step.

It stands apart because it is all that the code under test sees of an exploration: it is put in
force by ``sync.installed``, and the code that ships runs unchanged.

Where the steps are: before a lock is taken (a held one lets its thread wait) and after it is let
go; before a gate or bell is waited at; before and after a gate is opened, a bell is rung, a line
is changed; before a line's length is read. What no step separates runs as one piece.

Confined to the thread that runs: only one does at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Protocol, TypeVar

from virevents.sync import Doorbell, Lock, OneShot, WakeSignal
from virevents.testing.schedules.threads import ExploredThread, Waitable

__all__ = [
    "ExploredBell",
    "ExploredLine",
    "ExploredLock",
    "ExploredOneShot",
    "ExploredPrimitives",
    "ExploredWakeSignal",
    "Scheduler",
]

T = TypeVar("T")


class Scheduler(Protocol):
    """What the objects need of a run."""

    @property
    def current(self) -> ExploredThread | None:
        """The thread that runs, or None outside a schedule."""
        ...

    def wait(self, waitable: Waitable, timeout: float | None, verb: str) -> bool:
        """Be a step that needs *waitable* open; tell whether it is."""
        ...

    def point(self, what: str) -> None:
        """Be a step that needs nothing."""
        ...

    def after(self, what: str) -> None:
        """Be the step after something that *what* tells; it raises nothing."""
        ...

    def add_thread(
        self, name: str, target: Callable[[], object], *, is_daemon: bool
    ) -> ExploredThread:
        """Have another thread take part."""
        ...


class ExploredLock(Waitable):
    """A lock; open while nobody holds it."""

    __slots__ = ("_run", "owner")

    def __init__(self, run: Scheduler, name: str) -> None:
        super().__init__(name, is_open=True)
        self._run: Final = run
        self.owner = ""  # the running thread only

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Take the lock; see ``threading.Lock.acquire``."""
        if not blocking:
            self._run.point(f"tries {self.name}")
            if not self.is_open:
                return False
        elif not self._run.wait(self, None if timeout < 0 else timeout, "takes"):
            return False
        self.is_open = False
        current = self._run.current
        self.owner = current.name if current else "the scenario itself"
        return True

    def release(self) -> None:
        """Let the lock go."""
        if self.is_open:
            raise RuntimeError(f"release of {self.name}, which nobody holds")
        self.is_open = True
        self._run.after(f"lets go {self.name}")

    def locked(self) -> bool:
        """Tell whether somebody holds it."""
        return not self.is_open

    def __enter__(self) -> bool:
        """Take the lock."""
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Let the lock go."""
        self.release()

    def __str__(self) -> str:
        """Return how a report names it and its holder."""
        return self.name if self.is_open else f"{self.name}, held by {self.owner}"


class ExploredOneShot(Waitable):
    """What a gate is made of; open once it is set."""

    __slots__ = ("_run",)

    def __init__(self, run: Scheduler, name: str) -> None:
        super().__init__(name, is_open=False)
        self._run: Final = run

    def is_set(self) -> bool:
        """Tell whether it was set."""
        return self.is_open

    def set(self) -> None:
        """Set it; idempotent."""
        self._run.after(f"is about to open the gate for {self.name}")
        self.is_open = True
        self._run.after(f"opened the gate for {self.name}")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or *timeout* virtual seconds."""
        return self._run.wait(self, timeout, "passes the gate for")


class ExploredBell(Waitable):
    """A counting bell; open while there is a ring to take, and once it is closed."""

    __slots__ = ("_is_closed", "_rings", "_run")

    is_rest = True

    def __init__(self, run: Scheduler, name: str) -> None:
        super().__init__(name, is_open=False)
        self._run: Final = run
        self._rings = 0  # the running thread only
        self._is_closed = False  # the running thread only

    def ring(self, count: int = 1) -> None:
        """Let *count* waits pass."""
        self._run.after(f"is about to ring {self.name}")
        if not self._is_closed:
            self._rings += count
            self.is_open = self._rings > 0
        self._run.after(f"rang {self.name}")

    def wait(self) -> None:
        """Wait for one ring."""
        self._run.wait(self, None, "hears")
        if not self._is_closed:
            self._rings -= 1
            self.is_open = self._rings > 0

    def close(self) -> None:
        """Let every wait pass, as a closed descriptor does."""
        self._is_closed = True
        self.is_open = True


class ExploredWakeSignal(Waitable):
    """What wakes a loop; open while it is signalled."""

    __slots__ = ("_number", "_run", "is_closed", "on_change")

    is_rest = True

    def __init__(self, run: Scheduler, name: str, number: int) -> None:
        super().__init__(name, is_open=False)
        self._run: Final = run
        self._number: Final = number
        self.is_closed = False  # the running thread only
        self.on_change: Callable[[], None] | None = None  # the running thread only

    def fileno(self) -> int:
        """Return a number that stands for it, or -1 when it is closed."""
        return -1 if self.is_closed else self._number

    def signal(self) -> None:
        """Make it readable."""
        self._run.after(f"is about to signal {self.name}")
        self._set(is_open=not self.is_closed)
        self._run.after(f"signalled {self.name}")

    def clear(self) -> None:
        """Make it unreadable until the next signal."""
        self._run.after(f"is about to clear {self.name}")
        self._set(is_open=False)
        self._run.after(f"cleared {self.name}")

    def close(self) -> None:
        """Ignore signals from now on."""
        self.is_closed = True
        self._set(is_open=False)

    def _set(self, *, is_open: bool) -> None:
        self.is_open = is_open
        if self.on_change is not None:
            self.on_change()


class ExploredLine(deque[T]):
    """A deque whose changes are steps."""

    def __init__(self, run: Scheduler, name: str) -> None:
        super().__init__()
        self._run: Final = run
        self._name: Final = name

    def append(self, item: T, /) -> None:
        """Append *item*."""
        self._run.after(f"is about to append to {self._name}")
        super().append(item)
        self._run.after(f"appended to {self._name}")

    def extend(self, items: Iterable[T], /) -> None:
        """Append each of *items*, in one piece."""
        self._run.after(f"is about to extend {self._name}")
        super().extend(items)
        self._run.after(f"extended {self._name}")

    def popleft(self) -> T:
        """Take the oldest item.

        Raises:
            IndexError: There is none.
        """
        self._run.after(f"is about to pop from {self._name}")
        item = super().popleft()
        self._run.after(f"popped from {self._name}")
        return item

    def __len__(self) -> int:
        """Return how many items it holds."""
        self._run.after(f"counts {self._name}")
        return super().__len__()


class ExploredPrimitives:
    """The makers that ``sync.installed`` puts in force during an exploration."""

    def __init__(self, run: Scheduler, *, is_checked: bool) -> None:
        self._run: Final = run
        self._is_checked: Final = is_checked
        self.signals: Final[dict[int, ExploredWakeSignal]] = {}  # the running thread only

    @property
    def is_checked(self) -> bool:
        """Whether ranked locks check their order."""
        return self._is_checked

    def make_lock(self, name: str) -> Lock:
        """Make a lock that is free."""
        return ExploredLock(self._run, f"the {name} lock")

    def make_one_shot(self, name: str) -> OneShot:
        """Make an event that is not set."""
        return ExploredOneShot(self._run, name)

    def make_line(self, kind: type[T], name: str) -> deque[T]:  # noqa: ARG002  (for the types)
        """Make an empty line."""
        return ExploredLine(self._run, name)

    def make_doorbell(self, name: str) -> Doorbell:
        """Make a bell that has not rung."""
        return ExploredBell(self._run, name)

    def make_wake_signal(self, name: str) -> WakeSignal:
        """Make a signal for the loop of this exploration."""
        number = len(self.signals)
        signal = self.signals[number] = ExploredWakeSignal(self._run, name, number)
        return signal

    def start_thread(self, name: str, target: Callable[[], None]) -> None:
        """Have a daemon thread take part."""
        self._run.add_thread(name, target, is_daemon=True)
