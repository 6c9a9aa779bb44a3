# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's two syntaxes for options, each written so that no value can end itself.

It stands apart because this is the one place where text of a definition becomes part of an
argument: whoever builds an option gives keys of the code's own and values of anybody's.

- JSON, for what QEMU reads as JSON (``-device``, ``-blockdev``, ``-netdev``, ``-object``,
  ``-audiodev``): a value is a JSON value, there is nothing to escape twice.
- pairs, for the rest (``-chardev``, ``-name``, ``-vnc`` ...): ``first,key=value,...``, where QEMU
  ends a value at a single comma and reads a doubled one as a comma.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_options.py``:
    comes_back   what QEMU reads is what was given, whatever text it is
"""

import json
from collections.abc import Mapping

from virevents.errors import InternalError
from virevents.model import Json

__all__ = ["Pairs", "escaped", "in_json", "in_pairs"]


Pairs = Mapping[str, bool | int | str | None]
"""What an option says: its keys and their values; None stands for "do not say"."""


def in_json(option: str, facts: Mapping[str, Json]) -> list[str]:
    """*option* and its argument in JSON; what is None is left out."""
    told = {key: value for key, value in facts.items() if value is not None}
    # QEMU takes UTF-8 as it is; escapes would cost it surrogates to put together again.
    return [option, json.dumps(told, ensure_ascii=False, separators=(",", ":"))]


def in_pairs(option: str, first: str, pairs: Pairs | None = None) -> list[str]:
    """*option* and its argument as *first* and pairs; what is None is left out.

    Args:
        option: With its hyphen.
        first: The value that needs no key, "" for none. It must have no "=": QEMU would read
            what stands before it as a key.
        pairs: True and False are written "on" and "off".

    Raises:
        InternalError: The first value cannot be told without its key.
    """
    if "=" in first:
        raise InternalError(f"{option}: expected a first value without '=', met {first!r}")
    words = [escaped(first)] if first else []
    for key, value in (pairs or {}).items():
        if value is not None:
            words.append(f"{key}={escaped(_word(value))}")
    return [option, ",".join(words)]


def escaped(value: str) -> str:
    """*value* as one value among pairs: QEMU ends it at a single comma."""
    return value.replace(",", ",,")


def _word(value: bool | int | str) -> str:  # noqa: FBT001  (a value, whatever its type)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
