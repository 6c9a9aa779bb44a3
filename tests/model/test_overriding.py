# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decorator that Python 3.11 lacks."""

from virevents.model.overriding import override


def test_transparent() -> None:
    def method() -> None:
        pass

    assert override(method) is method
