# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Loop``: what the rest of the library sees, offered by the shipping loop as it is declared."""

import inspect

import pytest

from virevents.loop import AsyncioLoop, Loop, LoopThread, Timer, Waker
from virevents.loop.asyncio_loop import _Timer, _Waker

_PAIRS: list[tuple[type[object], type[object]]] = [
    (Loop, AsyncioLoop),
    (Waker, _Waker),
    (Timer, _Timer),
]


@pytest.mark.parametrize(("declared", "made"), _PAIRS, ids=lambda kind: kind.__name__)
def test_the_shipping_loop_has_what_is_declared(declared: type[object], made: type[object]) -> None:
    names = [
        name
        for name, member in vars(declared).items()
        if inspect.isfunction(member) and (not name.startswith("_") or name == "__call__")
    ]
    assert names
    for name in names:
        wanted = inspect.signature(vars(declared)[name]).parameters
        assert list(inspect.signature(vars(made)[name]).parameters) == list(wanted)


def test_a_loop_thread_offers_it() -> None:
    thread = LoopThread("declared")
    loop: Loop = thread.loop
    waker: Waker = loop.make_waker(lambda: None)
    timer: Timer = loop.call_later(60.0, lambda: None)
    timer.cancel()
    waker.close()
    thread.start()
    assert thread.stop()
