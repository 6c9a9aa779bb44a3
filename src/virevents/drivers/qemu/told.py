# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was last told of a running domain, kept where ``kill -9`` of this process does not reach.

It stands apart because who takes a domain up again must know which changes were told already, and
nobody may wait for a disk to note it: a change is made, noted and pushed under the domain's lock,
most of them on the loop thread. So the record is one word of a file that is mapped into memory.
A store is one aligned eight-byte write: a process that is killed leaves the old word or the new
one, never half of each, and the system keeps the page.

The word is stored *before* the event is pushed. Killed between the two, this process has told
nobody and nobody ever will be told; the other order would tell some of them twice.

What a power failure leaves is some earlier word. The notes are never taken back but for `REBOOT`,
so each that is there is true; the state may be out of date, which does not matter, for no QEMU
is left to compare it with (the status file has the boot's id).

Locking:
    A record belongs to one run; it is read and stored under the domain's lock. `create` and
    `open` block on the disk. The file is unlinked by whoever removes the run's other files.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_told.py``:
    survives       what was stored is there after ``kill -9`` of the process at any instruction
    whole          a reader sees a word that was stored, never a mixture of two
    never_faults   the file has its block before the first store: a full disk is an error of
                   `create`, not a signal later
    other_version  a word of a version that is not ours is told from one that says nothing
"""

import mmap
import os
from enum import IntFlag
from pathlib import Path
from typing import Final, NamedTuple, Self

from virevents.model import DomainState, NoStateReason, StateAndReason

__all__ = ["NOTHING_TOLD", "Note", "Told", "ToldRecord"]

# Fields of the word: version, state, reason (two bytes), notes (four bytes).
_VERSION: Final = 1
_STATE_AT: Final = 8
_REASON_AT: Final = 16
_NOTES_AT: Final = 32
_BYTE: Final = 0xFF
_TWO_BYTES: Final = 0xFFFF
_WORD_BYTES: Final = 8


class Note(IntFlag):
    """What else is to be known of a run; each is added, none but `REBOOT` is taken back."""

    NONE = 0
    STARTED = 1
    """Its start was told; without it a run that ends was never there."""
    STOPPED = 2
    """Its end was told: nothing more is to be said of it."""
    DESTROY = 4
    """A call asked for its destruction, which is its cause of end."""
    REBOOT = 8
    """A reboot is under way: the guest's next power-off is followed by a reset and a start."""
    SAVED = 16
    """A save has written all: its end is that of a saved domain."""
    POWERED_OFF = 32
    """It ended by its guest's power-off, which was not told yet."""
    CRASHED = 64
    """It ended by its guest's crash, which was not told yet."""


class Told(NamedTuple):
    """What was told.

    Attributes:
        state: The state that the last event left.
        notes: What else is to be known.
    """

    state: StateAndReason
    notes: Note


NOTHING_TOLD: Final = Told(StateAndReason(DomainState.NOSTATE, NoStateReason.UNKNOWN), Note.NONE)
"""What a new record says."""


class ToldRecord:
    """One run's record; made by `create`, `open` or `in_memory`.

    Args:
        memory: One word, mapped; closed with the record.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory: Final = memory
        self._word: memoryview | None = memoryview(memory).cast("Q")  # guarded by the domain's lock
        self._told = _decoded(self._word[0])  # guarded by the domain's lock

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file anew, private, and return the record of a run of which nothing was told.

        Raises:
            OSError: The disk refused.
        """
        path.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            # Written, not stretched: a store into a hole of a full disk is a deadly signal.
            os.write(descriptor, bytes(_WORD_BYTES))
            return cls(mmap.mmap(descriptor, _WORD_BYTES))
        finally:
            os.close(descriptor)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the record that is there.

        Raises:
            OSError: There is none, or it cannot be read.
            ValueError: It is too short, or of another version.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            memory = mmap.mmap(descriptor, _WORD_BYTES)
        finally:
            os.close(descriptor)
        return cls(memory)

    @classmethod
    def in_memory(cls) -> Self:
        """Return a record without a file, for a run that nobody takes up again."""
        return cls(mmap.mmap(-1, _WORD_BYTES))

    @property
    def told(self) -> Told:
        """What was last stored, also once it is closed."""
        return self._told

    def tell(self, state: StateAndReason) -> None:
        """Note that *state* is about to be told; the first time, that the start is."""
        self._store(Told(state, self._told.notes | Note.STARTED))

    def add(self, notes: Note) -> None:
        """Note *notes*, beside those that are there."""
        self._store(Told(self._told.state, self._told.notes | notes))

    def take_back(self, notes: Note) -> None:
        """Note that *notes* hold no longer."""
        self._store(Told(self._told.state, self._told.notes & ~notes))

    def close(self) -> None:
        """Unmap it; what is stored later goes nowhere. Idempotent."""
        if self._word is not None:
            self._word.release()
            self._word = None
            self._memory.close()

    def _store(self, told: Told) -> None:
        self._told = told
        if self._word is not None:
            # One machine store: a native item of a cast view is copied as the eight bytes it is.
            self._word[0] = _encoded(told)


def _encoded(told: Told) -> int:
    state, reason = told.state
    return (
        _VERSION
        | int(state) << _STATE_AT
        | (int(reason) & _TWO_BYTES) << _REASON_AT
        | int(told.notes) << _NOTES_AT
    )


def _decoded(word: int) -> Told:
    if word == 0:
        return NOTHING_TOLD
    if word & _BYTE != _VERSION:
        message = f"expected a record of version {_VERSION}, met version {word & _BYTE}"
        raise ValueError(message)
    state, reason = word >> _STATE_AT & _BYTE, word >> _REASON_AT & _TWO_BYTES
    return Told(StateAndReason.from_numbers(state, reason), Note(word >> _NOTES_AT))
