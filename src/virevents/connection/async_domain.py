# SPDX-License-Identifier: LGPL-2.1-or-later
"""``aio.Domain``: a user's handle of a domain, where every call that may wait is a coroutine.

It stands apart from the asyncio connection, of which it needs two methods only.

Locking: none here. Immutable.

Invariants, each with a test of its name in ``tests/connection/test_async_domain.py``:
    no_thread_held   who waits for guests to power off keeps no thread from other calls
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, ParamSpec, Protocol, TypeVar

from virevents.connection.arguments import (
    DumpMode,
    FilePath,
    Nvram,
    Sleep,
    shutdown_timeout,
)
from virevents.connection.domain import Domain as ThreadedDomain
from virevents.drivers import CoreDumpMode, SleepMode
from virevents.errors import (
    DomainNotFoundError,
    ExpectTimeout,
    OperationTimeoutError,
    StateError,
)
from virevents.model import Lifecycle, StateAndReason

__all__ = ["Calls", "Domain"]

P = ParamSpec("P")
T = TypeVar("T")


class Calls(Protocol):
    """What makes calls that may wait; an asyncio connection."""

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run *function* on a thread that may wait."""
        ...

    def expect(
        self, domain: "Domain", event: Lifecycle | str, *, timeout: float
    ) -> AbstractAsyncContextManager[object]:
        """Listen for an event while a block runs, and wait for it at its end."""
        ...


class Domain:
    """A handle of one domain, for asyncio. See ``virevents.Domain``."""

    __slots__ = ("_connection", "_inner")

    def __init__(self, connection: Calls, inner: ThreadedDomain) -> None:
        self._connection: Final = connection
        self._inner: Final = inner

    @property
    def uuid(self) -> str:
        """Its uuid."""
        return self._inner.uuid

    @property
    def name(self) -> str:
        """Its name now; the last one known when it has gone."""
        return self._inner.name

    @property
    def id(self) -> int:
        """Its id now: positive while it runs, else -1."""
        return self._inner.id

    @property
    def is_active(self) -> bool:
        """Whether it runs (a paused one does)."""
        return self._inner.is_active

    @property
    def is_persistent(self) -> bool:
        """Whether it stays when it stops."""
        return self._inner.is_persistent

    @property
    def has_managed_save(self) -> bool:
        """Whether the next start restores a saved state."""
        return self._inner.has_managed_save

    @property
    def is_autostarted(self) -> bool:
        """Whether it is started when its driver is first opened after the host's boot."""
        return self._inner.is_autostarted

    async def state(self) -> StateAndReason:
        """Return its state and the reason of it."""
        return await self._connection.call(self._inner.state)

    async def xml(self, *, inactive: bool = False) -> str:
        """Return its definition as XML."""
        return await self._connection.call(self._inner.xml, inactive=inactive)

    async def start(
        self, *, paused: bool = False, force_boot: bool = False, autodestroy: bool = False
    ) -> None:
        """Start it; from its managed save when there is one."""
        await self._connection.call(
            self._inner.start, paused=paused, force_boot=force_boot, autodestroy=autodestroy
        )

    async def suspend(self) -> None:
        """Pause its processors; nothing happens when they are paused."""
        await self._connection.call(self._inner.suspend)

    async def resume(self) -> None:
        """Let it run again."""
        await self._connection.call(self._inner.resume)

    async def shutdown(self, *, timeout: float | None = None, force: bool = False) -> None:
        """Ask the guest to power off; with *timeout*, wait for it."""
        seconds = shutdown_timeout(timeout, force=force)
        if seconds is None:
            await self._connection.call(self._inner.shutdown)
            return
        try:
            # Here and not in the driver: many that wait would leave no thread for other calls.
            async with self._connection.expect(self, "stopped", timeout=seconds):
                await self._connection.call(self._inner.shutdown)
        except ExpectTimeout:
            if not force:
                raise OperationTimeoutError(
                    f"domain {self.name} did not shut down within {seconds:g} s"
                ) from None
            with suppress(StateError, DomainNotFoundError):  # it has got so far meanwhile
                await self.destroy()

    async def reboot(self) -> None:
        """Ask the guest to reboot."""
        await self._connection.call(self._inner.reboot)

    async def reset(self) -> None:
        """Reset the machine, without asking the guest."""
        await self._connection.call(self._inner.reset)

    async def destroy(self, *, graceful: bool = False) -> None:
        """Stop it now, without asking the guest."""
        await self._connection.call(self._inner.destroy, graceful=graceful)

    async def undefine(self, *, managed_save: bool = False, nvram: Nvram | None = None) -> None:
        """Remove its definition."""
        await self._connection.call(self._inner.undefine, managed_save=managed_save, nvram=nvram)

    async def save(self, path: FilePath, *, paused: bool | None = None) -> None:
        """Save its running state to the file *path* and stop it."""
        await self._connection.call(self._inner.save, path, paused=paused)

    async def managed_save(self, *, paused: bool | None = None) -> None:
        """Save its running state where the next start finds it, and stop it."""
        await self._connection.call(self._inner.managed_save, paused=paused)

    async def managed_save_remove(self) -> None:
        """Throw its managed save away."""
        await self._connection.call(self._inner.managed_save_remove)

    async def rename(self, name: str) -> None:
        """Give it another name; it must not run."""
        await self._connection.call(self._inner.rename, name)

    async def core_dump(self, path: FilePath, *, mode: DumpMode = CoreDumpMode.PAUSE) -> None:
        """Write the guest's memory to the file *path*."""
        await self._connection.call(self._inner.core_dump, path, mode=mode)

    async def set_autostart(self, *, on: bool = True) -> None:
        """Have it started when its driver is first opened after the host's boot."""
        await self._connection.call(self._inner.set_autostart, on=on)

    async def pm_suspend(self, mode: Sleep = SleepMode.MEMORY) -> None:
        """Ask the guest, by its agent, to go to sleep."""
        await self._connection.call(self._inner.pm_suspend, mode)

    async def pm_wakeup(self) -> None:
        """Wake the guest that sleeps."""
        await self._connection.call(self._inner.pm_wakeup)

    def __eq__(self, other: object) -> bool:
        """Two handles of one domain on one connection are equal."""
        if not isinstance(other, Domain):
            return NotImplemented
        return self._inner == other._inner

    def __hash__(self) -> int:
        """Hash by the uuid."""
        return hash(self._inner)

    def __repr__(self) -> str:
        """Name it."""
        return f"<aio {self._inner!r}>"
