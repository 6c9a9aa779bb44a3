# SPDX-License-Identifier: LGPL-2.1-or-later
"""A story: the steps that both sides go through, and the text in which it is told and replayed.

One step is one line: a verb, the domain's name, and words that are flags or ``key=value``::

    define web1 uuid=1 on_reboot=destroy
    start web1 paused autodestroy
    save web1 file=a running

Files and uuids are named by letter and number: each side has its own folder, and in the arm of
real QEMU its own uuids.

Immutable.
"""

from dataclasses import dataclass
from typing import Self

__all__ = ["Step", "Story", "read", "write"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        verb: What is done: a method of Connection or Domain, or what a guest or the host does.
        name: The domain's name; "" for a verb that has none.
        words: Flags, and ``key=value``.
    """

    verb: str
    name: str = ""
    words: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of a story."""
        verb, *words = line.split()
        name = words.pop(0) if words and "=" not in words[0] else ""
        return cls(verb, name, tuple(words))

    def __str__(self) -> str:
        """Write it as a line."""
        return " ".join(word for word in (self.verb, self.name, *self.words) if word)

    def has(self, flag: str) -> bool:
        """Tell whether a flag is among the words."""
        return flag in self.words

    def get(self, key: str, default: str = "") -> str:
        """Return the value of a key."""
        start = f"{key}="
        return next((w.removeprefix(start) for w in self.words if w.startswith(start)), default)

    def flags(self) -> list[str]:
        """Return the words that are no ``key=value``."""
        return [word for word in self.words if "=" not in word]


Story = tuple[Step, ...]


def read(text: str) -> Story:
    """Read a story; what follows a ``#`` is a remark."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(Step.parse(line) for line in lines if line)


def write(story: Story) -> str:
    """Write a story so that `read` gives it back."""
    return "".join(f"{step}\n" for step in story)
