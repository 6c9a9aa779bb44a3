# SPDX-License-Identifier: LGPL-2.1-or-later
"""``call_out``: the one door to a user's code."""

import logging
import re

import pytest

from virevents.errors import LockOrderError
from virevents.sync import LOCK_TABLE, Failure, LockClass, RankedLock, call_out


def test_gives_what_the_function_gives() -> None:
    assert call_out("divmod", divmod, 7, 2) == (3, 1)
    assert call_out("nothing", lambda: None) is None


@pytest.mark.parametrize("kind", LOCK_TABLE, ids=lambda kind: kind.name)
def test_nothing_held(kind: LockClass) -> None:
    called: list[int] = []
    with RankedLock(kind), pytest.raises(LockOrderError) as refused:
        call_out("on_release of callback 3 (print)", called.append, 1)
    assert called == []
    place = re.escape(__file__) + r":\d+"
    assert re.fullmatch(
        rf"the call of on_release of callback 3 \(print\) at {place}", refused.value.wanted
    )
    assert re.fullmatch(f"the {kind.name} lock at {place}", refused.value.held)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_all_is_caught(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "virevents.sync"):
        outcome = call_out("callback 3", fail)
    assert outcome == Failure(error)
    [record] = caplog.records
    assert record.getMessage() == f"callback 3 raised {type(error).__name__}"
    assert record.exc_info is not None
    assert record.exc_info[1] is error
