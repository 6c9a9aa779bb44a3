# SPDX-License-Identifier: LGPL-2.1-or-later
"""The words for where a callback is to run."""

import asyncio

import pytest

import virevents
from virevents.connection.deliveries import make_delivery
from virevents.dispatch import AsyncioDelivery, Callback, DirectDelivery, Filter, Strand
from virevents.errors import InvalidArgumentError


def test_each_word_makes_its_delivery(conn: virevents.Connection) -> None:
    machinery = conn._machinery
    callback = Callback(print, Filter())
    strand = make_delivery(callback, "isolated", 10, machinery)
    assert isinstance(strand, Strand)
    strand.end(callback)
    assert isinstance(make_delivery(callback, "direct", 10, machinery), DirectDelivery)
    loop = asyncio.new_event_loop()
    try:
        assert isinstance(make_delivery(callback, loop, 10, machinery), AsyncioDelivery)
    finally:
        loop.close()


def test_another_word_is_refused(conn: virevents.Connection) -> None:
    with pytest.raises(InvalidArgumentError, match=r"delivery: expected 'isolated'.* met 'later'"):
        make_delivery(Callback(print, Filter()), "later", 10, conn._machinery)  # type: ignore[arg-type]
