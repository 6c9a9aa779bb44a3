# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three small bugs of event delivery, each beside its repaired form: what an explorer must find.

They use bare locks of the exploration, so that a deadlock is met and not refused beforehand.
"""

from collections.abc import Callable

from virevents.sync import primitives
from virevents.testing import Run


class Mailbox:
    """Wakes the consumer only if it looked empty: the look is outside the lock."""

    is_safe = False

    def __init__(self, run: Run) -> None:
        self.lock = run.lock("mailbox")
        self.bell = primitives().make_doorbell("bell")
        self.items: list[int] = []
        self.is_waiting = False

    def put(self, item: int) -> None:
        with self.lock:
            self.items.append(item)
            must_ring = self.is_waiting
        if must_ring or self.is_safe:
            self.bell.ring()

    def get(self) -> int:
        with self.lock:
            is_empty = not self.items
            if not self.is_safe:
                is_empty = is_empty and not self.is_waiting
        if is_empty:
            with self.lock:
                self.is_waiting = True
            self.bell.wait()
        with self.lock:
            return self.items.pop()


class SafeMailbox(Mailbox):
    is_safe = True


def lost_wakeup(kind: type[Mailbox]) -> Callable[[Run], None]:
    def scenario(run: Run) -> None:
        mailbox = kind(run)
        run.thread(mailbox.put, 1)
        run.thread(mailbox.get)

    return scenario


class Hub:
    """Holds its lock while it enters the peer's."""

    is_safe = False

    def __init__(self, run: Run, name: str) -> None:
        self.lock = run.lock(name)
        self.seen = 0

    def publish(self, peer: "Hub") -> None:
        with self.lock:
            self.seen += 1
            if not self.is_safe:
                peer.receive()
        if self.is_safe:
            peer.receive()

    def receive(self) -> None:
        with self.lock:
            self.seen += 1


class SafeHub(Hub):
    is_safe = True


def inversion(kind: type[Hub]) -> Callable[[Run], None]:
    def scenario(run: Run) -> None:
        first, second = kind(run, "first's lock"), kind(run, "second's lock")
        run.thread(first.publish, second, name="first")
        run.thread(second.publish, first, name="second")
        run.finally_(lambda: expect(first.seen + second.seen, 4))

    return scenario


class Registry:
    """Calls a snapshot of its callbacks outside the lock: one may run after ``unregister``."""

    is_safe = False

    def __init__(self, run: Run) -> None:
        self.lock = run.lock("registry")
        self.callbacks: list[Callable[[], None]] = []

    def unregister(self, callback: Callable[[], None]) -> None:
        with self.lock:
            self.callbacks.remove(callback)

    def dispatch(self) -> None:
        with self.lock:
            snapshot = tuple(self.callbacks)
            for callback in snapshot if self.is_safe else ():
                callback()
        for callback in () if self.is_safe else snapshot:
            callback()


class SafeRegistry(Registry):
    is_safe = True


def after_unregister(kind: type[Registry]) -> Callable[[Run], None]:
    def scenario(run: Run) -> None:
        registry = kind(run)
        gone: list[bool] = []

        def callback() -> None:
            expect(gone, [])

        def close() -> None:
            registry.unregister(callback)
            gone.append(True)

        registry.callbacks.append(callback)
        run.thread(registry.dispatch)
        run.thread(close)

    return scenario


class Counter:
    """Adds in two lines without a lock; no step of the plain kind separates them."""

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        value = self.value
        self.value = value + 1


def expect(met: object, wanted: object) -> None:
    assert met == wanted
