# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kinds of values: what one attribute or text of the XML may say, and what it says in Python.

They stand apart because every fact of every device has one of these few; a new fact is a line
in a dataclass that names its kind. A kind reads text, writes it, and checks a value that came
from Python, so that a definition has one set of rules wherever it was made.

Immutable.

Invariants, each with a test of its name in ``tests/definition/test_kinds.py``:
    round_trip    what a kind writes, it reads back equal
    same_rules    what a kind reads passes its own check
    no_controls   no kind lets a control character or what XML cannot hold pass
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

from virevents.definition.memory import DEFAULT_UNIT, to_kib
from virevents.model import canonical_uuid

__all__ = [
    "LINES",
    "MAC",
    "MEMORY_KIB",
    "MEMORY_KIB_MAX",
    "NAME",
    "NUMBER",
    "ON_OFF",
    "OPTIONAL_PATH",
    "OWN_ALIAS",
    "PATH",
    "POSITIVE",
    "TEXT",
    "TEXT_MAX",
    "UUID",
    "WORD",
    "YES_NO",
    "Hexadecimal",
    "Kind",
    "Memory",
    "Number",
    "Only",
    "Pattern",
    "Switch",
    "Text",
    "UnsupportedWordError",
    "Words",
    "check_name",
]

MEMORY_KIB_MAX: Final = (2**63 - 1) // 1024
"""As many bytes as libvirt's wire and headers can count."""

TEXT_MAX: Final = 64 * 1024
"""The most characters of one value."""

_DIGITS_MAX: Final = 20  # of 2**64 - 1; Python's own conversion takes quadratic time
_SHOWN: Final = 40  # characters of a wrong value that an error repeats
# What XML 1.0 cannot hold, and control characters, which no name, path or log line should.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_UNFIT_LINES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class UnsupportedWordError(ValueError):
    """A word that is none of those known here, where libvirt calls that unsupported (67)."""


class Kind(Protocol):
    """What a value may be; every method raises ValueError for what it may not be."""

    @property
    def says(self) -> str:
        """What is allowed, in words for the table of the manual."""
        ...

    def read(self, text: str) -> object:
        """The value that *text* states; None if it is as good as not stated."""
        ...

    def write(self, value: object) -> str:
        """The text that states *value*, before escaping."""
        ...

    def check(self, value: object) -> None:
        """Refuse a value that no text of this kind states."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """One of the words of an enumeration.

    Attributes:
        words: The enumeration.
        is_refusal: Another word is no fault in the XML (27), but asks for what there is not (67):
            libvirt tells the two apart, word by word.
    """

    words: type[StrEnum]
    is_refusal: bool = False

    @property
    def says(self) -> str:
        """The words."""
        return ", ".join(f"`{word}`" for word in self.words)

    def read(self, text: str) -> StrEnum:
        """The word."""
        stripped = text.strip()
        try:
            return self.words(stripped)
        except ValueError:
            text = f"expected one of {', '.join(self.words)}; met {stripped[:_SHOWN]!r}"
            raise (UnsupportedWordError if self.is_refusal else ValueError)(text) from None

    def write(self, value: object) -> str:
        """Itself."""
        return str(value)

    def check(self, value: object) -> None:
        """It is a member, not text that happens to be equal."""
        if not isinstance(value, self.words):
            raise ValueError(f"expected one of {', '.join(self.words)}; met {value!r}")  # noqa: TRY004


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number in decimal digits."""

    least: int
    most: int

    @property
    def says(self) -> str:
        """The range."""
        return f"{self.least} to {self.most}"

    def read(self, text: str) -> int:
        """The number."""
        stripped = text.strip()
        digits = stripped.removeprefix("-") if self.least < 0 else stripped
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
            raise ValueError(f"expected a whole number in decimal digits, met {text[:_SHOWN]!r}")
        number = int(stripped)
        self.check(number)
        return number

    def write(self, value: object) -> str:
        """Decimal digits."""
        return str(value)

    def check(self, value: object) -> None:
        """It is in the range."""
        if not isinstance(value, int) or isinstance(value, bool | IntEnum):
            raise ValueError(f"expected a whole number, met {value!r}")  # noqa: TRY004
        if not self.least <= value <= self.most:
            raise ValueError(f"expected a number from {self.least} to {self.most}, met {value}")


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """A whole number that is written ``0x..``; decimal digits are read, too."""

    most: int
    width: int

    @property
    def says(self) -> str:
        """The range."""
        return f"0x{0:0{self.width}x} to 0x{self.most:0{self.width}x}"

    def read(self, text: str) -> int:
        """The number; digits after a leading zero are no decimal ones (C reads them as octal)."""
        stripped = text.strip()
        met = re.fullmatch(r"0[xX]([0-9A-Fa-f]{1,16})|(0|[1-9][0-9]{0,9})", stripped, re.ASCII)
        if met is None:
            raise ValueError(f"expected a number as 0x1f or 31, met {stripped[:_SHOWN]!r}")
        number = int(met[1], 16) if met[1] else int(met[2])
        self.check(number)
        return number

    def write(self, value: object) -> str:
        """As libvirt writes it."""
        return f"0x{value:0{self.width}x}"

    def check(self, value: object) -> None:
        """It is in the range."""
        Number(0, self.most).check(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """Yes or no, in two words."""

    yes: str
    no: str

    @property
    def says(self) -> str:
        """The two words."""
        return f"`{self.yes}`, `{self.no}`"

    def read(self, text: str) -> bool:
        """True for the first word."""
        stripped = text.strip()
        if stripped not in {self.yes, self.no}:
            raise ValueError(f"expected {self.yes} or {self.no}, met {stripped[:_SHOWN]!r}")
        return stripped == self.yes

    def write(self, value: object) -> str:
        """The word."""
        return self.yes if value else self.no

    def check(self, value: object) -> None:
        """It is a bool."""
        if not isinstance(value, bool):
            raise ValueError(f"expected True or False, met {value!r}")  # noqa: TRY004


@dataclass(frozen=True, slots=True)
class Text:
    """Text without control characters, kept to the letter.

    Attributes:
        says: What is allowed, in words.
        rule: What else is asked of it; raises ValueError. None if nothing.
        folds: What text is made into on reading; None if nothing.
        is_long: Ends of lines and tabs are allowed, too.
        expression: What the whole of it fits, as a regular expression; "" if none is needed.
    """

    says: str
    rule: Callable[[str], object] | None = None
    folds: Callable[[str], str | None] | None = None
    is_long: bool = False
    expression: str = ""

    def read(self, text: str) -> str | None:
        """The text itself, or what it is folded to."""
        value = text if self.folds is None else self.folds(text)
        if value is not None:
            self.check(value)
        return value

    def write(self, value: object) -> str:
        """Itself."""
        return str(value)

    def check(self, value: object) -> None:
        """It is short enough, fit for XML, and obeys the rule."""
        if not isinstance(value, str):
            raise ValueError(f"expected text, met {value!r}")  # noqa: TRY004
        if len(value) > TEXT_MAX:
            raise ValueError(f"expected at most {TEXT_MAX} characters, met {len(value)}")
        if self.rule is not None:
            self.rule(value)
        if (_UNFIT_LINES if self.is_long else _UNFIT).search(value):
            raise ValueError(f"expected text without control characters, met {value[:_SHOWN]!r}")


def Pattern(says: str, expression: str) -> Text:  # noqa: N802  (it is used as the kinds are)
    """Text, without blanks around it, that as a whole fits a regular expression."""
    compiled = re.compile(expression, re.ASCII)

    def rule(text: str) -> None:
        if not compiled.fullmatch(text):
            raise ValueError(f"expected {says}, met {text[:_SHOWN]!r}")

    return Text(says, rule, str.strip, expression=expression)


def Only(*words: str) -> Text:  # noqa: N802  (it is used as the kinds are)
    """One of a few words that no enumeration is needed for."""
    says = ", ".join(f"`{word}`" for word in words)
    return Pattern(says, "|".join(re.escape(word) for word in words))


@dataclass(frozen=True, slots=True)
class Memory:
    """A size of memory in KiB; the text's unit stands in an attribute of its own."""

    most: int = MEMORY_KIB_MAX

    @property
    def says(self) -> str:
        """The range."""
        return "a size; attribute `unit`: `b`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, ..."

    def read(self, text: str) -> int:
        """The size in the unit that holds where none is named; it may be too large or 0."""
        return self.read_with_unit(text, DEFAULT_UNIT)

    def read_with_unit(self, text: str, unit: str) -> int:
        """The size in KiB, rounded up; it may be too large or 0."""
        number = Number(0, 2**64 - 1).read(text)
        return to_kib(number, unit or DEFAULT_UNIT)  # libvirt takes unit='' so, too

    def write(self, value: object) -> str:
        """A number of KiB."""
        return str(value)

    def check(self, value: object) -> None:
        """It is in the range."""
        Number(1, self.most).check(value)


def check_name(name: str) -> str:
    """Give *name* back if a domain may have it.

    It must have a character that is not a blank, none that is a slash or a control character,
    and must not be ``.`` or ``..``: drivers name files after domains.

    Raises:
        ValueError: It may not.
    """
    if not name.strip():
        raise ValueError(f"expected a domain name, met {name!r}")
    if name in {".", ".."} or "/" in name:
        raise ValueError(f"expected a domain name without '/', and not '.' or '..', met {name!r}")
    if _UNFIT.search(name):
        raise ValueError(f"expected text without control characters, met {name!r}")
    return name


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise ValueError(f"expected an absolute path, met {path[:_SHOWN]!r}")


def _check_uuid(uuid: str) -> None:
    if canonical_uuid(uuid) != uuid:
        raise ValueError(f"expected a uuid in lower case with hyphens, met {uuid!r}")


def _own_alias(text: str) -> str | None:
    """A user's own alias begins with ``ua-``; any other was given by a hypervisor that ran it."""
    stripped = text.strip()
    return stripped if stripped.startswith("ua-") else None


def _lower(text: str) -> str:
    return text.strip().lower()


# Such a word can stand in any option of a hypervisor without ending it (no comma, no blank).
WORD: Final = Pattern("a word of letters, digits and '_.+-'", r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
TEXT: Final = Text("text")
NAME: Final = Text("a name without `/`", check_name, lambda text: text if text.strip() else None)
PATH: Final = Text("an absolute path", _check_path)
UUID: Final = Text("a uuid", _check_uuid, lambda text: canonical_uuid(text.strip()))
OPTIONAL_PATH: Final = Text(
    "an absolute path, or nothing", _check_path, lambda text: text if text.strip() else None
)
LINES: Final = Text("text, of several lines if need be", is_long=True)
MAC: Final = Text(
    "the address of one card, as `52:54:00:12:34:56`",
    # The lowest bit of the first byte marks the address of a group.
    Pattern(
        "the address of one card, as 52:54:00:12:34:56",
        "[0-9a-f][02468ace](:[0-9a-f]{2}){5}",
    ).rule,
    _lower,
)
OWN_ALIAS: Final = Text(
    "`ua-` and a word; any other was told by a hypervisor and is read as none",
    Pattern("'ua-' and a word", r"ua-[A-Za-z0-9_-]{1,60}").rule,
    _own_alias,
)
MEMORY_KIB: Final = Memory()
NUMBER: Final = Number(0, 2**31 - 1)
POSITIVE: Final = Number(1, 2**31 - 1)
YES_NO: Final = Switch("yes", "no")
ON_OFF: Final = Switch("on", "off")
