# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the tables of ``docs/domain_xml.md`` equal to the tables that the parser obeys.

This tool writes them; with ``--check`` it writes nothing and fails when they are stale.
"""

import sys
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.marked_page import keep
from virevents.definition import DomainDefinition
from virevents.definition.addresses import ADDRESSES
from virevents.definition.devices import Device
from virevents.definition.facts import Facts, Leaf, Part, facts_of

_HEAD: Final = ["| where | what it may be | if absent | what it is for |", "|---|---|---|---|"]
_MUST: Final = "**an error**"
_ADDRESS: Final = "[an address](#address)"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    where: str
    may_be: str
    absent: str
    says: str

    def __str__(self) -> str:
        cells = [self.where, self.may_be, self.absent, self.says]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def rows_of(cls: type[Facts], condition: str = "") -> Iterator[Row]:
    """The facts of one class; those of an inline choice with the word that chooses them."""
    shared = {each.name for each in fields(Device)}
    for each in fields(cls):
        fact = facts_of(cls)[each.name]
        if issubclass(cls, Device) and each.name in shared:
            continue
        absent = "made up" if each.name in cls.MADE_UP else _absent(each.default, fact)
        if each.name in cls.MUST:
            absent = _MUST
        where = f"{condition}`{fact.place}`"
        if isinstance(fact, Leaf):
            may_be = "there or not" if fact.kind is None else fact.kind.says
            yield Row(where, _plain(may_be), absent, _plain(fact.says))
        elif fact.key:
            yield from _choice(fact, absent)


def _choice(fact: Part, absent: str) -> Iterator[Row]:
    place = fact.place.removeprefix(".")
    if _is_section(fact):
        return
    words = ", ".join(f"`{word}`" for word in fact.choices)
    yield Row(f"`{place}{fact.key}`", words, absent, _plain(fact.says))
    for word, cls in fact.choices.items():
        for row in rows_of(cls, f"`{fact.key[1:]}='{word}'`: "):
            yield replace(row, where=_within(place, row.where)) if place else row


def _within(place: str, where: str) -> str:
    """*where*, said from the element that *place* is in."""
    return where.replace(": `.`", f": `{place}`").replace(": `@", f": `{place}@")


def _absent(default: object, fact: Leaf | Part) -> str:
    if default is MISSING:
        return _MUST
    if isinstance(fact, Part):
        word = next((word for word, cls in fact.choices.items() if type(default) is cls), "")
        return f"`{word}`" if word else ""
    if default is None or fact.kind is None or default == ():
        return ""
    return f"`{fact.kind.write(default)}`"


def _plain(text: str) -> str:
    """What a page shows as it is: angle brackets are no markup."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _is_section(fact: Part) -> bool:
    """It is told in a section of its own."""
    return fact.is_many or not fact.key or fact.choices == ADDRESSES


def sections(cls: type[Facts], path: str) -> Iterator[str]:
    """The table of one class, then those of what it holds."""
    rows = list(rows_of(cls))
    if rows:
        yield "\n".join([*_HEAD, *map(str, rows)])
    if issubclass(cls, Device):
        yield f"It may have `alias@name`, the user's own name for it (`ua-...`), and {_ADDRESS}."
    told = [place for place in cls.TOLD if place.count("backingStore") < 2]  # noqa: PLR2004
    if told:
        places = ", ".join(f"`{place}`" for place in told)
        yield f"A running domain's XML tells, and it is no part of the definition: {places}."
    for fact in facts_of(cls).values():
        if isinstance(fact, Part) and _is_section(fact) and fact.choices != ADDRESSES:
            yield from _section(fact, path)


def _section(fact: Part, path: str) -> Iterator[str]:
    place = f"{path}/{fact.place}" if path else fact.place
    for word, cls in fact.choices.items():
        chosen = f" {fact.key[1:]}='{word}'" if word else ""
        last = place.rpartition("/")[2]
        within = place.removesuffix(last).strip("/")
        yield f"## `<{last}{chosen}>`" + (f" in `{within}`" if within else "")
        many = ", any number of times" if fact.is_many and "at most" not in fact.says else ""
        yield _plain(fact.says[0].upper() + fact.says[1:]) + many + "."
        yield from sections(cls, place)


def tables() -> str:
    """All tables, as Markdown."""
    parts = ["## `<domain>`", *sections(DomainDefinition, ""), "## `<address>`"]
    parts.append(
        '<a id="address"></a>Where a device sits. None is made up: QEMU finds a free place.'
    )
    address = Part(place="", choices=ADDRESSES, key="@type", is_many=False, says="what kind it is")
    parts.append("\n".join([*_HEAD, *map(str, _address_rows(address))]))
    return "\n\n".join(parts)


def _address_rows(fact: Part) -> Iterator[Row]:
    words = ", ".join(f"`{word}`" for word in fact.choices)
    yield Row(f"`{fact.key}`", words, _MUST, fact.says)
    for word, cls in fact.choices.items():
        yield from rows_of(cls, f"`type='{word}'`: ")


if __name__ == "__main__":
    sys.exit(keep("domain_xml.md", {"tables": f"\n{tables()}\n"}))
