# SPDX-License-Identifier: LGPL-2.1-or-later
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers.qemu.ending import Ending, Sign, Step
from virevents.drivers.qemu.transitions import Happening

S, P, V, D, E, X, T = (
    Sign.SHUTDOWN,
    Sign.PANICKED,
    Sign.SAVED,
    Sign.DESTROY,
    Sign.STREAM_END,
    Sign.EXIT,
    Sign.DEADLINE,
)
EVERY_SIGN = (S, P, V, D, E, X, T)
orders = st.lists(st.sampled_from(EVERY_SIGN), max_size=12)

SHUTDOWN = Happening.SHUT_DOWN
DESTROYED = Happening.DESTROYED
CRASHED = Happening.CRASHED
FAILED = Happening.FAILED
SAVED = Happening.SAVED


def steps(*signs: Sign) -> list[Step]:
    ending = Ending()
    return [ending.put(sign) for sign in signs]


def verdict(*signs: Sign) -> Happening:
    ending = Ending()
    assert [ending.put(sign) for sign in signs][-1] is Step.CONCLUDE
    return ending.verdict


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ((S, E, X), SHUTDOWN),  # the usual order
        ((X, S, E), SHUTDOWN),  # the exit was seen before the stream was read
        ((S, S, E, X), SHUTDOWN),  # SHUTDOWN can come twice
        ((E, X), FAILED),  # kill -9
        ((X, E), FAILED),
        ((X, T), FAILED),  # somebody else keeps the stream open
        ((E, T, X), FAILED),  # hung on its way out, killed by us
        ((D, S, E, X), DESTROYED),
        ((D, E, X), DESTROYED),  # SIGKILL after SIGTERM was ignored
        ((S, D, E, X), DESTROYED),  # shutting down at its leisure, then destroyed
        ((E, D, X), FAILED),  # the request came after the crash
        ((X, D, E), FAILED),
        ((P, S, E, X), CRASHED),
        ((S, P, E, X), CRASHED),
        ((P, D, S, E, X), DESTROYED),
        ((D, P, S, E, X), DESTROYED),
        ((V, S, E, X), SAVED),
        ((V, E, X), SAVED),
        ((V, D, E, X), DESTROYED),
    ],
)
def test_first_cause(signs: tuple[Sign, ...], expected: Happening) -> None:
    assert verdict(*signs) == expected


def test_one_verdict_in_every_order() -> None:
    for signs in permutations(EVERY_SIGN):
        assert steps(*signs, E, X, T).count(Step.CONCLUDE) == 1, signs


@given(orders)
def test_one_verdict(signs: list[Sign]) -> None:
    assert steps(*signs).count(Step.CONCLUDE) <= 1


@given(orders)
def test_both_seen(signs: list[Sign]) -> None:
    taken = steps(*signs)
    if Step.CONCLUDE not in taken:
        return
    before = signs[: taken.index(Step.CONCLUDE) + 1]
    assert X in before
    assert E in before or T in before[before.index(X) :]


@given(orders)
def test_always_ends(signs: list[Sign]) -> None:
    assert Step.CONCLUDE in steps(*signs, X, T)


@given(orders)
def test_nothing_changes_a_verdict(signs: list[Sign]) -> None:
    ending = Ending()
    for sign in (*signs, X, T):
        ending.put(sign)
    assert ending.is_over
    reached = ending.verdict
    assert {ending.put(sign) for sign in EVERY_SIGN} == {Step.NOTHING}
    assert ending.verdict == reached


@given(orders)
def test_each_wait_is_bounded(signs: list[Sign]) -> None:
    """The first of the two ends asks for a deadline; so does every kill, by its meaning."""
    ending = Ending()
    for sign in signs:
        was_certain = ending.is_certain
        step = ending.put(sign)
        if sign in {E, X} and not was_certain:
            assert step is (Step.AWAIT_EXIT if sign is E else Step.AWAIT_STREAM)


def test_a_process_that_outlives_its_deadline_is_killed_each_time() -> None:
    assert steps(E, T, T, X) == [Step.AWAIT_EXIT, Step.KILL, Step.KILL, Step.CONCLUDE]


def test_the_verdict_so_far_can_be_asked_for() -> None:
    ending = Ending()
    assert not ending.is_over
    assert ending.verdict == FAILED
    ending.put(S)
    assert ending.verdict == SHUTDOWN
    assert not ending.is_certain
