# SPDX-License-Identifier: LGPL-2.1-or-later
"""What users may write for an argument of a domain's operation: words, paths, seconds.

They stand apart from the operations because both faces take them, and because a wrong one is to
be told in the caller's terms, before a driver sees it.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/connection/test_arguments.py``:
    word_or_member   an enumeration's member and its word mean the same
    said_in_full     what is refused says what was expected, and what was met
    made_absolute    a path means the caller's folder, not the hypervisor's
"""

import math
import os
from enum import Enum
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from virevents.drivers import CoreDumpMode, NvramFate, SleepMode, StartMode
from virevents.errors import InvalidArgumentError

__all__ = [
    "DumpMode",
    "FilePath",
    "Nvram",
    "Sleep",
    "absolute_path",
    "dump_mode",
    "nvram_fate",
    "shutdown_timeout",
    "sleep_mode",
    "start_mode",
]

DumpMode: TypeAlias = CoreDumpMode | Literal["pause", "live", "crash", "reset"]
"""What becomes of a domain whose memory is dumped, as a member or its word."""

Sleep: TypeAlias = SleepMode | Literal["memory", "disk", "hybrid"]
"""Into which sleep a guest is sent, as a member or its word."""

Nvram: TypeAlias = NvramFate | Literal["keep", "remove"]
"""What becomes of the firmware's variables, as a member or its word."""

FilePath: TypeAlias = str | os.PathLike[str]
"""A file on the hypervisor's host."""

T = TypeVar("T", bound=Enum)


def start_mode(paused: bool | None) -> StartMode:  # noqa: FBT001  (its three values are the point)
    """Return in which state a domain is to be: None as it was saved."""
    if paused is None:
        return StartMode.DEFAULT
    return StartMode.PAUSED if paused else StartMode.RUNNING


def dump_mode(word: DumpMode) -> CoreDumpMode:
    """Return the member that *word* is or names."""
    return _member(CoreDumpMode, word, "mode")


def sleep_mode(word: Sleep) -> SleepMode:
    """Return the member that *word* is or names."""
    return _member(SleepMode, word, "mode")


def nvram_fate(word: Nvram | None) -> NvramFate | None:
    """Return the member that *word* is or names; None stays None."""
    return None if word is None else _member(NvramFate, word, "nvram")


def absolute_path(path: FilePath) -> str:
    """Return *path* as the hypervisor, who is in another folder, must be told it.

    Raises:
        InvalidArgumentError: It names no file.
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise InvalidArgumentError(f"path: expected the name of a file, met {text!r}")
    return str(Path(text).absolute())  # ".." is left alone: it may lie behind a link


def shutdown_timeout(timeout: float | None, *, force: bool) -> float | None:
    """Return *timeout* if it can be waited for.

    Raises:
        InvalidArgumentError: It is no length of time, or *force* has none to wait for.
    """
    if timeout is None:
        if force:
            raise InvalidArgumentError(
                "force: expected a timeout beside it, after which the domain is destroyed; "
                "met none (destroy() does it at once)"
            )
        return None
    if not math.isfinite(timeout) or timeout < 0:
        raise InvalidArgumentError(f"timeout: expected seconds, 0 or more, met {timeout!r}")
    return timeout


def _member(kind: type[T], word: T | str, argument: str) -> T:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise InvalidArgumentError(f"{argument}: expected one of {known}, met {word!r}") from None
