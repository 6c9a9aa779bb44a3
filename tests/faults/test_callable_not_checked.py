# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt-python's fault: something not callable was accepted, and failed at the first event."""

from collections.abc import Callable

import pytest

from virevents.dispatch import Callback, Filter, Hooks
from virevents.errors import LocalProtocolError


class _AcceptsAnything(Callback):
    """The planted fault: the function is stored as it comes."""

    def __init__(self, function: Callable[[object], object], wanted: Filter) -> None:
        super().__init__(print, wanted)
        self._function = function


def check(kind: Callable[[Callable[[object], object], Filter], Callback], given: object) -> None:
    """It is refused when it is handed in, naming what was met."""
    with pytest.raises(LocalProtocolError, match=repr(given)):
        kind(given, Filter())  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [None, 7, "print"])
def test_ours_refuses_it(given: object) -> None:
    check(Callback, given)


@pytest.mark.parametrize("hook", ["on_gap", "on_error", "on_release"])
def test_ours_refuses_it_as_a_hook(hook: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{hook}: expected a callable or None, met 7"):
        Hooks(**{hook: 7})  # type: ignore[arg-type]


def test_a_planted_acceptance_is_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check(_AcceptsAnything, 7)
