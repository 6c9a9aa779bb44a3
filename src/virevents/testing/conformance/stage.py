# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stage on which the scenes of the conformance suite play: a connection, and what it told.

It stands apart from the scenes so that each of them reads as what it does.

Locking:
    none here; ``told`` is a stream, with one consumer: the test's own thread. ``in_threads``
    joins its threads before it returns.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from virevents.connection import Connection, Domain, open
from virevents.errors import DomainNotFoundError, StateError, UnsupportedError
from virevents.model import DomainState, Gap, LifecycleEvent
from virevents.testing.conformance.profile import Profile, Words

__all__ = [
    "PATIENCE",
    "STEPS",
    "Stage",
    "destroy_all",
    "in_threads",
    "opened",
    "stage",
    "uuid_of",
    "words_of",
]

PATIENCE: Final = 30.0
"""Seconds; only a failing test waits as long."""

# How the uuids of the suite's domains begin.
_UUIDS: Final = "7d5a3d2e-0c1f-4b6a-9a51-"


def uuid_of(name: str) -> str:
    """Make the uuid of the suite's domain *name*: another for every name."""
    return f"{_UUIDS}{name.encode().hex()[-12:]:0>12}"


def words_of(event: LifecycleEvent) -> str:
    """Write an event as profiles do."""
    return f"{event.event} {event.detail}"


class Stage:
    """An opened driver in the hands of a scene.

    Args:
        profile: The driver's profile.
        folder: The test's folder.
        connection: The connection.
    """

    def __init__(self, profile: Profile, folder: Path, connection: Connection) -> None:
        self.profile: Final = profile
        self.folder: Final = folder
        self.connection: Final = connection
        self.image: Final = str(folder / "image")
        self._stream: Final = connection.events()
        self._after: Final = connection.subscribe(words_of)

    def xml(self, name: str = "web1") -> str:
        """The definition of the domain *name*."""
        return self.profile.xml(self.folder, name, uuid_of(name))

    def define(self, name: str = "web1") -> Domain:
        """Define a domain."""
        return self.connection.define(self.xml(name))

    def domain(self, name: str = "web1") -> Domain:
        """Look a domain up."""
        return self.connection.lookup(name)

    def state(self, name: str = "web1") -> DomainState | None:
        """The domain's state; None when there is no such domain."""
        listed = {domain.name: domain for domain in self.connection.list()}
        return listed[name].state().state if name in listed else None

    def kill(self) -> None:
        """Kill the hypervisor's process of the domain."""
        assert self.profile.kill is not None, "the profile has no way to kill"
        self.profile.kill(self.domain())

    def take(self, count: int) -> list[LifecycleEvent]:
        """Take the next *count* events."""
        return [self._next() for _ in range(count)]

    def expect(self, *words: str) -> list[LifecycleEvent]:
        """Take the next events and see that they are *words*."""
        events = self.take(len(words))
        assert tuple(map(words_of, events)) == words
        return events

    def expect_only(self, told: Words) -> None:
        """Take the next events, see that they are *told*, and that no more was pushed by now."""
        self.expect(*told)
        # Put on after the stream, so a flush hands to the stream first.
        assert self._after.drain(PATIENCE), "what was pushed is not delivered"
        more = self._stream.get(0)
        assert more is None, f"told as well: {more}"

    def do(self, *steps: str) -> None:
        """Do *steps* one after the other, and take what each of them tells."""
        for step in steps:
            if step == "start" and self.profile.ready_event:
                self._start_and_be_ready()
            else:
                self.play(step)
            if step == "start" and "ready" in self.profile.cues:
                self.cue("ready")
            self.expect(*self.profile.told(step))

    def play(self, step: str) -> None:
        """Do *step*, the guest taking its part where the profile gives it one."""
        if step in self.profile.cues:
            self.cue(step)
        else:
            STEPS[step](self)

    def cue(self, step: str) -> None:
        """Do *step* as the profile says."""
        assert step in self.profile.cues, f"the profile has no cue {step!r}"
        self.profile.cues[step](self.domain())

    def start_and_let_go(self, bring_up: Callable[[Connection], object]) -> None:
        """Have a connection of its own bring the domain up, with autodestroy, and close."""
        with open(self.connection.uri) as owner:
            bring_up(owner)

    def _start_and_be_ready(self) -> None:
        ready = self.profile.ready_event
        with self.connection.events(event_id=ready, domain=self.domain()) as stream:
            self.domain().start()
            assert stream.get(PATIENCE) is not None, f"the guest did not tell {ready}"

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
        self._after.close()

    def _next(self) -> LifecycleEvent:
        item = self._stream.get(PATIENCE)
        assert item is not None, f"no event came within {PATIENCE:g} s"
        assert not isinstance(item, Gap), f"a gap where no event may be lost: {item}"
        return item


STEPS: Final[Mapping[str, Callable[[Stage], object]]] = {
    "define": lambda on: on.define(),
    "undefine": lambda on: on.domain().undefine(),
    "undefine_nvram": lambda on: on.domain().undefine(nvram="remove"),
    "undefine_managed_save": lambda on: on.domain().undefine(managed_save=True),
    "create": lambda on: on.connection.create(on.xml()),
    "create_paused": lambda on: on.connection.create(on.xml(), paused=True),
    "create_autodestroy": lambda on: on.start_and_let_go(
        lambda owner: owner.create(on.xml(), autodestroy=True)
    ),
    "start": lambda on: on.domain().start(),
    "start_paused": lambda on: on.domain().start(paused=True),
    "start_autodestroy": lambda on: on.start_and_let_go(
        lambda owner: owner.lookup("web1").start(autodestroy=True)
    ),
    "start_force_boot": lambda on: on.domain().start(force_boot=True),
    "suspend": lambda on: on.domain().suspend(),
    "resume": lambda on: on.domain().resume(),
    "shutdown": lambda on: on.domain().shutdown(),
    "shutdown_wait": lambda on: on.domain().shutdown(timeout=PATIENCE),
    "shutdown_force": lambda on: on.domain().shutdown(timeout=0, force=True),
    "reboot": lambda on: on.domain().reboot(),
    "reset": lambda on: on.domain().reset(),
    "destroy": lambda on: on.domain().destroy(),
    "destroy_graceful": lambda on: on.domain().destroy(graceful=True),
    "save": lambda on: on.domain().save(on.image),
    "save_paused": lambda on: on.domain().save(on.image, paused=True),
    "restore": lambda on: on.connection.restore(on.image),
    "restore_paused": lambda on: on.connection.restore(on.image, paused=True),
    "restore_running": lambda on: on.connection.restore(on.image, paused=False),
    "managed_save": lambda on: on.domain().managed_save(),
    "managed_save_paused": lambda on: on.domain().managed_save(paused=True),
    "managed_save_remove": lambda on: on.domain().managed_save_remove(),
    "rename": lambda on: on.domain().rename("web2"),
    "core_dump": lambda on: on.domain().core_dump(on.image),
    "core_dump_live": lambda on: on.domain().core_dump(on.image, mode="live"),
    "core_dump_crash": lambda on: on.domain().core_dump(on.image, mode="crash"),
    "core_dump_reset": lambda on: on.domain().core_dump(on.image, mode="reset"),
    "set_autostart": lambda on: on.domain().set_autostart(),
    "pm_suspend": lambda on: on.domain().pm_suspend(),
    "pm_wakeup": lambda on: on.domain().pm_wakeup(),
    "sleep": lambda on: on.play("pm_suspend"),
    "deaf": lambda on: on.cue("deaf"),
    "kill": lambda on: on.kill(),
}
"""What can be done on a stage, to the domain "web1"."""


@contextmanager
def stage(profile: Profile, folder: Path) -> Iterator[Stage]:
    """Open the driver; at the end, destroy what still runs there of the suite's and close it."""
    with opened(profile, folder) as connection:
        made = Stage(profile, folder, connection)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def opened(profile: Profile, folder: Path) -> Iterator[Connection]:
    """Open the driver; at the end, destroy what still runs there of the suite's and close it."""
    with open(profile.uri(folder)) as connection:
        try:
            yield connection
        finally:
            destroy_all(connection)


def destroy_all(connection: Connection) -> None:
    """Destroy the domains of the suite's that run: a driver may let them outlive it."""
    for domain in [] if connection.is_closed else connection.list(active=True):
        if domain.uuid.startswith(_UUIDS):
            with suppress(DomainNotFoundError, StateError, UnsupportedError):
                domain.destroy()


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
        thread.join(2 * PATIENCE)
    if raised:
        raise raised[0]
    assert not any(thread.is_alive() for thread in threads), "a thread did not end"
