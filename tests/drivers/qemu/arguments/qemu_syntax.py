# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's reading of its own options: the other side of what the driver writes."""

import json

from virevents.model import Json


def read_pairs(text: str) -> tuple[str, dict[str, str]]:
    """Split ``first,key=value,...`` as QEMU's parser does: a doubled comma is a comma.

    The first word, "" if there is none, is one that has no "=" before its comma.
    """
    words, word, at = [], "", 0
    while at < len(text):
        if text[at] == ",":
            if text[at + 1 : at + 2] == ",":
                word, at = word + ",", at + 2
                continue
            words.append(word)
            word, at = "", at + 1
            continue
        word, at = word + text[at], at + 1
    words.append(word)
    first = "" if "=" in words[0] else words.pop(0)
    pairs = dict(word.partition("=")[::2] for word in words)
    return first, pairs


def read_json(text: str) -> dict[str, Json]:
    """Read what begins with a brace as QEMU does: whole, or not at all."""
    read: dict[str, Json] = json.loads(text)
    assert isinstance(read, dict)
    return read
