# SPDX-License-Identifier: LGPL-2.1-or-later
"""``aio.Domain``: a user's handle of a domain, where every call that may wait is a coroutine.

It stands apart from the asyncio connection, of which it needs one method only.

Locking: none here. Immutable.
"""

from collections.abc import Callable
from typing import Final, ParamSpec, Protocol, TypeVar

from virevents.connection.domain import Domain as ThreadedDomain
from virevents.model import StateAndReason

__all__ = ["Calls", "Domain"]

P = ParamSpec("P")
T = TypeVar("T")


class Calls(Protocol):
    """What makes calls that may wait; an asyncio connection."""

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run *function* on a thread that may wait."""
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

    async def state(self) -> StateAndReason:
        """Return its state and the reason of it."""
        return await self._connection.call(self._inner.state)

    async def xml(self, *, inactive: bool = False) -> str:
        """Return its definition as XML."""
        return await self._connection.call(self._inner.xml, inactive=inactive)

    async def start(self, *, paused: bool = False) -> None:
        """Start it; from its managed save when there is one."""
        await self._connection.call(self._inner.start, paused=paused)

    async def suspend(self) -> None:
        """Pause its processors; nothing happens when they are paused."""
        await self._connection.call(self._inner.suspend)

    async def resume(self) -> None:
        """Let it run again."""
        await self._connection.call(self._inner.resume)

    async def shutdown(self) -> None:
        """Ask the guest to power off."""
        await self._connection.call(self._inner.shutdown)

    async def reboot(self) -> None:
        """Ask the guest to reboot."""
        await self._connection.call(self._inner.reboot)

    async def reset(self) -> None:
        """Reset the machine, without asking the guest."""
        await self._connection.call(self._inner.reset)

    async def destroy(self) -> None:
        """Stop it now, without asking the guest."""
        await self._connection.call(self._inner.destroy)

    async def undefine(self) -> None:
        """Remove its definition."""
        await self._connection.call(self._inner.undefine)

    async def save(self, path: str) -> None:
        """Save its running state to the file *path* and stop it."""
        await self._connection.call(self._inner.save, path)

    async def managed_save(self) -> None:
        """Save its running state where the next start finds it, and stop it."""
        await self._connection.call(self._inner.managed_save)

    async def managed_save_remove(self) -> None:
        """Throw its managed save away."""
        await self._connection.call(self._inner.managed_save_remove)

    async def rename(self, name: str) -> None:
        """Give it another name; it must not run."""
        await self._connection.call(self._inner.rename, name)

    async def core_dump(self, path: str, *, crash: bool = False) -> None:
        """Write the guest's memory to the file *path*."""
        await self._connection.call(self._inner.core_dump, path, crash=crash)

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
