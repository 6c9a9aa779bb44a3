# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the program ends: its exit statuses, and the exceptions that carry them there.

They stand apart because every command ends by them and only ``main`` knows what follows.

Immutable.
"""

from typing import Final

__all__ = ["CONNECTION_FAILED", "FAILED", "TERMINATED", "UNREAD", "Fail", "OutputClosed"]

FAILED: Final = 1
"""A call failed, or fewer events came than were wanted."""

CONNECTION_FAILED: Final = 3
"""A hypervisor could not be opened."""

UNREAD: Final = 141
"""Whoever read our output went away; what a shell shows for a program that SIGPIPE ended."""

TERMINATED: Final = 143
"""SIGTERM; what a shell shows for a program that it ended."""


class Fail(Exception):  # noqa: N818  (it ends the program; it is no fault of the program's)
    """Ends the program with one line on standard error.

    Attributes:
        status: The exit status.
    """

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(" ".join(text.split()))
        self.status: Final = status


class OutputClosed(Exception):  # noqa: N818  (the same)
    """Ends the program because its output goes nowhere any more.

    Attributes:
        reason: Why, for standard error; "" when its reader went away, which is no fault.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason: Final = reason
