# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors that wake: ``SystemDoorbell`` for idle workers, ``WakeDescriptor`` for a loop.

They stand apart as the one place that knows about eventfd and its stand-in, a socketpair. An
eventfd wakes a thread in 3 to 6 us on every build, free-threaded ones included, where lock-based
wake-ups take up to 100 us there (``docs/adr``).

Locking: none; the kernel's objects are safe from any thread. Ringing never blocks and its
failure does not raise, so it may be done while holding a leaf lock, or by a finalizer. A
descriptor's number is given back by the finalizer of ``_Descriptor``, when the last thread that
was about to write to it has let go of it, so that no late ring can hit a stranger's file.

Invariants, each with a test of its name in ``tests/sync/test_doorbell.py``:
    rings_count      n rings let n waits pass, whether they came before or after
    late_ring        a ring after close does nothing, whoever has the number by then
    no_eventfd       everything works where ``os.eventfd`` does not exist
"""

import os
import socket
from typing import Protocol

__all__ = ["Doorbell", "SystemDoorbell", "WakeDescriptor", "WakeSignal"]


class Doorbell(Protocol):
    """A counting bell: each ring lets one wait pass."""

    def ring(self, count: int = 1) -> None:
        """Let *count* waits pass; never blocks, never raises."""
        ...

    def wait(self) -> None:
        """Wait for one ring."""
        ...

    def close(self) -> None:
        """Give back the descriptors once nobody uses them. Idempotent."""
        ...


class WakeSignal(Protocol):
    """What wakes a loop that watches descriptors: set by any thread, cleared by the loop's."""

    def fileno(self) -> int:
        """Return the descriptor to watch for reading, or -1 when it is closed."""
        ...

    def signal(self) -> None:
        """Make it readable; never blocks, never raises."""
        ...

    def clear(self) -> None:
        """Make it unreadable until the next signal; never blocks, never raises."""
        ...

    def close(self) -> None:
        """Give back the descriptors once nobody uses them. Idempotent."""
        ...


class _Descriptor:
    """One eventfd, or a socketpair; closed when nobody refers to it any more."""

    def __init__(self, *, is_semaphore: bool) -> None:
        self._fd = -1  # set here, closed by the finalizer
        self._pair: tuple[socket.socket, socket.socket] | None = None  # likewise
        if hasattr(os, "eventfd"):
            kind = os.EFD_SEMAPHORE if is_semaphore else os.EFD_NONBLOCK
            self._fd = os.eventfd(0, os.EFD_CLOEXEC | kind)
        else:
            self._pair = socket.socketpair()
            self._pair[0].settimeout(0)
            self._pair[1].settimeout(None if is_semaphore else 0)

    def fileno(self) -> int:
        return self._fd if self._pair is None else self._pair[1].fileno()

    def write(self, count: int) -> None:
        # On the path of every event: suppress() would cost as much as the system call.
        try:
            if self._pair is None:
                os.eventfd_write(self._fd, count)
            else:
                self._pair[0].send(bytes(count))
        except OSError:  # full is as good as written
            pass

    def read(self, size: int) -> None:
        try:
            if self._pair is None:
                os.eventfd_read(self._fd)
            else:
                self._pair[1].recv(size)
        except OSError:  # empty, where it does not block
            pass

    def __del__(self) -> None:
        if self._pair is not None:
            for end in self._pair:
                end.close()
        elif self._fd >= 0:
            os.close(self._fd)


class SystemDoorbell:
    """A doorbell on an eventfd in semaphore mode, or on a socketpair; safe from any thread."""

    def __init__(self) -> None:
        # one way: to None, read without
        self._descriptor: _Descriptor | None = _Descriptor(is_semaphore=True)

    def ring(self, count: int = 1) -> None:
        """Let *count* waits pass; never blocks, never raises."""
        descriptor = self._descriptor
        if descriptor is not None:
            descriptor.write(count)

    def wait(self) -> None:
        """Wait for one ring; return at once when the bell is closed."""
        descriptor = self._descriptor
        if descriptor is not None:
            descriptor.read(1)

    def close(self) -> None:
        """Give back the descriptors once nobody uses them. Idempotent."""
        self._descriptor = None


class WakeDescriptor:
    """A descriptor that becomes readable when signalled, for a loop to watch.

    ``signal`` may be called by any thread, by a signal handler and by a finalizer; the rest
    belongs to the loop thread.
    """

    def __init__(self) -> None:
        # one way: to None, read without
        self._descriptor: _Descriptor | None = _Descriptor(is_semaphore=False)

    def fileno(self) -> int:
        """Return the descriptor to watch for reading, or -1 when it is closed."""
        descriptor = self._descriptor
        return -1 if descriptor is None else descriptor.fileno()

    def signal(self) -> None:
        """Make it readable; never blocks, never raises."""
        descriptor = self._descriptor
        if descriptor is not None:
            descriptor.write(1)

    def clear(self) -> None:
        """Make it unreadable until the next signal; never blocks, never raises."""
        descriptor = self._descriptor
        if descriptor is not None:
            descriptor.read(4096)

    def close(self) -> None:
        """Give back the descriptors once nobody uses them. Idempotent."""
        self._descriptor = None
