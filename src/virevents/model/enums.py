# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enumerations that carry libvirt's numbers on the wire and our words in text.

They stand apart because everything in ``model`` is built from them: ``int()`` of a member is
the number that libvirt's protocol and headers give it, ``str()`` is the word that a user types
and that JSON output holds.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_enums.py``:
    one_word    within an enumeration no two members share a word, and ``parse`` inverts ``str``
    no_surprise a number that an enumeration does not know is kept as an ``UnknownNumber``
"""

from enum import KEEP, IntEnum, IntFlag
from typing import Final, Self

from virevents.model.overriding import override

__all__ = ["UnknownNumber", "WireEnum", "WireFlag"]


def _word_of(name: str) -> str:
    return name.lower().replace("_", "-")


class UnknownNumber(int):
    """A number from a newer peer that our enumeration has no member for; its word is unknown-N."""

    __slots__ = ()

    @property
    def word(self) -> str:
        """The word for text and JSON, for example ``unknown-7``."""
        return f"unknown-{int(self)}"

    @override
    def __str__(self) -> str:
        """The word."""
        return self.word

    @override
    def __repr__(self) -> str:
        """Show the class and the number."""
        return f"UnknownNumber({int(self)})"

    @override
    def __format__(self, spec: str) -> str:
        """Format the word, as a string is formatted."""
        return format(self.word, spec)


class WireEnum(IntEnum):
    """An enumeration of libvirt's: ``int()`` is its number, ``str()`` is its word."""

    def __init__(self, _number: int) -> None:
        # Once, because encoding an event asks for it.
        self.word: Final = _word_of(self._name_)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Give the member whose word is *text*.

        Raises:
            ValueError: No member has this word; the message lists those there are.
        """
        for member in cls:
            if member.word == text:
                return member
        words = ", ".join(member.word for member in cls)
        message = f"{cls.__name__}: expected one of {words}; met {text!r}"
        raise ValueError(message)

    @classmethod
    def from_number(cls, number: int) -> Self | UnknownNumber:
        """Give the member with this number, or the number itself if a newer peer made it up."""
        try:
            return cls(number)
        except ValueError:
            return UnknownNumber(number)

    @override
    def __str__(self) -> str:
        """The word."""
        return self.word

    @override
    def __format__(self, spec: str) -> str:
        """Format the word, as a string is formatted (an ``IntEnum`` would show the number)."""
        return format(self.word, spec)


class WireFlag(IntFlag, boundary=KEEP):
    """A set of libvirt's flag bits; bits that no member names are kept."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the bits that are set, lowest first; ``unknown-N`` for a nameless rest."""
        named = [member for member in type(self) if member in self]
        rest = int(self) & ~int(sum(named))
        unknown = (UnknownNumber(rest).word,) if rest else ()
        return (*(_word_of(str(member.name)) for member in named), *unknown)

    @override
    def __str__(self) -> str:
        """The words, separated by commas."""
        return ",".join(self.words)

    @override
    def __format__(self, spec: str) -> str:
        """Format the words, as a string is formatted."""
        return format(str(self), spec)
