# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every class of facts that a definition can hold, found by going through the tables."""

from typing import Final

from virevents.definition import DomainDefinition
from virevents.definition.facts import Facts, Part, facts_of

__all__ = ["CLASSES"]


def _reached(cls: type[Facts]) -> list[type[Facts]]:
    found = [cls]
    for fact in facts_of(cls).values():
        if isinstance(fact, Part):
            for inner in fact.choices.values():
                found += _reached(inner)
    return found


CLASSES: Final = list(dict.fromkeys(_reached(DomainDefinition)))
